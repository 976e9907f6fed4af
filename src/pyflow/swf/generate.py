"""
Write ``model.py`` from botocore's description of SWF. Run by ``make model``; a test compares the two.

Kept as constants so that importing them loads neither botocore nor its JSON.
"""

import pprint
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADER = '''"""
SWF's own shapes, enums and operations, generated from botocore's model by ``make model``. Do not edit.

``SHAPES``: shape name -> {"type": "structure" | "list" | "string" | "integer" | "boolean" | "timestamp", ...} with
``members`` (member -> shape name) and ``required`` of structures, ``member`` (shape name) of lists, ``enum``, ``min``,
``max`` (characters or numbers). ``OPERATIONS``: action -> {"input": shape or None, "output": shape or None, "faults": (...)}.
"""

from typing import Any, Final
'''


def load() -> dict[str, Any]:
    """Return botocore's SWF model as it is on disk."""
    import botocore.session  # noqa: PLC0415 - a tool of the makefile; importing pyflow must not load botocore

    model: dict[str, Any] = botocore.session.get_session().get_service_model("swf")._service_description  # noqa: SLF001
    return model


def render(model: dict[str, Any]) -> str:
    """Return the text of ``model.py`` before formatting."""
    shapes = {name: _shape(shape) for name, shape in sorted(model["shapes"].items())}
    operations = {
        name: {
            "input": op.get("input", {}).get("shape"),
            "output": op.get("output", {}).get("shape"),
            "faults": tuple(fault["shape"] for fault in op.get("errors", ())),
        }
        for name, op in sorted(model["operations"].items())
    }
    events = _attribute_members(shapes["HistoryEvent"]["members"], shapes["EventType"]["enum"], "EventAttributes")
    decisions = _attribute_members(shapes["Decision"]["members"], shapes["DecisionType"]["enum"], "DecisionAttributes")
    parts = {
        "API_VERSION: Final": model["metadata"]["apiVersion"],
        "TARGET_PREFIX: Final": model["metadata"]["targetPrefix"],
        "EVENT_ATTRIBUTES: Final[dict[str, str]]": events,
        "DECISION_ATTRIBUTES: Final[dict[str, str]]": decisions,
        "OPERATIONS: Final[dict[str, dict[str, Any]]]": operations,
        "SHAPES: Final[dict[str, dict[str, Any]]]": shapes,
    }
    body = "\n".join(f"{name} = {pprint.pformat(value, sort_dicts=False)}" for name, value in parts.items())
    return HEADER + body + "\n"


def _shape(shape: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: shape[key] for key in ("type", "min", "max") if key in shape}
    if "enum" in shape:
        kept["enum"] = tuple(shape["enum"])
    if "members" in shape:
        kept["members"] = {name: member["shape"] for name, member in shape["members"].items()}
        kept["required"] = tuple(shape.get("required", ()))
    if "member" in shape:
        kept["member"] = shape["member"]["shape"]
    return kept


def _attribute_members(members: dict[str, str], types: tuple[str, ...], suffix: str) -> dict[str, str]:
    """Map each event or decision type to the member that holds its attributes, as SWF spells them."""
    return {kind: member for kind in types if (member := kind[0].lower() + kind[1:] + suffix) in members}


def main() -> None:
    """Write the file beside this one and format it."""
    target = Path(__file__).with_name("model.py")
    target.write_text(render(load()))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(target)], check=True)  # noqa: S603
    sys.stdout.write(f"wrote {target}\n")


if __name__ == "__main__":
    main()
