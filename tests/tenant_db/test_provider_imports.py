"""An old configuration document, taken over and undone."""

from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.channels.machine import Environment
from tenant_db.credentials import importing, switching, testing
from tenant_db.credentials.configuring import NewConfiguration, ProviderFacts, configure_provider
from tenant_db.credentials.errors import ImportNotReversible
from tenant_db.credentials.importing import EntryOutcome, EntryResult
from tenant_db.credentials.models import ProviderAccount, ProviderImport, SealedSecret
from tenant_db.credentials.old_documents import read_document
from tenant_db.payments.models import Payment
from tests.factories.payments import initiate, make_shop
from tests.factories.provider_accounts import KEYS, LIVE_KEYS, STRIPE, make_provider_account, prove

PAYSTACK: Final = ProviderFacts("paystack", "Paystack", STRIPE.config_schema, STRIPE.currencies)
MPESA: Final = ProviderFacts("mpesa", "M-Pesa", STRIPE.config_schema, STRIPE.currencies, needs_channel=True)
PROVIDERS: Final = {facts.code: facts for facts in (STRIPE, PAYSTACK, MPESA)}
DOCUMENT: Final[dict[str, Any]] = {
    "paymentProviders": {
        "stripe": {
            "displayName": "Cards",
            "environment": "live",
            "currencies": ["USD", "EUR"],
            "priority": 3,
            "isActive": True,
            "isDefault": True,
            "keys": {"secretKey": LIVE_KEYS["secret_key"], "publishableKey": LIVE_KEYS["publishable_key"]},
        },
        "paystack": {"mode": "test", "config": {"secret_key": "sk_live_wrong"}},
        "mpesa": {"environment": "live", "keys": {}},
        "pesapal": {"environment": "live", "keys": {}},
        "swypt": "on",
    }
}
OUTCOMES: Final = {
    "stripe": EntryOutcome.CREATED,
    "paystack": EntryOutcome.REFUSED,
    "mpesa": EntryOutcome.REFUSED,
    "pesapal": EntryOutcome.REFUSED,
    "swypt": EntryOutcome.REFUSED,
}


async def take_over(tenant: Tenant, keyring: Keyring, document: object = DOCUMENT) -> ProviderImport:
    async with tenant.transaction() as session:

        async def configure(facts: ProviderFacts, new: NewConfiguration) -> ProviderAccount:
            return await configure_provider(session, keyring, facts, new, new_id().hex)

        return await importing.import_entries(session, read_document(document), PROVIDERS, configure)


async def undo(tenant: Tenant, id: UUID) -> list[EntryResult]:
    async with tenant.transaction() as session:
        return importing.results_of(await importing.roll_back(session, id, utc_now()))


def outcomes(results: list[EntryResult]) -> dict[str, EntryOutcome]:
    return {result.key: result.outcome for result in results}


async def accounts(tenant: Tenant) -> list[ProviderAccount]:
    async with tenant.reading() as session:
        return list(await session.scalars(select(ProviderAccount)))


async def test_a_dry_run_says_what_the_import_does_and_writes_nothing(
    tenant: Tenant, keyring: Keyring
) -> None:
    async with tenant.reading() as session:
        tried = await importing.try_entries(session, read_document(DOCUMENT), PROVIDERS)
    assert outcomes(tried) == OUTCOMES
    assert await accounts(tenant) == []

    row = await take_over(tenant, keyring)

    done = importing.results_of(row)
    assert outcomes(done) == OUTCOMES
    assert [result.violations for result in done] == [result.violations for result in tried]
    (made,) = await accounts(tenant)
    assert (made.name, made.environment, made.currencies) == ("Cards", "production", ["EUR", "USD"])
    assert (made.priority, made.is_enabled, made.import_id) == (3, False, row.id)
    assert "sk_live" not in str(row.entries)


async def test_importing_twice_changes_nothing(tenant: Tenant, keyring: Keyring) -> None:
    await take_over(tenant, keyring)

    again = importing.results_of(await take_over(tenant, keyring))

    assert outcomes(again)["stripe"] is EntryOutcome.EXISTS
    assert len(await accounts(tenant)) == 1


