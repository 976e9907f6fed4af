"""The words of Amazon SWF, with no behaviour of ours: its model, events, decisions, and the client seam."""
