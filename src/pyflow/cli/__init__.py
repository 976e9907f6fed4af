"""The ``pyflow`` command."""
