"""
How SWF behaves, as rules: (execution, command, now) -> events to append, items touched, effects to carry out.

Nothing here reads a clock, a database or chance. A rule works on a Turn; what it must know of the world is passed in.
"""
