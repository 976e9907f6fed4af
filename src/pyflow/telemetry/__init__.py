"""
What an operator sees: metrics for Prometheus and OpenTelemetry, and traces.

All of it is made of interceptors (``pyflow.interceptors``). The libraries that it speaks to are imported by the module that
needs them alone.
"""
