"""A provider from the catalog to the first choice in routing, over the API and with real calls."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any, Final

import httpx
import pytest
import structlog.testing
from sqlalchemy import select

from core.clock import utc_now
from core.ids import Kind, inside
from integrations.account import Outside
from integrations.http import open_client
from integrations.mpesa.tokens import ProcessTokens
from integrations.sandbox import demo
from jobs.provider_accounts import provider_account_handlers
from jobs.providers import Providers
from jobs.run import Runner
from jobs.work import by_kind
from owner_db.catalog.providers import point_provider_at
from owner_db.catalog.seeding import ensure_catalog
from owner_db.tenants.hooks import find_endpoint
from tenancy.context import Services, TenantContext
from tenancy.sessions import Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.outbox.models import TenantOutbox
from tests.factories.callers import ask, caller
from tests.sandbox import RunningSandbox, running_sandbox

ACCOUNT: Final = """
fragment account on ProviderAccount {
  id provider name environment currencies configuration priority isDefault isEnabled isProven lastTestedAt
  lastTestError lastTestSummary testWarnings secretsVersion previousSecretsUntil storedSecrets
  channelId circuit
}
"""
CONFIGURE: Final = (
    """
mutation ($input: ConfigureProviderInput!) { configureProvider(input: $input) {
  __typename
  ... on ConfigureProviderSuccess { webhookUrl providerAccount { ...account } }
  ... on ConfigurationInvalidError { violations { field message } }
  ... on Error { code message }
} }
"""
    + ACCOUNT
)
READ: Final = "query ($id: ID!) { providerAccount(id: $id) { ...account } }" + ACCOUNT
PUBLICLY: Final = """
query ($id: ID!) { publicProviderConfiguration(id: $id) { provider environment values { name value } } }
"""
KEYS: Final[dict[str, dict[str, str]]] = {
    "stripe": {
        "secret_key": demo.DEMO_STRIPE_SECRET_KEY,
        "publishable_key": demo.DEMO_STRIPE_PUBLISHABLE_KEY,
        "webhook_secret": demo.DEMO_STRIPE_WEBHOOK_SECRET,
    },
    "paystack": {"secret_key": demo.DEMO_PAYSTACK_SECRET_KEY, "public_key": demo.DEMO_PAYSTACK_PUBLIC_KEY},
    "flutterwave": {
        "secret_key": demo.DEMO_FLUTTERWAVE_SECRET_KEY,
        "public_key": demo.DEMO_FLUTTERWAVE_PUBLIC_KEY,
        "webhook_hash": demo.DEMO_FLUTTERWAVE_WEBHOOK_HASH,
    },
}
PUBLIC: Final = {"stripe": "publishable_key", "paystack": "public_key", "flutterwave": "public_key"}


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def runner(services: Services, sandbox: RunningSandbox) -> AsyncIterator[Runner]:
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
        for provider in KEYS:
            await point_provider_at(session, provider, sandbox.url_of(provider))
    async with open_client(httpx.Timeout(10)) as http:
        providers = Providers(services, Outside(http, ProcessTokens(utc_now), utc_now))
        yield Runner(services, by_kind(provider_account_handlers(providers)))


@pytest.fixture
async def boss(services: Services, tenant: Tenant) -> TenantContext:
    return await caller(services, tenant)


async def run_tests(runner: Runner, tenant: Tenant) -> None:
    """Run every test that is asked for."""
    async with tenant.reading() as session:
        rows = await session.scalars(
            select(TenantOutbox).where(
                TenantOutbox.state == "pending", TenantOutbox.kind == "test_provider_account"
            )
        )
        ids = [row.id for row in rows]
    for id_ in ids:
        await runner.run_outbox({}, str(tenant.id), str(id_), tenant.ref.epoch)


async def do(context: TenantContext, field: str, **input: object) -> dict[str, Any]:
    """The member that a mutation of an account gives."""
    name = field[0].upper() + field[1:]
    takes = name if field in {"replaceProviderKeys", "updateProviderAccount"} else "ProviderAccount"
    inner = "webhookUrl" if field == "revealWebhookUrl" else "providerAccount { ...account }"
    document = (
        f"mutation ($input: {takes}Input!) {{ {field}(input: $input) {{ __typename"
        f" ... on {name}Success {{ {inner} }} ... on Error {{ code message }} }} }}"
    )
    used = f"{document}{ACCOUNT}" if "...account" in document else document
    member: dict[str, Any] = (await ask(context, used, input=input))[field]
    return member


def given(provider: str, **changes: object) -> dict[str, object]:
    return {"provider": provider, "environment": "SANDBOX", "configuration": KEYS[provider], **changes}


async def test_each_provider_is_set_up_tested_switched_on_and_chosen(
    services: Services, tenant: Tenant, runner: Runner, boss: TenantContext
) -> None:
    for provider in KEYS:
        made = await set_up(tenant, runner, boss, provider)
        await require_endpoint(services, tenant, boss, made)


async def set_up(tenant: Tenant, runner: Runner, boss: TenantContext, provider: str) -> dict[str, Any]:
    """From nothing to the first choice; no secret is told on the way."""
    with structlog.testing.capture_logs() as logs:
        made: dict[str, Any] = (await ask(boss, CONFIGURE, input=given(provider)))["configureProvider"]
        await run_tests(runner, tenant)
    account = made["providerAccount"]
    assert (account["isEnabled"], account["isProven"]) == (False, False)

    shown = (await ask(boss, READ, id=account["id"]))["providerAccount"]
    assert (shown["isProven"], shown["lastTestError"]) == (True, None), shown
    assert shown["lastTestedAt"]
    assert shown["lastTestSummary"]

    assert (await do(boss, "enableProviderAccount", id=account["id"]))["providerAccount"]["isEnabled"]
    assert (await do(boss, "setDefaultProviderAccount", id=account["id"]))["providerAccount"]["isDefault"]
    told = await ask(
        boss,
        """query { explainRouting(amount: {amountMinor: "500000", currency: KES}) {
             chosen { provider providerAccountId place reason why } considered { reason } }
           providerForCurrency(currency: KES) { id } }""",
    )
    chosen = told["explainRouting"]["chosen"]
    assert (chosen["providerAccountId"], chosen["place"], chosen["reason"]) == (account["id"], 1, "CHOSEN")
    assert told["providerForCurrency"]["id"] == account["id"]

    public = (await ask(boss, PUBLICLY, id=account["id"]))["publicProviderConfiguration"]
    name = PUBLIC[provider]
    assert public["values"] == [{"name": name, "value": KEYS[provider][name]}]
    await require_nothing_tells(tenant, provider, [made, shown, told, public, logs])

    return made


async def require_endpoint(
    services: Services, tenant: Tenant, boss: TenantContext, made: dict[str, Any]
) -> None:
    """The webhook URL leads to the account, and can be shown again."""
    account = made["providerAccount"]
    token = made["webhookUrl"].rpartition("/")[2]
    assert (await do(boss, "revealWebhookUrl", id=account["id"]))["webhookUrl"] == made["webhookUrl"]
    async with services.owner.reading() as session:
        endpoint = await find_endpoint(session, sha256(token.encode()).digest())
    assert endpoint is not None
    assert (endpoint.tenant_id, endpoint.purpose, endpoint.provider) == (
        tenant.id,
        "webhook",
        account["provider"],
    )
    assert endpoint.provider_account_id == inside(Kind.PROVIDER_ACCOUNT, account["id"])


async def require_nothing_tells(tenant: Tenant, provider: str, told: list[Any]) -> None:
    """No secret is in what was answered, logged, audited, announced or kept of the calls."""
    async with tenant.reading() as session:
        audits = [row.details for row in await session.scalars(select(TenantAudit))]
        jobs = [row.payload for row in await session.scalars(select(TenantOutbox))]
    calls = [dict(row) for row in await tenant.rows("SELECT request, response, path FROM provider_calls")]
    assert calls
    public = PUBLIC[provider]
    everything = json.dumps([told, audits, jobs, calls], default=str)
    assert not [name for name, value in KEYS[provider].items() if name != public and value in everything]


async def test_keys_that_the_provider_refuses_are_said_to_be_wrong_and_right_ones_replace_them(
    tenant: Tenant, runner: Runner, boss: TenantContext
) -> None:
    wrong = {**KEYS["stripe"], "secret_key": "sk_test_wrong"}
    made = (await ask(boss, CONFIGURE, input=given("stripe", configuration=wrong)))["configureProvider"]
    id_ = made["providerAccount"]["id"]
    await run_tests(runner, tenant)

    shown = (await ask(boss, READ, id=id_))["providerAccount"]
    assert (shown["isProven"], shown["lastTestSummary"]) == (False, None)
    assert shown["lastTestError"]
    assert "sk_test_wrong" not in json.dumps(shown)
    assert (await do(boss, "enableProviderAccount", id=id_))["code"] == "ACCOUNT_NOT_PROVEN"

    replaced = await do(
        boss, "replaceProviderKeys", id=id_, configuration={"secret_key": KEYS["stripe"]["secret_key"]}
    )
    await run_tests(runner, tenant)

    assert replaced["providerAccount"]["previousSecretsUntil"]
    shown = (await ask(boss, READ, id=id_))["providerAccount"]
    assert (shown["isProven"], shown["secretsVersion"]) == (True, 2)
    assert shown["storedSecrets"] == ["secret_key", "webhook_secret"]


async def test_a_provider_out_of_reach_is_tried_again_and_then_said_to_be(
    services: Services, tenant: Tenant, runner: Runner, boss: TenantContext
) -> None:
    async with services.owner.transaction() as session:
        await point_provider_at(session, "paystack", "http://127.0.0.1:1")
    made = (await ask(boss, CONFIGURE, input=given("paystack")))["configureProvider"]
    for attempt in range(4):
        await run_tests(runner, tenant)
        async with tenant.transaction() as session:
            (row,) = list(await session.scalars(select(TenantOutbox)))
            row.next_attempt_at = utc_now()
        assert (row.state == "done") == (attempt == 3)

    shown = (await ask(boss, READ, id=made["providerAccount"]["id"]))["providerAccount"]
    assert shown["lastTestError"].startswith("The provider could not be reached")
