"""
What is measured: the table of instruments.

Names are Prometheus's with their unit last and ``pyflow_`` before them; OpenTelemetry's are the same with dots. A test holds the
page docs/operating.md against this table.
"""

from enum import Enum
from typing import Final, NamedTuple


class InstrumentKind(Enum):
    """What a value means."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Instrument(NamedTuple):
    """
    One metric.

    Attributes:
        name: without ``pyflow_``; with the unit, and ``_total`` for a counter.
        unit: ``s`` for seconds; ``1`` for things counted.
        labels: what it is told apart by.
        help: one sentence.
        bounds: upper ends of a histogram's buckets.
    """

    name: str
    kind: InstrumentKind
    unit: str
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...] = ()


SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    3600.0,
)
EVENTS: Final = (10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 15_000.0, 20_000.0, 25_000.0)

CALLS: Final = Instrument(
    "calls_total",
    InstrumentKind.COUNTER,
    "1",
    ("operation", "outcome"),
    "Calls to SWF; outcome: ok, empty (a poll without a task), or the fault's code.",
)
CALL_SECONDS: Final = Instrument(
    "call_seconds",
    InstrumentKind.HISTOGRAM,
    "s",
    ("operation",),
    "How long SWF took to answer; polls wait up to 60.",
    SECONDS,
)
DECISION_TASKS: Final = Instrument(
    "decision_tasks_total",
    InstrumentKind.COUNTER,
    "1",
    ("workflow", "outcome"),
    "Decision tasks; outcome: memory (a kept run went on), replay (from its history), or the exception that prevented it.",
)
DECISION_SECONDS: Final = Instrument(
    "decision_seconds",
    InstrumentKind.HISTOGRAM,
    "s",
    ("workflow",),
    "How long deciding took, without calls to SWF.",
    SECONDS,
)
HISTORY_EVENTS: Final = Instrument(
    "history_events",
    InstrumentKind.HISTOGRAM,
    "1",
    ("workflow",),
    "Length of the history at each decision task.",
    EVENTS,
)
PARKED: Final = Instrument(
    "parked_total",
    InstrumentKind.COUNTER,
    "1",
    (),
    "Times a run was parked because it could not be decided; each pauses longer than the one before.",
)
ACTIVITY_TASKS: Final = Instrument(
    "activity_tasks_total",
    InstrumentKind.COUNTER,
    "1",
    ("activity", "outcome"),
    "Activity bodies that ended; outcome: completed, canceled or failed.",
)
ACTIVITY_SECONDS: Final = Instrument(
    "activity_seconds", InstrumentKind.HISTOGRAM, "s", ("activity",), "How long an activity's body ran.", SECONDS
)
RUNS_KEPT: Final = Instrument(
    "runs_kept", InstrumentKind.GAUGE, "1", (), "Live runs kept between their decision tasks."
)
SLOTS: Final = Instrument("slots", InstrumentKind.GAUGE, "1", ("executor",), "Activity bodies that may run at once.")
SLOTS_USED: Final = Instrument("slots_used", InstrumentKind.GAUGE, "1", ("executor",), "Activity bodies that run.")

INSTRUMENTS: Final = (
    CALLS,
    CALL_SECONDS,
    DECISION_TASKS,
    DECISION_SECONDS,
    HISTORY_EVENTS,
    PARKED,
    ACTIVITY_TASKS,
    ACTIVITY_SECONDS,
    RUNS_KEPT,
    SLOTS,
    SLOTS_USED,
)
