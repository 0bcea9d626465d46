"""Provider accounts over the tenant schema: who may, what is refused, and what never crosses."""

from typing import Any, Final

import pytest
from sqlalchemy import select

from core.ids import Kind, new_id, outside
from owner_db.catalog.changing import change_provider, deprecate_provider
from owner_db.catalog.seeding import ensure_catalog
from owner_db.tenants.models import HookEndpoint
from tenancy.circuits import FAILURES_MAX
from tenancy.context import Services, TenantContext
from tenancy.roles import Role, Scope
from tenancy.sessions import Tenant
from tests.factories.callers import ask, caller, refusal_of, run
from tests.factories.provider_accounts import make_enabled_account
from tests.factories.stores import make_store

KEYS: Final = {"secret_key": "sk_test_abcdefgh", "publishable_key": "pk_test_abcdefgh"}
CONFIGURE: Final = """
mutation ($input: ConfigureProviderInput!) { configureProvider(input: $input) {
  __typename
  ... on ConfigureProviderSuccess { webhookUrl providerAccount { id name currencies storedSecrets circuit } }
  ... on ConfigurationInvalidError { violations { field message } }
  ... on Error { code message }
} }
"""
IMPORT: Final = """
mutation ($document: JSON!, $dryRun: Boolean!) {
  importPaymentProviders(input: {document: $document, dryRun: $dryRun}) {
    __typename
    ... on ImportPaymentProvidersSuccess { providerImport { id entries {
      key outcome providerAccountId isActive isDefault violations { field message }
    } } }
    ... on Error { code }
  }
}
"""
ROLLBACK: Final = """
mutation ($id: ID!) { rollbackPaymentProviderImport(input: {importId: $id}) {
  __typename
  ... on RollbackPaymentProviderImportSuccess { providerImport { entries { key outcome } } }
  ... on Error { code }
} }
"""
DOCUMENT: Final = {
    "stripe": {
        "displayName": "Old cards",
        "environment": "test",
        "isActive": True,
        "isDefault": True,
        "keys": {"secretKey": "sk_test_abcdefgh", "publishableKey": "pk_test_abcdefgh"},
    },
    "paystack": {"environment": "live", "keys": {"secretKey": "sk_test_abcdefgh"}},
}
STEPS: Final = (
    "testProviderAccount",
    "enableProviderAccount",
    "disableProviderAccount",
    "setDefaultProviderAccount",
    "revealWebhookUrl",
)
STEP: Final = "mutation ($id: ID!) { %s(input: {id: $id}) { __typename ... on Error { code } } }"


@pytest.fixture
async def boss(services: Services, tenant: Tenant) -> TenantContext:
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
    return await caller(services, tenant)


async def configure(context: TenantContext, **changes: object) -> dict[str, Any]:
    given = {"provider": "stripe", "environment": "SANDBOX", "configuration": KEYS, **changes}
    member: dict[str, Any] = (await ask(context, CONFIGURE, input=given))["configureProvider"]
    return member


async def endpoints(services: Services) -> list[HookEndpoint]:
    async with services.owner.reading() as session:
        return list(await session.scalars(select(HookEndpoint)))


async def test_each_value_that_does_not_fit_is_a_typed_error(services: Services, boss: TenantContext) -> None:
    live = {"secret_key": "sk_live_abcdefgh", "publishable_key": "", "odd": "sk_live_other"}
    refused = await configure(boss, configuration=live)

    assert refused["code"] == "CONFIGURATION_INVALID"
    assert [one["field"] for one in refused["violations"]] == ["odd", "publishable_key", "secret_key"]
    assert "sk_live" not in str(refused)
    for changes, code in (
        ({"configuration": "text"}, "INVALID_INPUT"),
        ({"provider": "nobody"}, "PROVIDER_UNKNOWN"),
        ({"provider": "mpesa"}, "INVALID_INPUT"),
        ({"currencies": ["TZS"]}, "INVALID_INPUT"),
    ):
        assert (await configure(boss, **changes))["code"] == code
    # Nothing that was refused left a door open.
    assert await endpoints(services) == []
    assert (await configure(boss))["__typename"] == "ConfigureProviderSuccess"
    assert (await configure(boss))["code"] == "ACCOUNT_NAME_TAKEN"
    assert len(await endpoints(services)) == 1


async def test_what_is_deprecated_or_inactive_takes_no_new_accounts(
    services: Services, boss: TenantContext
) -> None:
    async with services.owner.transaction() as session:
        await deprecate_provider(session, "stripe")
        await change_provider(session, "paystack", {"status": "inactive"})

    assert (await configure(boss))["code"] == "PROVIDER_NOT_OFFERED"
    assert (await configure(boss, provider="paystack"))["code"] == "PROVIDER_UNKNOWN"


async def test_another_business_s_account_is_not_there(
    services: Services, second_tenant: Tenant, boss: TenantContext
) -> None:
    theirs = await make_enabled_account(second_tenant, services.keyring)
    id_ = outside(Kind.PROVIDER_ACCOUNT, theirs.id)
    mine = outside(Kind.PROVIDER_ACCOUNT, new_id())

    for stolen in (id_, mine):
        for step in STEPS:
            assert (await ask(boss, STEP % step, id=stolen))[step]["code"] == "NOT_FOUND"
        public = "query ($id: ID!) { publicProviderConfiguration(id: $id) { provider } }"
        assert await refusal_of(boss, public, id=stolen) == "NOT_FOUND"
        assert (await ask(boss, "query ($id: ID!) { providerAccount(id: $id) { id } }", id=stolen)) == {
            "providerAccount": None
        }
    store = outside(Kind.STORE, (await make_store(second_tenant)).id)
    routing = """query ($store: ID) { explainRouting(
      amount: {amountMinor: "100", currency: KES}, storeId: $store) { considered { name } } }"""
    assert await refusal_of(boss, routing, store=store) == "NOT_FOUND"
    assert (await ask(boss, routing, store=None))["explainRouting"]["considered"] == []


