"""
Durable workflows as plain synchronous Python, on Amazon Simple Workflow Service.

Everything public is here; what a run offers its code is on ``self.swf``.
"""
