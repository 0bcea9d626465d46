"""What Prometheus is told. Labels are bounded: a tenant's id is in logs, never in a label."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_LATENCY_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10)

REQUESTS: Final = Counter(
    "hazina_requests_total", "HTTP requests and sockets, by path and status", ["path", "status"]
)
OPERATION_SECONDS: Final = Histogram(
    "hazina_operation_seconds",
    "GraphQL operations, by schema and first root field",
    ["schema", "field"],
    buckets=_LATENCY_BUCKETS,
)
FAULTS: Final = Counter("hazina_faults_total", "Masked faults: bugs and outages", ["schema"])
CROSS_TENANT_ATTEMPTS: Final = Counter(
    "cross_tenant_attempts_total", "Requests that named another tenant than their token", ["through"]
)
RATE_LIMITED: Final = Counter("hazina_rate_limited_total", "Requests refused by a limiter", ["limit"])

CONNECTIONS_BUDGET: Final = Gauge("hazina_tenant_connections_budget", "Connections this process may hold")
CONNECTIONS_IN_USE: Final = Gauge("hazina_tenant_connections", "Connections to tenant databases, admitted")
ENGINES: Final = Gauge("hazina_tenant_engines", "Engines of live tenants")
CAPACITY_WAITS: Final = Counter("hazina_capacity_waits_total", "Requests that waited for a connection")
CAPACITY_REFUSALS: Final = Counter("hazina_capacity_refusals_total", "Requests refused with CAPACITY")
IDENTITY_MISMATCHES: Final = Counter(
    "hazina_identity_mismatches_total", "Connections closed because the database was another tenant's"
)
OWNER_CONNECTIONS: Final = Gauge("hazina_owner_connections", "Connections to the owner database in use")

SOCKETS: Final = Gauge("hazina_sockets", "Open WebSockets and event streams", ["schema"])
OUTBOX_LAG_SECONDS: Final = Histogram(
    "hazina_outbox_lag_seconds",
    "From due to claimed, by queue",
    ["queue"],
    buckets=_LATENCY_BUCKETS,
)
JOBS: Final = Counter("hazina_jobs_total", "Jobs run, by kind and result", ["kind", "result"])
PAYMENTS: Final = Counter("hazina_payments_total", "Payments that reached a state", ["provider", "status"])
PROVIDER_SECONDS: Final = Histogram(
    "hazina_provider_call_seconds",
    "Calls to providers, by operation and outcome",
    ["provider", "operation", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
HOOKS: Final = Counter(
    "hazina_hooks_total", "Messages of providers, by what became of them", ["purpose", "result"]
)
FINDINGS: Final = Counter(
    "hazina_findings_total", "Discrepancies in books, seen for the first time", ["kind"]
)
