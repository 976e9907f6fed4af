"""The shell that talks to a service, for months: polling, deciding, responding, running activities."""
