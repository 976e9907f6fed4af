"""One step of a state machine, and pictures of the tables."""

from pyflow.exceptions import HistoryException

from .tables import TABLES, Kind, State


class TransitionError(HistoryException):
    """An event came that the machine's table does not expect in its state; the message has the path that led there."""


def step(kind: Kind, state: State, trigger: str, *, who: str = "", path: tuple[str, ...] = ()) -> State:
    """
    Return the state that follows.

    Args:
        kind: whose table.
        state: where the machine stands.
        trigger: an ask or an SWF event type.
        who: the machine's name, for the message.
        path: the triggers that led here, for the message.

    Raises:
        TransitionError: the table has no such edge.
    """
    following = TABLES[kind].get((state, trigger))
    if following is None:
        way = " -> ".join(path) or "no step yet"
        raise TransitionError(
            f"{kind} {who}: {trigger} is not expected while it is {state!s} (its path: {way}). "
            f"The history does not hold together; fetch it whole and look at the events that name {who}."
        )
    return following


def diagram(kind: Kind) -> str:
    """Draw a table as a Mermaid state diagram."""
    edges = "\n".join(
        f"    {_node(source)} --> {_node(target)}: {trigger}" for (source, trigger), target in TABLES[kind].items()
    )
    return f"stateDiagram-v2\n    [*] --> {_node(State.REQUESTED)}\n{edges}\n"


def _node(state: State) -> str:
    return state.replace(" ", "_")
