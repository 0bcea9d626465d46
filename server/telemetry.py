"""Sends spans to an OpenTelemetry collector, where one is named."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import DomainError
from server.settings import Settings
from tenancy.tracing import IS_INSTALLED


class TelemetryMissing(DomainError):
    """HAZINA_OTLP_ENDPOINT is set, but the extra that sends spans is not installed."""

    code = "TELEMETRY_MISSING"

    def __init__(self) -> None:
        super().__init__("HAZINA_OTLP_ENDPOINT needs the extra: pip install 'hazina[telemetry]'.")


@contextmanager
def telemetry(settings: Settings, name: str) -> Iterator[None]:
    """Send this process's spans, as the service `name`, until the end of the block.

    Raises:
        TelemetryMissing: a collector is named, but the extra is not installed.
    """
    if settings.otlp_endpoint is None:
        yield
        return
    if not IS_INSTALLED:
        raise TelemetryMissing
    from opentelemetry import trace  # noqa: PLC0415 - only with the extra
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.otlp_endpoint)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
