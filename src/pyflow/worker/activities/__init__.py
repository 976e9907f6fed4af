"""
The activity worker: takes activity tasks from a task list, runs their bodies, beats for them, and answers.

``worker.py`` polls and dispatches; ``threads.py``, ``processes.py`` and ``loop.py`` each run bodies in their way, all through
``bodies.py``; ``heart.py`` beats in the background; ``answers.py`` tells SWF what came of it.
"""

from .worker import ActivityWorker

__all__ = ["ActivityWorker"]
