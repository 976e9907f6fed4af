"""Metrics in Prometheus's text form, kept by prometheus_client."""

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from .instruments import INSTRUMENTS, Instrument, InstrumentKind

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class PrometheusSink:
    """
    Keeps metrics for Prometheus to fetch.

    Args:
        registry: where they are kept; None: one of its own. Give ``prometheus_client.REGISTRY`` to serve them with others.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._collectors = {each: self._collector(each) for each in INSTRUMENTS}

    def count(self, instrument: Instrument, labels: tuple[str, ...]) -> None:
        """Count one more."""
        self._child(instrument, labels).inc()

    def record(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Record a value of a histogram."""
        self._child(instrument, labels).observe(value)

    def watch(self, instrument: Instrument, labels: tuple[str, ...], read: Callable[[], float]) -> None:
        """Read a gauge at each fetch."""
        self._child(instrument, labels).set_function(read)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text form, of the type CONTENT_TYPE."""
        return generate_latest(self.registry)

    def _child(self, instrument: Instrument, labels: tuple[str, ...]) -> Any:
        collector = self._collectors[instrument]
        return collector.labels(*labels) if labels else collector

    def _collector(self, instrument: Instrument) -> Any:
        given = (f"pyflow_{instrument.name}", instrument.help, instrument.labels)
        match instrument.kind:
            case InstrumentKind.COUNTER:
                return Counter(*given, registry=self.registry)
            case InstrumentKind.GAUGE:
                return Gauge(*given, registry=self.registry)
            case InstrumentKind.HISTOGRAM:
                return Histogram(*given, buckets=instrument.bounds, registry=self.registry)
