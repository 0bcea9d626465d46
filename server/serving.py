"""The long-running processes: server, worker and sandbox."""

import asyncio
import gc
import resource
import signal
from collections.abc import Sequence
from functools import partial
from typing import Final

import uvicorn
from prometheus_client import start_http_server

from integrations.account import Outside
from integrations.email.client import SmtpSettings, send_mail
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from jobs.alerts import alert_handlers
from jobs.channels import channel_handlers
from jobs.cron import Periodic
from jobs.exports import export_handlers
from jobs.figures import Figures
from jobs.forwarding import forwarding_handlers
from jobs.inbox import inbox_handlers
from jobs.ledger import ledger_handlers
from jobs.mail import mail_handlers
from jobs.mail_notices import notice_handlers
from jobs.orders import order_handlers
from jobs.payment_sweep import sweep_handlers
from jobs.payments import payment_handlers
from jobs.provider_accounts import provider_account_handlers
from jobs.providers import Providers
from jobs.proving import proof_handlers
from jobs.reconciliation import Nights, reconciliation_handlers
from jobs.refunds import refund_handlers
from jobs.retention import retention_schedule
from jobs.sealing import Sealer
from jobs.statements import statement_handlers
from jobs.tenants import tenant_handlers
from jobs.webhooks import webhook_handlers
from jobs.work import Handler
from jobs.worker import run_worker
from server.compose import Process, process
from server.settings import Settings, required
from tenancy.engines import TenantEngines, Tenants

SOCKET_MESSAGE_BYTES_MAX: Final = 65_536
SOCKET_QUEUE_MAX: Final = 8
STOP_WAIT_S: Final = 10
HEAP_GENERATIONS: Final = (10_000, 20, 20)
"""When the garbage collector looks: a request makes hundreds of objects, and hardly a cycle."""
KEEP_ALIVE_S: Final = 65
"""Longer than the usual 60 s of load balancers, so that they close first."""


async def serve_api(settings: Settings) -> None:
    """Serve both schemas and the hooks until SIGTERM or SIGINT."""
    from server.app import create_app  # noqa: PLC0415 - the schemas take seconds that a worker's start need not

    async with (
        process(settings, connections=settings.tenant_connections_max, name="hazina-server") as here,
        asyncio.TaskGroup() as chores,
    ):
        sweep = chores.create_task(here.engines.sweep())
        application = create_app(here)
        _allow_files()
        _settle_heap()
        await uvicorn.Server(_uvicorn(application, settings)).serve()
        sweep.cancel()


async def serve_jobs(settings: Settings) -> None:
    """Relay, run and sweep jobs until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)
    async with (
        process(settings, connections=settings.worker_connections_max, name="hazina-worker") as here,
        open_client() as http,
    ):
        sweeps = TenantEngines(settings.sweep_connections_max, application_name="hazina-sweeps")
        outside = Outside(http, ProcessTokens(here.services.clock), here.services.clock)
        _settle_heap()
        try:
            async with asyncio.TaskGroup() as chores:
                idle = [chores.create_task(engines.sweep()) for engines in (here.engines, sweeps)]
                await run_worker(
                    here.services,
                    required(settings.redis_url, "HAZINA_REDIS_URL"),
                    handlers(here, outside),
                    stop,
                    sweeping=here.tenants_on(sweeps),
                    periodic=schedule(here, here.tenants_on(sweeps)),
                )
                for sweep in idle:
                    sweep.cancel()
        finally:
            await sweeps.close()


def handlers(here: Process, outside: Outside) -> Sequence[Handler]:
    """Every kind of job there is."""
    providers = Providers(here.services, outside)
    send = partial(send_mail, _smtp(here.settings))
    return [
        *payment_handlers(providers),
        *sweep_handlers(providers),
        *refund_handlers(providers),
        *inbox_handlers(providers),
        *channel_handlers(providers),
        *provider_account_handlers(providers),
        *order_handlers(),
        *alert_handlers(),
        *ledger_handlers(),
        *export_handlers(),
        *proof_handlers(),
        *forwarding_handlers(),
        *tenant_handlers(here.servers),
        *reconciliation_handlers(),
        *statement_handlers(),
        *mail_handlers(send),
        *notice_handlers(send),
        *webhook_handlers(here.settings.webhook_networks_allowed),
    ]


def schedule(here: Process, sweeping: Tenants) -> Sequence[Periodic]:
    """What runs again and again, apart from the sweeps; `sweeping` has connections of its own."""
    return [
        *retention_schedule(here.services, here.servers),
        *Sealer(here.services, sweeping, here.redis).schedule(),
        *Figures(here.services.owner, sweeping, here.services.clock).schedule(),
        *Nights(here.services.owner, sweeping, here.services.clock).schedule(),
    ]


def _allow_files() -> None:
    """Let this process have as many sockets open as the system allows it: the usual limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _settle_heap() -> None:
    """Keep the garbage collector from what lives as long as the process: schema, models, statements."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*HEAP_GENERATIONS)
    gc.enable()


def _smtp(settings: Settings) -> SmtpSettings:
    password = settings.smtp_password
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        mail_from=settings.mail_from,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value(),
    )


def _uvicorn(application: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,  # type: ignore[arg-type]  # uvicorn's own ASGI types differ from Starlette's
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        ws_max_queue=SOCKET_QUEUE_MAX,
        # It would hold more memory for each socket than everything else, and events are small.
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WAIT_S,
    )
