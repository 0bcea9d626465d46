"""The catalog as platform staff keep it, and what businesses see of it at once."""

from functools import cache
from typing import Any, Final

import pytest
from graphql import OperationType
from sqlalchemy import select

from core.ids import new_id
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.seeding import ensure_catalog
from schema.exchange import Request
from schema.operations import Operations, Serving
from schema.owner import owner_schema
from tenancy.context import OwnerContext, Principal, Services
from tenancy.roles import PLATFORM_SCOPES, PlatformRole
from tenancy.sessions import Tenant
from tests.factories.callers import REQUEST, Free, caller
from tests.factories.callers import ask as ask_tenant

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["api_key"],
    "properties": {"api_key": {"type": "string", "writeOnly": True, "minLength": 1}},
}
NEW: Final[dict[str, Any]] = {
    "code": "pesapal",
    "name": "Pesapal",
    "integrationType": "PLUGIN",
    "apiBaseUrl": "https://pay.pesapal.example/v3/",
    "sandboxApiBaseUrl": "https://sandbox.pesapal.example/v3",
    "methods": ["card", "mobile_money"],
    "features": ["collect", "query"],
    "configSchema": SCHEMA,
    "documentationUrl": "https://docs.pesapal.example",
    "currencies": [{"currency": "KES", "minMinor": "100", "feeBps": 290, "isRecommended": True}],
    "reason": "asked for by shops",
}
FIELDS: Final = """
  code name status integrationType recommendation settings logoUrl documentationUrl apiBaseUrl
  sandboxApiBaseUrl methods features configSchema
  currencies { currency minMinor maxMinor stepMinor feeBps feeFixedMinor isRecommended }
"""
OFFERED: Final = "{ paymentProviders { code name status currencies { currency feeBps least { amount } } } }"
AVAILABLE: Final = """
query ($currency: CurrencyCode) {
  availableProviders(currency: $currency) { isConfigured isEnabled provider { code status needsChannel } }
}
"""


async def _free(_context: OwnerContext, _cost: int) -> Free:
    return Free()


@cache
def operations() -> Operations[OwnerContext]:
    return Operations(owner_schema(), Serving(charge=_free))


@pytest.fixture
async def admin(services: Services) -> OwnerContext:
    async with services.owner.transaction() as session:
        await ensure_catalog(session)
    return staff(services, PlatformRole.ADMIN)


def staff(services: Services, role: PlatformRole) -> OwnerContext:
    principal = Principal("staff", new_id(), None, PLATFORM_SCOPES[role], role.value, None)
    return OwnerContext(services, REQUEST, principal)


async def ask(context: OwnerContext, document: str, **variables: object) -> dict[str, Any]:
    outcome = await operations().run(
        Request(document, variables=variables), context, frozenset(OperationType)
    )
    assert not outcome.errors, outcome.errors
    data: dict[str, Any] = outcome.body["data"]
    return data


async def do(context: OwnerContext, field: str, **input: object) -> dict[str, Any]:
    name = field[0].upper() + field[1:]
    document = (
        f"mutation ($input: {name}Input!) {{ {field}(input: $input) {{ __typename"
        f" ... on {name}Success {{ provider {{ {FIELDS} }} }}"
        " ... on Error { code message } ... on InvalidInputError { field } } }"
    )
    member: dict[str, Any] = (await ask(context, document, input=input))[field]
    return member


async def offered(services: Services, tenant: Tenant) -> dict[str, dict[str, Any]]:
    shown = (await ask_tenant(await caller(services, tenant), OFFERED))["paymentProviders"]
    return {provider["code"]: provider for provider in shown}


async def available(services: Services, tenant: Tenant, currency: str | None = None) -> set[str]:
    told = await ask_tenant(await caller(services, tenant), AVAILABLE, currency=currency)
    return {one["provider"]["code"] for one in told["availableProviders"]}


async def test_a_new_provider_is_seen_by_every_business_at_once(
    services: Services, tenant: Tenant, second_tenant: Tenant, admin: OwnerContext
) -> None:
    made = await do(admin, "createPaymentProvider", **NEW)

    assert made["__typename"] == "CreatePaymentProviderSuccess", made
    assert made["provider"]["apiBaseUrl"] == "https://pay.pesapal.example/v3"
    for business in (tenant, second_tenant):
        shown = (await offered(services, business))["pesapal"]
        assert shown == {
            "code": "pesapal",
            "name": "Pesapal",
            "status": "BETA",
            "currencies": [{"currency": "KES", "feeBps": 290, "least": {"amount": "1.00"}}],
        }
        assert "pesapal" in await available(services, business, "KES")
        assert "pesapal" not in await available(services, business, "NGN")
    async with services.owner.reading() as session:
        (audit,) = await session.scalars(
            select(OwnerAudit).where(OwnerAudit.action == "create_payment_provider")
        )
    assert (audit.reason, audit.actor_kind) == ("asked for by shops", "staff")
    assert audit.details == {"code": "pesapal", "status": "beta", "currencies": ["KES"]}
    assert (await do(admin, "createPaymentProvider", **NEW))["code"] == "PROVIDER_CODE_TAKEN"


