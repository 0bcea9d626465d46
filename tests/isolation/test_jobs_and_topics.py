"""Jobs, notices and Redis keys of one business reach no other.

A new kind of job or topic fails these tests until it has a row in JOBS or TOPICS.
"""

import ast
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

import pytest
import redis.asyncio
from sqlalchemy import select

from core.ids import new_id, parse
from integrations.account import Outside
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from jobs.run import Runner
from jobs.work import Handler, by_kind
from owner_db.tenants.servers import Servers
from schema.budgets import Charging, tiers_of
from server.compose import Process
from server.serving import handlers
from server.settings import Settings
from tenancy.columns import OutboxColumns
from tenancy.context import RequestInfo, Services, TenantContext
from tenancy.feed import Stream
from tenancy.outbox import announce
from tenancy.sessions import Notice, OwnerDatabase, Tenant
from tenancy.shapes import model_of
from tenancy.signals import OWNER_MEMBER
from tests.isolation.arguments import values_for
from tests.isolation.test_operations import FIELDS, answers
from tests.isolation.world import MARK, Party, contents, make_party

OF_TENANTS: Final = {
    "submit_payment": {"payment_id": "payment"},
    "poll_payment": {"payment_id": "payment"},
    "ask_payment": {"payment_id": "payment"},
    "confirm_payment": {"payment_id": "payment", "step_id": "payment"},
    "capture_payment": {"payment_id": "payment"},
    "cancel_payment": {"payment_id": "payment"},
    "sweep_payments": {},
    "sweep_account": {"provider_account_id": "own_provider_account"},
    "process_inbox": {"inbox_id": "payment"},
    "verify_channel": {"channel_id": "channel"},
    "register_channel_urls": {"channel_id": "channel"},
    "check_balance": {"channel_id": "channel"},
    "ask_receipt": {"payment_id": "payment", "inbox_id": "payment"},
    "chase_request": {"request_id": "payment"},
    "pull_channel": {"channel_id": "channel"},
    "test_provider_account": {"provider_account_id": "own_provider_account"},
    "forget_previous_secrets": {"provider_account_id": "own_provider_account"},
    "verify_ledger": {"verification_id": "ledger_verification"},
    "expire_hold": {"hold_id": "hold"},
    "expire_order": {"order_id": "order"},
    "copy_alert": {"alert_id": "alert"},
    "submit_refund": {"refund_id": "refund"},
    "ask_refund": {"refund_id": "refund"},
    "make_export": {"export_id": "export"},
    "deliver_webhooks": {"endpoint_id": "webhook_endpoint"},
    "forget_webhooks": {},
    "mail_webhook_disabled": {"endpoint_id": "webhook_endpoint"},
    "expire_export": {"export_id": "export"},
    "reconcile_scope": {"reconciliation_id": "reconciliation"},
    "import_statement": {"import_id": "statement_import"},
}
OF_THE_PLATFORM: Final = {
    "forward_inbox": {"inbox_id": "invitation"},
    "provision_tenant": {"tenant_id": "tenant"},
    "send_link": {"mail_token_id": "user"},
    "send_invitation": {"invitation_id": "invitation"},
}
JOBS: Final = OF_TENANTS | OF_THE_PLATFORM
"""Every kind of job: what its payload names, as one of the victim's things."""

TOPICS: Final = {
    "payment:": "payment",
    "payments": None,
    "order:": "order",
    "channel:": "channel",
    "export:": "export",
    "tenant": None,
    "ledger": None,
    "alerts": None,
    "reviews": None,
    "refund:": "refund",
    "refunds": None,
    "dispute:": "dispute",
    "disputes": None,
}
"""Every topic of a feed: whose id follows it. `resync` never leaves its process."""
ROOMS: Final = (
    "core",
    "tenancy",
    "owner_db",
    "tenant_db",
    "integrations",
    "resolvers",
    "schema",
    "jobs",
    "server",
)
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
async def attacker(services: Services, tenant: Tenant) -> Party:
    return await make_party(services, tenant, "Otieno")


@pytest.fixture
async def victim(services: Services, second_tenant: Tenant) -> Party:
    return await make_party(services, second_tenant, MARK)


@asynccontextmanager
async def every_handler(services: Services) -> AsyncIterator[Sequence[Handler]]:
    """The handlers of a worker."""
    nothing = cast("Any", None)
    here = Process(Settings(), services, nothing, Servers(), nothing, nothing, nothing, nothing)
    async with open_client() as http:
        yield handlers(here, Outside(http, ProcessTokens(services.clock), services.clock))


def raw(victim: Party, kind: str) -> dict[str, str]:
    return {name: str(parse(victim.ids[what])[1]) for name, what in JOBS[kind].items()}


