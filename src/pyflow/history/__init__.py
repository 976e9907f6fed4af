"""Tools over a recorded history and the code that made it."""
