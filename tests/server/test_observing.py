import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY

from core.clock import utc_now
from core.ids import new_id
from schema.exchange import Report
from server.logs import mask_phones, redact_paths
from server.observing import NAMES_MAX, report_to
from tenancy.checkout_tokens import CheckoutToken
from tenancy.tracing import record_operation, record_outside_call


def counted(schema: str, field: str) -> float:
    return (
        REGISTRY.get_sample_value("hazina_operation_seconds_count", {"schema": schema, "field": field}) or 0
    )


def test_operations_have_spans_and_those_that_fail_say_so() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

    record_operation("tenant.Pay", 0.25, "ok", cost=13)
    record_outside_call("mpesa.stk_push", 1.5, "unknown")

    operation, call = exporter.get_finished_spans()
    assert (operation.name, operation.kind, operation.status.status_code) == (
        "tenant.Pay",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    assert operation.end_time is not None
    assert operation.start_time is not None
    assert operation.end_time - operation.start_time == 250_000_000
    assert (call.kind, call.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)


def test_names_that_clients_invent_can_not_fill_the_metrics() -> None:
    report = report_to("test_names")

    for number in range(NAMES_MAX + 50):
        report(Report(f"Operation{number}", "query", 0.01, 1, "ok"))

    assert counted("test_names", "Operation0") == 1
    assert counted("test_names", "other") == 50
    assert counted("test_names", f"Operation{NAMES_MAX}") == 0


def test_hook_paths_are_redacted_in_whatever_a_line_says() -> None:
    logger = structlog.get_logger()
    event = {"event": 'POST http://a.example/hooks/0123abcd/ff00?x=1 "200"', "url": "/hooks/0123", "n": 1}

    redacted = redact_paths(logger, "info", event)

    assert redacted["event"] == 'POST http://a.example/hooks/<secret>?x=1 "200"'
    assert redacted["url"] == "/hooks/<secret>"
    assert redacted["n"] == 1


def test_phones_are_masked_in_whatever_a_line_says() -> None:
    logger = structlog.get_logger()
    id_ = "019254712345678a"
    event = {"exception": "DETAIL: Key (phone)=(+254700000001) exists; 254110000002.", "id": id_, "n": 1}

    masked = mask_phones(logger, "info", event)

    assert masked["exception"] == "DETAIL: Key (phone)=(+2547*****001) exists; 2541*****002."
    assert (masked["id"], masked["n"]) == (id_, 1)


def test_links_to_pay_are_redacted() -> None:
    token = str(CheckoutToken.written(new_id(), new_id(), utc_now(), b"key"))

    redacted = redact_paths(
        structlog.get_logger(), "info", {"event": f"GET https://h.test/pay/{token}?a /pay/7"}
    )

    assert redacted["event"] == "GET https://h.test/pay/<secret>?a /pay/7"


def test_links_to_files_are_redacted_and_the_names_of_our_modules_are_not() -> None:
    event = {"event": "GET /exports/eyJhbGciOi.x-y.z_0?a", "exception": 'File "tenant_db/exports/making.py"'}

    redacted = redact_paths(structlog.get_logger(), "info", event)

    assert redacted["event"] == "GET /exports/<secret>?a"
    assert redacted["exception"] == 'File "tenant_db/exports/making.py"'