@pytest.mark.usefixtures("boss")
async def test_what_a_role_may_do_with_accounts(services: Services, tenant: Tenant) -> None:
    account = outside(Kind.PROVIDER_ACCOUNT, (await make_enabled_account(tenant, services.keyring)).id)
    viewer = await caller(services, tenant, Role.VIEWER)
    cashier = await caller(services, tenant, Role.CASHIER)
    blind = await caller(services, tenant, without={Scope.PAYMENTS_READ})

    assert (await configure(viewer))["code"] == "FORBIDDEN"
    for step in STEPS:
        assert (await ask(viewer, STEP % step, id=account))[step]["code"] == "FORBIDDEN"
    assert (await ask(viewer, IMPORT, document=DOCUMENT, dryRun=True))["importPaymentProviders"]["code"] == (
        "FORBIDDEN"
    )
    assert await refusal_of(cashier, "{ providerAccounts { nodes { id } } }") == "FORBIDDEN"
    assert await refusal_of(cashier, "{ availableProviders { isConfigured } }") == "FORBIDDEN"
    # A till needs the publishable key all the same.
    public = "query ($id: ID!) { publicProviderConfiguration(id: $id) { values { name value } } }"
    shown = (await ask(cashier, public, id=account))["publicProviderConfiguration"]["values"]
    assert [one["name"] for one in shown] == ["publishable_key"]
    assert await refusal_of(blind, public, id=account) == "FORBIDDEN"


async def test_the_circuit_of_an_account_is_shown_and_routing_says_so(
    services: Services, tenant: Tenant, boss: TenantContext
) -> None:
    account = await make_enabled_account(tenant, services.keyring)
    other = await make_enabled_account(tenant, services.keyring, name="Other")
    for _ in range(FAILURES_MAX):
        await services.circuits.record(tenant.id, account.id, is_success=False)

    told = await ask(
        boss,
        """{ providerAccounts { nodes { name circuit } }
             explainRouting(amount: {amountMinor: "50000", currency: KES}, method: CARD) {
               chosen { name } considered { name reason } } }""",
    )

    circuits = {one["name"]: one["circuit"] for one in told["providerAccounts"]["nodes"]}
    assert circuits == {"Stripe": "OPEN", other.name: "CLOSED"}
    assert told["explainRouting"]["chosen"] == {"name": "Other"}
    assert {"name": "Stripe", "reason": "CIRCUIT_OPEN"} in told["explainRouting"]["considered"]


async def test_available_providers_say_what_is_configured(
    services: Services, tenant: Tenant, boss: TenantContext
) -> None:
    query = """query ($currency: CurrencyCode) { availableProviders(currency: $currency) {
      isConfigured isEnabled provider { code configSchema } } }"""
    await configure(boss, configuration=KEYS, currencies=["EUR"])

    def flags(told: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
        return {
            one["provider"]["code"]: (one["isConfigured"], one["isEnabled"])
            for one in told["availableProviders"]
        }

    own = flags(await ask(boss, query, currency=None))
    assert own["stripe"] == (True, False)
    assert own["mpesa"] == (False, False)
    # Stripe and Flutterwave alone take euros.
    assert set(flags(await ask(boss, query, currency="EUR"))) == {"stripe", "flutterwave"}
    await make_enabled_account(tenant, services.keyring, name="Second")
    assert flags(await ask(boss, query, currency=None))["stripe"] == (True, True)


async def test_an_old_document_is_tried_imported_and_rolled_back(
    services: Services, boss: TenantContext
) -> None:
    tried = (await ask(boss, IMPORT, document=DOCUMENT, dryRun=True))["importPaymentProviders"]
    assert tried["providerImport"]["id"] is None
    assert await endpoints(services) == []

    done = (await ask(boss, IMPORT, document=DOCUMENT, dryRun=False))["importPaymentProviders"]

    made, refused = done["providerImport"]["entries"]
    assert (made["key"], made["outcome"], made["isActive"], made["isDefault"]) == (
        "stripe",
        "CREATED",
        True,
        True,
    )
    assert (refused["outcome"], [one["field"] for one in refused["violations"]]) == (
        "REFUSED",
        ["secret_key"],
    )
    assert [one["outcome"] for one in tried["providerImport"]["entries"]] == ["CREATED", "REFUSED"]
    assert KEYS["secret_key"] not in str(done)
    (endpoint,) = await endpoints(services)
    assert (
        outside(Kind.PROVIDER_ACCOUNT, endpoint.provider_account_id or new_id()) == made["providerAccountId"]
    )

    id_ = done["providerImport"]["id"]
    undone = (await ask(boss, ROLLBACK, id=id_))["rollbackPaymentProviderImport"]
    assert undone["providerImport"]["entries"] == [
        {"key": "stripe", "outcome": "REMOVED"},
        {"key": "paystack", "outcome": "REFUSED"},
    ]
    assert (await endpoints(services))[0].revoked_at is not None
    assert (await ask(boss, ROLLBACK, id=id_))["rollbackPaymentProviderImport"][
        "code"
    ] == "IMPORT_NOT_REVERSIBLE"


async def test_no_field_of_an_account_is_a_secret(boss: TenantContext) -> None:
    made = (await configure(boss))["providerAccount"]

    for name in ("secretKey", "secrets", "secret_key", "webhookToken", "webhookUrl"):
        outcome = await run(boss, f'{{ providerAccount(id: "{made["id"]}") {{ {name} }} }}')
        assert outcome.is_request_error
    assert made["storedSecrets"] == ["secret_key"]