async def test_a_proven_active_entry_is_switched_on_and_the_first_default(
    tenant: Tenant, keyring: Keyring
) -> None:
    row = await take_over(tenant, keyring)
    (made,) = await accounts(tenant)
    assert importing.results_of(row)[0].is_default
    async with tenant.transaction() as session:
        await testing.enable_proven(session, made.id, as_default=True)
    assert not (await accounts(tenant))[0].is_enabled

    await prove(tenant, made.id)
    async with tenant.transaction() as session:
        await testing.enable_proven(session, made.id, as_default=True)

    (made,) = await accounts(tenant)
    assert (made.is_enabled, made.is_default) == (True, True)
    # What the import's own test switched on is undone with it.
    assert outcomes(await undo(tenant, row.id))["stripe"] is EntryOutcome.REMOVED


async def test_a_rollback_removes_what_the_import_made_and_no_more(tenant: Tenant, keyring: Keyring) -> None:
    mine = await make_provider_account(tenant, keyring, values=KEYS)
    row = await take_over(tenant, keyring)

    results = await undo(tenant, row.id)

    assert outcomes(results) == {**OUTCOMES, "stripe": EntryOutcome.REMOVED}
    assert [one.id for one in await accounts(tenant)] == [mine.id]
    async with tenant.reading() as session:
        owners = set(await session.scalars(select(SealedSecret.provider_account_id)))
    assert owners == {mine.id}
    async with tenant.transaction() as session:
        with pytest.raises(ImportNotReversible):
            await importing.roll_back(session, row.id, utc_now())


async def test_what_was_changed_or_used_since_stays(tenant: Tenant, keyring: Keyring) -> None:
    changed = await take_over(tenant, keyring)
    (account,) = await accounts(tenant)
    async with tenant.transaction() as session:
        await switching.change_account(
            session, account.id, name="Ours", priority=None, currencies=None, offered=STRIPE.currencies
        )
    used = await take_over(tenant, keyring)
    paid_on = importing.results_of(used)[0].account_id
    payment = await initiate(tenant, await make_shop(tenant))
    async with tenant.transaction() as session:
        (await session.get_one(Payment, payment.id)).provider_account_id = paid_on or new_id()

    assert outcomes(await undo(tenant, changed.id))["stripe"] is EntryOutcome.KEPT_CHANGED
    assert outcomes(await undo(tenant, used.id))["stripe"] is EntryOutcome.KEPT_USED
    assert {account.id, paid_on} <= {one.id for one in await accounts(tenant)}


async def test_an_unknown_import_is_not_found(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        await undo(tenant, new_id())


@pytest.mark.parametrize("document", [None, [], {}, "stripe", {str(number): {} for number in range(51)}])
def test_what_is_no_document_is_refused_whole(document: object) -> None:
    with pytest.raises(InvalidInput):
        read_document(document)


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        ({"environment": "live", "keys": {}, "odd": 1}, ["odd"]),
        ({"keys": {}}, ["environment"]),
        ({"environment": "live", "currencies": ["KSH"]}, ["currencies"]),
        ({"environment": "live", "priority": True, "isActive": "yes"}, ["priority", "is_active"]),
        ({"environment": "live", "keys": "sk_live_1"}, ["keys"]),
    ],
)
def test_an_entry_that_can_t_be_read_says_why(entry: dict[str, object], fields: list[str]) -> None:
    (read,) = read_document({"stripe": entry})

    assert [violation.field for violation in read.violations] == fields


def test_names_are_read_in_either_case() -> None:
    (camel,) = read_document({"stripe": {"environment": "test", "keys": {"secretKey": "a", "apiKey2": "b"}}})
    (snake,) = read_document(
        {"stripe": {"mode": "sandbox", "credentials": {"secret_key": "a", "api_key2": "b"}}}
    )

    assert camel.values == snake.values
    assert (camel.environment, camel.currencies) == (Environment.SANDBOX, None)
    assert Currency.KES not in (camel.currencies or ())


json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=12), json, max_size=4))
def test_any_document_is_read_or_refused(document: dict[str, object]) -> None:
    try:
        entries = read_document(document)
    except InvalidInput:
        return
    assert all(entry.violations or isinstance(entry.priority, int) for entry in entries)
