"""Durable workflows as plain synchronous Python, on Amazon Simple Workflow Service."""