async def test_a_status_decides_who_is_offered_what(
    services: Services, tenant: Tenant, admin: OwnerContext
) -> None:
    await do(admin, "createPaymentProvider", **NEW)

    deprecated = await do(admin, "deprecatePaymentProvider", code="pesapal", reason="it closes")
    assert deprecated["provider"]["status"] == "DEPRECATED"
    assert "pesapal" in await offered(services, tenant)
    # Nobody has an account of it, so there is nothing left to do with it.
    assert "pesapal" not in await available(services, tenant)

    await do(admin, "updatePaymentProvider", code="pesapal", status="INACTIVE", reason="it closed")
    assert "pesapal" not in await offered(services, tenant)
    everything = (await ask(admin, "{ paymentProviders { code status } }"))["paymentProviders"]
    assert {"code": "pesapal", "status": "INACTIVE"} in everything

    await do(admin, "updatePaymentProvider", code="pesapal", status="ACTIVE", reason="it is back")
    assert "pesapal" in await available(services, tenant)


async def test_only_what_is_sent_is_changed(services: Services, admin: OwnerContext) -> None:
    before = (await do(admin, "createPaymentProvider", **NEW))["provider"]

    after = (
        await do(
            admin,
            "updatePaymentProvider",
            code="pesapal",
            name="Pesapal 3",
            documentationUrl=None,
            methods=None,
            reason="a new name",
        )
    )["provider"]

    assert after == {**before, "name": "Pesapal 3", "documentationUrl": None}
    async with services.owner.reading() as session:
        (audit,) = await session.scalars(
            select(OwnerAudit).where(OwnerAudit.action == "update_payment_provider")
        )
    assert audit.details == {
        "code": "pesapal",
        "changed": ["documentation_url", "name"],
        "name": "Pesapal 3",
    }


async def test_a_currency_is_set_and_taken_off_for_good(
    services: Services, tenant: Tenant, admin: OwnerContext
) -> None:
    new = {"currency": "UGX", "minMinor": "500", "maxMinor": "5000000", "feeFixedMinor": "10"}
    set_ = await do(admin, "setProviderCurrency", code="stripe", currency=new, reason="asked for")
    assert {**new, "stepMinor": "1", "feeBps": 0, "isRecommended": False} in set_["provider"]["currencies"]

    removed = await do(admin, "removeProviderCurrency", code="stripe", currency="USD", reason="too dear")
    async with services.owner.transaction() as session:
        await ensure_catalog(session)

    # The shipped release that has it does not bring it back.
    assert "USD" not in {one["currency"] for one in removed["provider"]["currencies"]}
    assert "USD" not in {one["currency"] for one in (await offered(services, tenant))["stripe"]["currencies"]}
    again = await do(admin, "removeProviderCurrency", code="stripe", currency="USD", reason="too dear")
    assert again["code"] == "NOT_FOUND"
    back = {"currency": "USD", "minMinor": "50"}
    restored = await do(admin, "setProviderCurrency", code="stripe", currency=back, reason="cheaper now")
    assert "USD" in {one["currency"] for one in restored["provider"]["currencies"]}


REFUSED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"code": "Pesapal"}, "code"),
    ({"name": " "}, "name"),
    ({"apiBaseUrl": "http://pay.example.com"}, "apiBaseUrl"),
    ({"sandboxApiBaseUrl": "https://user@example.com"}, "sandboxApiBaseUrl"),
    ({"methods": ["cheque"]}, "methods"),
    ({"features": ["fly"]}, "features"),
    ({"configSchema": {"type": "array"}}, "configSchema"),
    ({"configSchema": "text"}, "configSchema"),
    ({"settings": [1]}, "settings"),
    ({"settings": {"poll_ladder_s": [3, 2]}}, "settings"),
    ({"logoUrl": "http://example.com/a.svg"}, "logoUrl"),
    ({"recommendation": -1}, "recommendation"),
    ({"reason": " "}, "reason"),
    ({"currencies": [{"currency": "KES", "minMinor": "0"}]}, "minMinor"),
    ({"currencies": [{"currency": "KES", "minMinor": "5", "maxMinor": "4"}]}, "maxMinor"),
    ({"currencies": [{"currency": "KES", "minMinor": "5", "feeBps": 10001}]}, "feeBps"),
]


async def test_what_can_t_stand_in_the_catalog_is_refused(services: Services) -> None:
    admin = staff(services, PlatformRole.ADMIN)
    for changes, field in REFUSED:
        refused = await do(admin, "createPaymentProvider", **{**NEW, **changes})

        assert (refused["__typename"], refused.get("field")) == ("InvalidInputError", field), changes
    async with services.owner.reading() as session:
        assert not list(await session.scalars(select(OwnerAudit)))


PRICED: Final = {"currency": "KES", "minMinor": "1"}
CHANGES: Final[dict[str, dict[str, Any]]] = {
    "createPaymentProvider": NEW,
    "updatePaymentProvider": {"code": "stripe", "name": "Ours", "reason": "a test"},
    "deprecatePaymentProvider": {"code": "stripe", "reason": "a test"},
    "setProviderCurrency": {"code": "stripe", "currency": PRICED, "reason": "a test"},
    "removeProviderCurrency": {"code": "stripe", "currency": "KES", "reason": "a test"},
}


async def test_only_admins_change_the_catalog(services: Services) -> None:
    for field, sent in CHANGES.items():
        for role in (PlatformRole.SUPPORT, PlatformRole.FINANCE):
            assert (await do(staff(services, role), field, **sent))["code"] == "FORBIDDEN"
        if field != "createPaymentProvider":
            unknown = await do(staff(services, PlatformRole.ADMIN), field, **{**sent, "code": "nobody"})
            assert unknown["code"] == "PROVIDER_UNKNOWN"
