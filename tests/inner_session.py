"""Sessions of pytest within a test."""

PLAIN = [f"-pno:{plugin}" for plugin in ("randomly", "cacheprovider", "hypothesispytest", "xdist", "pytest_cov")]
"""Options without the plugins that such a session does not need: importing them anew takes most of its time."""
