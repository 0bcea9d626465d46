"""Webhooks of provider accounts: only what proves where it comes from is kept, and each once."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256, sha512
from pathlib import Path

import httpx
import orjson
import pytest
import redis.asyncio

from owner_db.catalog.providers import known_provider
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.credentials.replacing import replace_keys
from tests.factories.collecting import Stand, open_stand
from tests.factories.journeys import Journey, running_journey

REFUSED = {"stripe": 400, "paystack": 401, "flutterwave": 401}
KEYS_OF_PAYERS = {"stripe": "client_secret", "paystack": "authorization_code", "flutterwave": "token"}
HEADERS = {"stripe": "stripe-signature", "paystack": "x-paystack-signature", "flutterwave": "verif-hash"}


@pytest.fixture
async def journey(
    owner: OwnerDatabase, tenant: Tenant, redis_client: redis.asyncio.Redis, tmp_path: Path
) -> AsyncIterator[Journey]:
    async with running_journey(owner, [tenant], redis_client, tmp_path) as running:
        yield running


def signed(stand: Stand, body: bytes, secret: str = "") -> dict[str, str]:
    """The header that the provider would send with these bytes."""
    name, secret = HEADERS[stand.provider], secret or stand.hook_secret
    if stand.provider == "stripe":
        at = int(time.time())
        mac = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
        return {name: f"t={at},v1={mac}"}
    if stand.provider == "paystack":
        return {name: hmac.new(stand.key.encode(), body, sha512).hexdigest()}
    return {name: secret}


def message(stand: Stand, number: int = 1) -> bytes:
    held = {KEYS_OF_PAYERS[stand.provider]: "let-me-in"}
    if stand.provider == "stripe":
        return orjson.dumps({"id": f"evt_{number}", "object": "event", "type": "unheard.of", "data": held})
    data = {"id": number, "status": "x", "reference": "x", "amount": 15.00, "card": held}
    return orjson.dumps({"event": "unheard.of", "data": data})


async def post(journey: Journey, stand: Stand, body: bytes, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(base_url=journey.url, trust_env=False) as http:
        return (await http.post(stand.path, content=body, headers=headers)).status_code


@pytest.mark.parametrize("provider", list(REFUSED))
async def test_what_proves_itself_is_kept_once_and_nothing_else_is(
    journey: Journey, tenant: Tenant, provider: str
) -> None:
    stand = await open_stand(journey, tenant, provider)
    body, name = message(stand), HEADERS[provider]
    good = signed(stand, body)

    refused = [
        await post(journey, stand, body, {}),
        await post(journey, stand, body, {name: "0" * 64}),
        await post(journey, stand, body, {name: ""}),
        await post(journey, stand, body, {name: "x" * 5_000}),
    ]
    if provider != "flutterwave":
        # Flutterwave's hash does not depend on the body.
        refused.append(await post(journey, stand, body + b" ", good))
    assert set(refused) == {REFUSED[provider]}
    assert await journey.messages(tenant) == []

    accepted = await asyncio.gather(*(post(journey, stand, body, good) for _ in range(5)))
    assert accepted == [200] * 5
    (kept,) = await journey.messages(tenant)
    without = body.replace(f'"{KEYS_OF_PAYERS[provider]}":"let-me-in"'.encode(), b"")
    assert (kept.kind, kept.source, kept.body) == ("webhook", f"{provider}:{stand.account_id}", without)
    assert name not in kept.headers


async def test_one_accounts_secret_opens_no_other_accounts_hook(journey: Journey, tenant: Tenant) -> None:
    first, second = await open_stand(journey, tenant, "stripe"), await open_stand(journey, tenant, "stripe")
    body = message(first)

    assert await post(journey, second, body, signed(first, body)) == 400


async def test_replaced_secrets_prove_for_a_while_beside_the_new_ones(
    journey: Journey, tenant: Tenant
) -> None:
    stand = await open_stand(journey, tenant, "stripe")
    assert await post(journey, stand, message(stand), signed(stand, message(stand))) == 200

    async with journey.services.owner.reading() as owner_session:
        schema = (await known_provider(owner_session, "stripe")).config_schema
    async with tenant.transaction() as session:
        new = {"webhook_secret": "whsec_new"}
        await replace_keys(
            session, journey.services.keyring, stand.account_id, schema, new, now=journey.clock()
        )
    journey.clock.ahead += timedelta(seconds=10)

    for number, secret in enumerate([stand.hook_secret, "whsec_new"], start=2):
        body = message(stand, number)
        assert await post(journey, stand, body, signed(stand, body, secret)) == 200
