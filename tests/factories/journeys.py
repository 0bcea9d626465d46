"""A business that collects through the sandbox over HTTP, and jobs that run when the test says so."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import redis.asyncio
from sqlalchemy import func, select
from starlette.applications import Starlette

from core.ids import new_id
from integrations.account import Outside
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.sandbox import demo
from integrations.sandbox.settings import SandboxSettings
from jobs.alerts import alert_handlers
from jobs.channels import channel_handlers
from jobs.forwarding import forwarding_handlers
from jobs.inbox import inbox_handlers
from jobs.payment_sweep import sweep_handlers
from jobs.payments import payment_handlers
from jobs.providers import Providers
from jobs.refunds import refund_handlers
from jobs.run import Runner
from jobs.work import by_kind
from owner_db.tenants.hooks import register_endpoint
from server.hooks import Hooks
from server.settings import Network
from tenancy.columns import OutboxColumns
from tenancy.context import Services
from tenancy.engines import TenantEngines, Tenants
from tenancy.outbox import announce
from tenancy.policy import Policy
from tenancy.sessions import OwnerDatabase, Signals, Tenant
from tenancy.shapes import model_of
from tenancy.signals import OWNER_MEMBER
from tenant_db.channels import activating, adding, verifying
from tenant_db.channels.machine import ChannelKind, Environment
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys
from tenant_db.inbox.models import TenantInbox
from tenant_db.payments.models import Payment
from tenant_db.stores.models import Store
from tests.conftest import RecordedSignals
from tests.factories.journey_parts import (
    MovingClock,
    Registry,
    open_catalog,
    open_keyring,
    services_of,
)
from tests.factories.payments import Shop, initiate, read
from tests.factories.tenants import register
from tests.sandbox import RunningSandbox, running_sandbox, serving

READ_TIMEOUT_S = 0.5
"""What "slow" is: the sandbox never answers, and nobody wants to wait for that."""
RUNS_MAX = 1_000


@dataclass(slots=True)
class Journey:
    """One or two businesses, the sandbox, the hooks on a real port, and the jobs."""

    services: Services
    registry: Registry
    sandbox: RunningSandbox
    clock: MovingClock
    runner: Runner
    providers: Providers
    url: str = ""
    shops: dict[UUID, Shop] = field(default_factory=dict)

    async def open_shop(self, tenant: Tenant, kind: ChannelKind = ChannelKind.PAYBILL) -> Shop:
        """A store with a verified, active channel on the sandbox's demo app."""
        channel = await self.add_channel(tenant, kind)
        async with tenant.transaction() as session:
            await verifying.start_verification(session, channel.id)
            announce(session, "verify_channel", queue="platform", channel_id=str(channel.id))
        await self.run(tenant)
        async with tenant.transaction() as session:
            await activating.activate(session, channel.id)
        shop = Shop(channel.store_id, channel.id, channel.provider_account_id, channel.short_code)
        self.shops[tenant.id] = shop
        return shop

    async def add_channel(
        self, tenant: Tenant, kind: ChannelKind = ChannelKind.PAYBILL, passkey: str = demo.DEMO_PASSKEY
    ) -> Channel:
        store = Store(id=new_id(), name="Mama Njeri", code=new_id().hex, time_zone="Africa/Nairobi")
        is_till = kind is not ChannelKind.PAYBILL
        hooks = adding.HookTokens(*(secrets.token_hex(16) for _ in range(3)))
        async with tenant.transaction() as session:
            session.add(store)
            await session.flush()
            new = adding.NewChannel(
                store_id=store.id,
                name="Counter",
                kind=kind,
                environment=Environment.SANDBOX,
                short_code=demo.DEMO_TILL if is_till else demo.DEMO_PAYBILL,
                head_office_code=demo.DEMO_TILL_HEAD_OFFICE if is_till else None,
                keys=MpesaKeys(demo.DEMO_CONSUMER_KEY, demo.DEMO_CONSUMER_SECRET, passkey),
            )
            channel = await adding.add_channel(session, self.services.keyring, new, hooks)
        await self._register(tenant, channel.id, hooks)
        return channel

    async def pay(self, tenant: Tenant, *outcome: str | dict[str, Any], **changes: object) -> Payment:
        """Initiate a payment whose prompt will go this way, and run what is due until it waits."""
        await self.sandbox.control_next(*(outcome or ("success",)))
        payment = await self.initiate(tenant, **changes)
        await self.run(tenant)
        return payment

    async def initiate(self, tenant: Tenant, **changes: object) -> Payment:
        payment = await initiate(tenant, self.shops[tenant.id], now=self.clock(), **changes)
        async with tenant.transaction() as session:
            announce(session, "submit_payment", queue="payments", payment_id=str(payment.id))
        return payment

    async def tell(self, tenant: Tenant, payment: Payment) -> Payment:
        """Have everything told about the prompt now, and run what follows."""
        await self.sandbox.release(reference=payment.reference)
        await self.run(tenant)
        return await read(tenant, payment.id)

    async def run(self, tenant: Tenant, within: timedelta = timedelta()) -> None:
        """Run every job that is due, and those that come due while the clock moves on by `within`."""
        until = self.clock() + within
        for _ in range(RUNS_MAX):
            row = await self._next(tenant)
            if row is None or _due_at(row) > max(until, self.clock()):
                return
            self.clock.skip_to(_due_at(row))
            await self.runner.run_outbox({}, str(tenant.id), str(row.id), tenant.ref.epoch)
        raise AssertionError("the jobs never come to rest")

    async def run_platform(self) -> None:
        """Run the platform's open jobs once each, due or not."""
        async with self.services.owner.reading() as session:
            model = model_of(session, OutboxColumns)
            rows = list(await session.scalars(select(model).where(model.state == "pending")))
        for row in rows:
            self.clock.skip_to(row.next_attempt_at)
            await self.runner.run_outbox({}, OWNER_MEMBER, str(row.id), 0)

    async def messages(self, tenant: Tenant) -> list[TenantInbox]:
        async with tenant.reading() as session:
            return list(await session.scalars(select(TenantInbox).order_by(TenantInbox.id)))

    async def prompts(self, payment: Payment) -> list[dict[str, Any]]:
        """What the sandbox's own book says it took for this payment."""
        book = await self.sandbox.book()
        return [entry for entry in book["stk"] if entry["reference"] == payment.reference]

    async def post(self, path: str, body: bytes) -> httpx.Response:
        """What anybody on the internet could send."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.post(path, content=body, headers={"content-type": "application/json"})

    async def _next(self, tenant: Tenant) -> OutboxColumns | None:
        """The open row that is due first; one whose run died is due when its lease ends."""
        async with tenant.reading() as session:
            model = model_of(session, OutboxColumns)
            due_at = func.greatest(model.next_attempt_at, model.leased_until)
            open_ones = select(model).where(model.state.in_(["pending", "running"]))
            return await session.scalar(open_ones.order_by(due_at, model.id).limit(1))

    async def _register(self, tenant: Tenant, channel_id: UUID, hooks: adding.HookTokens) -> None:
        purposes = {
            "stk": hooks.stk,
            "c2b_confirmation": hooks.confirmation,
            "c2b_validation": hooks.validation,
        }
        async with self.services.owner.transaction() as session:
            for purpose, token in purposes.items():
                token_hash = sha256(token.encode()).digest()
                await register_endpoint(
                    session, tenant.id, token_hash, provider="mpesa", purpose=purpose, channel_id=channel_id
                )


def _due_at(row: OutboxColumns) -> datetime:
    return max(row.next_attempt_at, row.leased_until or row.next_attempt_at)


@asynccontextmanager
async def running_journey(
    owner: OwnerDatabase,
    tenants: list[Tenant],
    client: redis.asyncio.Redis,
    keys: Path,
    *,
    networks: list[Network] | None = None,
    signals: Signals | None = None,
) -> AsyncIterator[Journey]:
    """Everything a payment passes through, on real ports; `keys` is a folder for the master key."""
    clock = MovingClock()
    settings = SandboxSettings(
        think_time_s=0.0, mail_port=None, clock=clock, timestamp_tolerance=timedelta(days=30)
    )
    timeout = httpx.Timeout(connect=2, read=READ_TIMEOUT_S, write=2, pool=2)
    async with running_sandbox(settings) as sandbox, open_client(timeout) as http:
        await open_catalog(owner, sandbox.mpesa_url)
        for tenant in tenants:
            await register(owner, tenant.ref)
        registry = Registry({tenant.id: tenant.ref for tenant in tenants})
        engines = TenantEngines(16)
        tenants_served = Tenants(registry, engines, signals or RecordedSignals())
        services = services_of(owner, tenants_served, await open_keyring(registry, keys), client, clock)
        providers = Providers(services, Outside(http, ProcessTokens(clock), clock))
        handlers = [
            *payment_handlers(providers),
            *sweep_handlers(providers),
            *inbox_handlers(providers),
            *channel_handlers(providers),
            *refund_handlers(providers),
            *alert_handlers(),
            *forwarding_handlers(),
        ]
        journey = Journey(services, registry, sandbox, clock, Runner(services, by_kind(handlers)), providers)
        async with serving(Starlette(routes=Hooks(services, networks or []).routes())) as url:
            journey.url = url
            services.policy = Policy(public_url=url)
            yield journey
        await engines.close()
