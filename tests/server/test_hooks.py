"""Hooks store what providers send, once, whatever is away; and nothing for paths nobody was given."""

import logging
from collections.abc import AsyncIterator
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
import redis.asyncio
from sqlalchemy import func, select

from core.tenant import TenantStatus
from integrations.sandbox import demo
from owner_db.inbox.models import OwnerInbox
from server.hook_endpoints import Endpoints, EndpointUnreachable
from server.hooks import BODY_BYTES_MAX, UNKNOWN_PER_MINUTE_MAX
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.inbox.models import TenantInbox
from tenant_db.payments.models import Payment
from tests.databases import PostgresServer
from tests.factories.journeys import Journey, running_journey
from tests.factories.payments import PHONE, books, read
from tests.factories.telling import CREDITED


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


async def waiting(journey: Journey, tenant: Tenant) -> tuple[Payment, str, str]:
    """A pending payment, the path of its callback, and the path of the channel's confirmations."""
    await journey.open_shop(tenant)
    payment = await journey.pay(tenant, {"kind": "withheld_callback", "c2b": "never"})
    (prompt,) = await journey.prompts(payment)
    (urls,) = (await journey.sandbox.book())["urls"]
    return payment, urlsplit(prompt["callback_url"]).path, urlsplit(urls["confirmation_url"]).path


async def platform_messages(owner: OwnerDatabase) -> list[OwnerInbox]:
    async with owner.reading() as session:
        return list(await session.scalars(select(OwnerInbox)))


async def test_a_stored_callback_is_answered_as_the_provider_expects(
    journey: Journey, tenant: Tenant
) -> None:
    _, path, _ = await waiting(journey, tenant)

    answer = await journey.post(path, b'{"Body": {}}')

    assert (answer.status_code, answer.json()) == (200, {"ResultCode": 0, "ResultDesc": "Accepted"})
    (message,) = await journey.messages(tenant)
    assert (message.state, message.kind, message.body) == ("received", "stk_result", b'{"Body": {}}')
    assert message.headers["content-type"] == "application/json"


async def test_the_same_message_is_stored_once_and_another_one_beside_it(
    journey: Journey, tenant: Tenant
) -> None:
    _, path, _ = await waiting(journey, tenant)

    for body in (b"one", b"one", b"two"):
        assert (await journey.post(path, body)).status_code == 200

    assert [message.body for message in await journey.messages(tenant)] == [b"one", b"two"]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00no json", b"[1, 2]", b'{"Body": 7}', b"<html>", b"{" * 9_000]
)
async def test_what_can_not_be_read_is_kept_as_it_came(journey: Journey, tenant: Tenant, body: bytes) -> None:
    payment, path, confirmation = await waiting(journey, tenant)

    answers = [(await journey.post(place, body)).status_code for place in (path, confirmation)]
    await journey.run(tenant)

    assert answers == [200, 200]
    messages = await journey.messages(tenant)
    assert [(message.state, message.body) for message in messages] == [("quarantined", body)] * 2
    assert (await read(tenant, payment.id)).status == "pending"


async def test_a_confirmation_is_answered_with_success_whoever_paid(journey: Journey, tenant: Tenant) -> None:
    await waiting(journey, tenant)

    told = await journey.sandbox.pay_by_hand(demo.DEMO_PAYBILL, "100.00", PHONE.digits, "NOBODY")

    assert told["told"] == ["confirmation: 200"]


async def test_a_path_nobody_was_given_is_not_found_and_stores_nothing(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase
) -> None:
    _, path, _ = await waiting(journey, tenant)
    item = path.rpartition("/")[2]

    for guess in ("/hooks/" + "0" * 32, f"/hooks/{item}/{item}", "/hooks/" + "a" * 400, "/hooks/é/b"):
        assert (await journey.post(guess, b"{}")).status_code == 404

    assert await journey.messages(tenant) == []
    assert await platform_messages(owner) == []


async def test_an_item_nobody_was_given_settles_nothing(journey: Journey, tenant: Tenant) -> None:
    payment, path, _ = await waiting(journey, tenant)
    await journey.sandbox.control("mpesa/release", reference="nobody")
    (prompt,) = await journey.prompts(payment)
    told = {
        "MerchantRequestID": "1",
        "CheckoutRequestID": prompt["id"],
        "ResultCode": 1032,
        "ResultDesc": "Request cancelled by user",
    }
    body = orjson.dumps({"Body": {"stkCallback": told}})

    await journey.post(f"{path.rpartition('/')[0]}/{'0' * 32}", body)
    await journey.post(path.rpartition("/")[0], body)
    await journey.run(tenant)

    assert [message.state for message in await journey.messages(tenant)] == ["quarantined"] * 2
    assert (await read(tenant, payment.id)).status == "pending"


async def test_who_guesses_paths_is_slowed_down(journey: Journey) -> None:
    codes = [
        (await journey.post(f"/hooks/{number:032x}", b"{}")).status_code
        for number in range(UNKNOWN_PER_MINUTE_MAX + 1)
    ]

    assert codes == [404] * UNKNOWN_PER_MINUTE_MAX + [429]


