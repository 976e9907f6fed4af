"""What lets an operator see into a worker: log lines, the health port, metrics, traces, interceptors of their own."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from typing import Any, Final, Literal

from pyflow.interceptors import Interceptor
from pyflow.telemetry.endpoint import Endpoint
from pyflow.telemetry.health import Health
from pyflow.telemetry.metrics import Metrics, Sink

from .loading import object_at
from .output import Refusal

LogFormat = Literal["text", "json"]
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

CLOSE_S: Final = 5.0
"""How long a collector that does not answer may hold up a process that has finished its work."""


def set_up_logging(form: LogFormat) -> None:
    """Send log lines to stderr: as text, or a JSON object a line with the ids that records of workflows and activities carry."""
    output = logging.StreamHandler()
    if form == "json":
        try:
            from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _missing("--log-format json", "operate") from error
        names = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "exception"}
        output.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names))
    else:
        output.setFormatter(logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[output])


def interceptors_at(targets: Iterable[str]) -> list[Interceptor]:
    """
    Load what ``--interceptor FILE.py:NAME`` options name: objects, or classes to make one of.

    Raises:
        Refusal: no such file or name, or it is no interceptor.
    """
    found = []
    for target in targets:
        named = object_at(target)
        made = named() if isinstance(named, type) and issubclass(named, Interceptor) else named
        if not isinstance(made, Interceptor):
            raise Refusal(f"--interceptor {target}: {named!r} is no pyflow.Interceptor, nor a class of them")
        found.append(made)
    return found


class Observation:
    """
    Everything by which a worker is observed.

    Args:
        health_at: where the health port listens, ``HOST:PORT`` or ``PORT``; None: there is none.
        place: of several processes, which one this is, from 0: each has a port of its own after the supervisor's, which it
            shares with the process whose place it takes; None: there is this one alone.
        otlp: send metrics and traces to an OpenTelemetry collector, as ``OTEL_EXPORTER_OTLP_*`` say.
        own: the author's interceptors, which stand inside of pyflow's.

    Attributes:
        interceptors: for clients, deciders and activity workers.
        health: what the health port reports.

    Raises:
        Refusal: an extra is not installed, or the address cannot be had.
    """

    def __init__(self, health_at: str | None, place: int | None, *, otlp: bool, own: Sequence[Interceptor]) -> None:
        self.health = Health()
        self._closing: list[Callable[[], Any]] = []
        sinks: list[Sink] = []
        first: list[Interceptor] = [self.health]
        if health_at is not None:
            sinks.append(self._open_port(health_at, place))
        if otlp:
            sinks.append(self._export_metrics())
            first.append(self._export_traces())
        self.metrics = Metrics(*sinks)
        self.interceptors = [*first, *([self.metrics] if sinks else []), *own]

    def close(self) -> None:
        """Send what has not been sent, if that can be done soon, and close the port."""
        threads = [Thread(target=close, name="pyflow-closing", daemon=True) for close in self._closing]
        for thread in threads:
            thread.start()
        until_s = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            logging.getLogger(__name__).warning(
                "the collector has not taken the last metrics and traces in %.0f s; they are lost", CLOSE_S
            )

    def _open_port(self, health_at: str, place: int | None) -> Sink:
        try:
            from pyflow.telemetry.prometheus import CONTENT_TYPE, PrometheusSink  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _missing("--health-port", "operate") from error
        prometheus = PrometheusSink()
        host, port = address(health_at)
        if place is not None and port:
            port += 1 + place
        try:
            endpoint = Endpoint(
                self.health.report, lambda: (prometheus.text(), CONTENT_TYPE), host, port, shared=place is not None
            )
        except OSError as error:
            raise Refusal(f"--health-port {health_at}: {error.strerror}") from error
        logging.getLogger(__name__).info("health at %s/health, metrics at %s/metrics", endpoint.url, endpoint.url)
        self._closing.append(endpoint.close)
        return prometheus

    def _export_metrics(self) -> Sink:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - an extra
            from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

            from pyflow.telemetry.otel import OpenTelemetrySink  # noqa: PLC0415
        except ImportError as error:
            raise _missing("--otlp", "opentelemetry") from error
        provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
        self._closing.append(provider.shutdown)
        return OpenTelemetrySink(provider.get_meter("pyflow"))

    def _export_traces(self) -> Interceptor:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        from pyflow.telemetry.tracing import Tracing  # noqa: PLC0415

        tracing = Tracing(BatchSpanProcessor(OTLPSpanExporter()))
        self._closing.append(tracing.shutdown)
        return tracing


def address(text: str) -> tuple[str, int]:
    """
    Read ``HOST:PORT``, ``[HOST]:PORT`` or ``PORT``; the host is this machine's loopback address if left out.

    Raises:
        Refusal: it is none of them.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise Refusal(f"not an address: {text!r}; expected PORT or HOST:PORT, such as 0.0.0.0:8601")
    return host.strip("[]") or "127.0.0.1", int(port)


def _missing(option: str, extra: str) -> Refusal:
    return Refusal(f"{option} needs an extra: pip install 'pyflow-swf[{extra}]'")
