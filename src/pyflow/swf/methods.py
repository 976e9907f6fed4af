"""The names of SWF's actions as boto3's clients have them: ``PollForDecisionTask`` is ``poll_for_decision_task``."""

import re
from typing import Final

from .model import OPERATIONS

METHODS: Final = {action: re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower() for action in OPERATIONS}
"""The client's method for each action."""

ACTIONS: Final = {method: action for action, method in METHODS.items()}
"""The action for each method of a client."""
