"""What pyflow costs, beside what it cannot cost less than. ``python -m benchmarks`` runs them all."""