async def leave(database: Tenant | OwnerDatabase, kind: str, ids: dict[str, str]) -> UUID:
    async with database.transaction() as session:
        return announce(session, kind, queue="platform", after_s=0, **ids)


async def outbox(database: Tenant | OwnerDatabase) -> list[tuple[UUID, str, int]]:
    async with database.reading() as session:
        model = model_of(session, OutboxColumns)
        rows = await session.scalars(select(model).order_by(model.id))
        return [(row.id, row.state, row.attempts) for row in rows]


async def everything(services: Services, *parties: Party) -> list[object]:
    return [await outbox(services.owner), *[await contents(services.owner, party) for party in parties]]


async def test_every_kind_of_job_has_a_case(services: Services) -> None:
    async with every_handler(services) as known:
        assert {handler.kind for handler in known} == set(JOBS)


async def test_rows_of_another_outbox_are_not_run(services: Services, attacker: Party, victim: Party) -> None:
    rows = {
        kind: await leave(victim.tenant if kind in OF_TENANTS else services.owner, kind, raw(victim, kind))
        for kind in JOBS
    }
    before = await everything(services, attacker, victim)

    async with every_handler(services) as known:
        runner = Runner(services, by_kind(known))
        for kind, row_id in rows.items():
            of_another = OWNER_MEMBER if kind in OF_TENANTS else str(victim.tenant.id)
            for member in (str(attacker.tenant.id), of_another):
                await runner.run_outbox({}, member, str(row_id), attacker.tenant.ref.epoch)

    assert await everything(services, attacker, victim) == before


async def test_jobs_that_name_another_business_s_things_find_nothing(
    services: Services, attacker: Party, victim: Party
) -> None:
    rows = [await leave(attacker.tenant, kind, raw(victim, kind)) for kind in OF_TENANTS]
    before = await contents(services.owner, victim)

    async with every_handler(services) as known:
        runner = Runner(services, by_kind(known))
        for row_id in rows:
            await runner.run_outbox({}, str(attacker.tenant.id), str(row_id), attacker.tenant.ref.epoch)

    runs = {row_id: attempts for row_id, _, attempts in await outbox(attacker.tenant)}
    assert [runs[row_id] for row_id in rows] == [1] * len(rows), "what did not run proves nothing"
    assert await contents(services.owner, victim) == before


def published() -> set[str]:
    """The topics of every Notice that the code makes; what follows a colon is an id."""
    found: set[str] = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "Notice"
                ):
                    found |= _topic(node.args[0])
    return found - {"resync"}


def _topic(argument: ast.expr) -> set[str]:
    """Nothing for a topic that is taken from a message: it was published by somebody else."""
    if isinstance(argument, ast.JoinedStr):
        argument = argument.values[0]
    return {str(argument.value)} if isinstance(argument, ast.Constant) else set()


def test_every_topic_has_a_case() -> None:
    assert published() == set(TOPICS)


async def first_of(stream: Stream) -> object:
    return (await anext(stream)).payload["id"]


async def test_notices_reach_subscribers_of_their_own_business_alone(
    services: Services, attacker: Party, victim: Party
) -> None:
    for topic, named in TOPICS.items():
        full = topic if named is None else f"{topic}{parse(victim.ids[named])[1]}"
        async with AsyncExitStack() as stack:
            theirs, own = [
                await stack.enter_async_context(services.feed.subscribe(party.tenant.id, {full}))
                for party in (attacker, victim)
            ]
            for party in (victim, attacker):
                served = await services.tenants.find(party.tenant.id)
                async with served.transaction() as session:
                    session.after.notices.append(Notice(full, {"id": str(party.tenant.id)}))

            # One connection carries both feeds in order: what had crossed would have come first.
            assert await first_of(own) == str(victim.tenant.id)
            assert await first_of(theirs) == str(attacker.tenant.id)


async def test_every_key_in_redis_says_whose_it_is(
    services: Services, attacker: Party, victim: Party, redis_client: redis.asyncio.Redis
) -> None:
    charging = Charging(tiers_of(services.owner))
    for party in (attacker, victim):
        await charging.charge(party.context, 1)
        for root in FIELDS.values():
            await answers(party, root, values_for(root, victim))
        account_id = parse(party.ids["own_provider_account"])[1]
        await services.circuits.record(party.tenant.id, account_id, is_success=False)
    await charging.charge(TenantContext(services, RequestInfo(str(new_id()), "192.0.2.7", "tests")), 1)

    keys = [key.decode() async for key in redis_client.scan_iter()]

    whose = tuple(f"t:{party.tenant.id}:" for party in (attacker, victim))
    assert [key for key in keys if not key.startswith((*whose, "global:"))] == []
    assert all(any(key.startswith(prefix) for key in keys) for prefix in (*whose, "global:"))