async def test_a_body_larger_than_any_message_is_refused(journey: Journey, tenant: Tenant) -> None:
    _, path, _ = await waiting(journey, tenant)

    fits = await journey.post(path, b"x" * BODY_BYTES_MAX)
    too_large = await journey.post(path, b"x" * (BODY_BYTES_MAX + 1))

    assert (fits.status_code, too_large.status_code) == (200, 413)
    assert len(await journey.messages(tenant)) == 1


@pytest.mark.parametrize("status", [TenantStatus.MOVING, TenantStatus.SUSPENDED, TenantStatus.CLOSING])
async def test_money_told_of_while_the_tenant_is_away_arrives_later(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase, status: TenantStatus
) -> None:
    payment, _, _ = await waiting(journey, tenant)
    journey.registry.set_status(tenant.id, status)

    told = (await journey.sandbox.release(reference=payment.reference))["told"]
    assert list(told.values()) == [["callback 0: 200"]]
    if status is TenantStatus.MOVING:
        (message,) = await platform_messages(owner)
        assert message.tenant_id == tenant.id
        await journey.run_platform()
        assert (await read(tenant, payment.id)).status == "pending"

    journey.registry.set_status(tenant.id, TenantStatus.ACTIVE)
    await journey.run_platform()
    await journey.run(tenant)

    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, journey.shops[tenant.id]) == CREDITED
    for message in await platform_messages(owner):
        assert (message.state, message.body) == ("processed", b"")


async def test_money_told_of_while_the_tenants_database_is_down_arrives_later(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase, postgres: PostgresServer
) -> None:
    payment, _, _ = await waiting(journey, tenant)
    administrator = await postgres.connect_as_superuser()
    await administrator.execute(f'ALTER DATABASE "{tenant.ref.database}" ALLOW_CONNECTIONS false')
    await administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", tenant.ref.database
    )

    told = (await journey.sandbox.release(reference=payment.reference))["told"]

    assert list(told.values()) == [["callback 0: 200"]]
    assert len(await platform_messages(owner)) == 1
    await administrator.execute(f'ALTER DATABASE "{tenant.ref.database}" ALLOW_CONNECTIONS true')
    await administrator.close()
    await journey.run_platform()
    await journey.run(tenant)
    assert (await read(tenant, payment.id)).status == "succeeded"


async def test_a_message_stored_twice_over_is_processed_once(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase
) -> None:
    payment, path, _ = await waiting(journey, tenant)
    await journey.sandbox.release(reference=payment.reference)
    (stored,) = await journey.messages(tenant)
    journey.registry.set_status(tenant.id, TenantStatus.MOVING)

    await journey.post(path, stored.body)
    journey.registry.set_status(tenant.id, TenantStatus.ACTIVE)
    await journey.run_platform()
    await journey.run(tenant)

    assert len(await platform_messages(owner)) == 1
    async with tenant.reading() as session:
        assert await session.scalar(select(func.count()).select_from(TenantInbox)) == 1


async def test_a_deleted_tenants_messages_are_dropped(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase
) -> None:
    _, path, _ = await waiting(journey, tenant)
    journey.registry.set_status(tenant.id, TenantStatus.DELETED)

    assert (await journey.post(path, b"{}")).status_code == 404
    assert await platform_messages(owner) == []


async def test_only_the_providers_networks_are_let_in(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> None:
    networks = [ip_network("196.201.214.0/24")]
    async with running_journey(owner, [tenant], redis_client, tmp_path, networks=networks) as journey:
        _, path, _ = await waiting(journey, tenant)

        assert (await journey.post(path, b"{}")).status_code == 404
        assert await journey.messages(tenant) == []


async def test_an_endpoint_known_before_still_counts_while_the_owner_database_is_away(
    journey: Journey, tenant: Tenant, owner: OwnerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(journey, tenant)
    endpoints = Endpoints(owner)
    (urls,) = (await journey.sandbox.book())["urls"]
    known = sha256(urls["confirmation_url"].rpartition("/")[2].encode()).digest()
    found = await endpoints.find(known)
    assert found is not None

    monkeypatch.setattr("server.hook_endpoints.FRESH_S", -1.0)
    await endpoints.find(known)
    monkeypatch.setattr(owner, "reading", _away)

    assert await endpoints.find(known) == found
    with pytest.raises(EndpointUnreachable):
        await endpoints.find(b"unknown")


def _away() -> None:
    raise OSError("no route to the owner database")


async def test_hook_paths_reach_no_log(
    journey: Journey, tenant: Tenant, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        _, path, _ = await waiting(journey, tenant)
        await journey.post(path, b"unreadable")
        await journey.run(tenant)

    # The test's own client may log what it calls.
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    written = " ".join(lines) + capsys.readouterr().out
    assert path.rpartition("/")[2] not in written
    assert path.split("/")[2] not in written
