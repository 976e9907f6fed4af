"""Metrics through OpenTelemetry's API: whatever SDK and exporters the process has set up gets them."""

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

from .instruments import INSTRUMENTS, Instrument, InstrumentKind


class OpenTelemetrySink:
    """
    Hands metrics to OpenTelemetry.

    Args:
        meter: None: ``get_meter("pyflow")`` of the global meter provider.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = get_meter("pyflow") if meter is None else meter
        self._made: dict[Instrument, Any] = {
            each: self._make(each) for each in INSTRUMENTS if each.kind is not InstrumentKind.GAUGE
        }
        self._watched: dict[Instrument, dict[tuple[str, ...], Callable[[], float]]] = {}

    def count(self, instrument: Instrument, labels: tuple[str, ...]) -> None:
        """Count one more."""
        self._made[instrument].add(1, _attributes(instrument, labels))

    def record(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Record a value of a histogram."""
        self._made[instrument].record(value, _attributes(instrument, labels))

    def watch(self, instrument: Instrument, labels: tuple[str, ...], read: Callable[[], float]) -> None:
        """Read a gauge at each export."""

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            for each, read_it in list(watched.items()):
                yield Observation(read_it(), _attributes(instrument, each))

        is_new = instrument not in self._watched
        watched = self._watched.setdefault(instrument, {})
        watched[labels] = read
        if is_new:
            self._meter.create_observable_gauge(_name(instrument), [observe], instrument.unit, instrument.help)

    def _make(self, instrument: Instrument) -> Any:
        if instrument.kind is InstrumentKind.COUNTER:
            return self._meter.create_counter(_name(instrument), instrument.unit, instrument.help)
        return self._meter.create_histogram(
            _name(instrument), instrument.unit, instrument.help, explicit_bucket_boundaries_advisory=instrument.bounds
        )


def _name(instrument: Instrument) -> str:
    """Return OpenTelemetry's spelling: no unit in the name, since it stands beside it, and nothing for a counter."""
    return (
        "pyflow."
        + instrument.name.removesuffix("_total").removesuffix("_seconds").replace("_", ".")
        + (".duration" if instrument.unit == "s" else "")
    )


def _attributes(instrument: Instrument, labels: tuple[str, ...]) -> dict[str, str]:
    return {f"pyflow.{label}": value for label, value in zip(instrument.labels, labels, strict=True)}
