"""The embedded SWF service: the wire protocol on SQLite."""
