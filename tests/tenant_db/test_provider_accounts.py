"""Provider accounts: set up, switched, ranked, and given new keys without a pause."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.clock import utc_now
from core.config_schemas import Violation
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from tenancy.audit import SYSTEM
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenant_db.channels.machine import Environment
from tenant_db.channels.models import Channel
from tenant_db.credentials import configuring, replacing, rules, switching, testing
from tenant_db.credentials.configuring import NewConfiguration
from tenant_db.credentials.errors import (
    AccountDisabled,
    AccountNameTaken,
    AccountNotProven,
    AccountOfChannel,
    ConfigurationInvalid,
    TooManyProviderAccounts,
)
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.credentials.opening import open_secrets
from tests.factories.channels import make_active_channel
from tests.factories.provider_accounts import (
    KEYS,
    LIVE_KEYS,
    SCHEMA,
    STRIPE,
    make_enabled_account,
    make_provider_account,
    prove,
)
from tests.factories.stores import make_store
from tests.racing import race

NEW_KEY = {"secret_key": "sk_test_52newkey"}


async def secrets_of(tenant: Tenant, keyring: Keyring, account: ProviderAccount) -> dict[str, str]:
    async with tenant.transaction() as session:
        opened = await open_secrets(session, keyring, account.id, SYSTEM, "a test")
    return {name: value for name, value in opened.by_name.items() if not name.endswith("token")}


async def read(tenant: Tenant, account: ProviderAccount) -> ProviderAccount:
    async with tenant.reading() as session:
        return await session.get_one(ProviderAccount, account.id)


async def test_secrets_are_sealed_apart_from_what_is_plain(tenant: Tenant, keyring: Keyring) -> None:
    account = await make_provider_account(tenant, keyring)

    assert account.configuration == {"publishable_key": KEYS["publishable_key"]}
    assert (account.name, account.is_enabled, account.is_proven) == ("Stripe", False, False)
    assert account.currencies == ["EUR", "KES", "USD"]
    assert await secrets_of(tenant, keyring, account) == {"secret_key": KEYS["secret_key"]}
    rows = await tenant.rows("SELECT sealed FROM sealed_secrets")
    assert not any("sk_test" in row["sealed"] for row in rows)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"values": {"secret_key": "sk_live_1"}}, ConfigurationInvalid),
        ({"values": {}}, ConfigurationInvalid),
        ({"name": " "}, InvalidInput),
        ({"priority": 0}, InvalidInput),
        ({"currencies": []}, InvalidInput),
        ({"currencies": [Currency.NGN]}, InvalidInput),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_stored(
    tenant: Tenant, keyring: Keyring, changes: dict[str, object], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await make_provider_account(tenant, keyring, STRIPE, **changes)

    assert await tenant.rows("SELECT id FROM provider_accounts") == []
    assert await tenant.rows("SELECT id FROM sealed_secrets") == []


async def test_a_name_serves_once_for_a_provider_and_environment(tenant: Tenant, keyring: Keyring) -> None:
    await make_provider_account(tenant, keyring)
    await make_provider_account(tenant, keyring, name="Cards")
    await make_provider_account(tenant, keyring, environment=Environment.PRODUCTION, values=LIVE_KEYS)

    with pytest.raises(AccountNameTaken):
        await make_provider_account(tenant, keyring)


async def test_two_that_configure_the_same_at_once_make_one(tenant: Tenant, keyring: Keyring) -> None:
    made = await asyncio.gather(
        *[make_provider_account(tenant, keyring) for _ in range(2)], return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in made) == ["AccountNameTaken", "ProviderAccount"]


async def test_there_is_an_end_to_accounts(
    tenant: Tenant, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ACCOUNTS_MAX", 1)
    store = await make_store(tenant)
    # A channel's account counts for nothing here.
    await make_active_channel(tenant, keyring, store.id)
    await make_provider_account(tenant, keyring)

    with pytest.raises(TooManyProviderAccounts):
        await make_provider_account(tenant, keyring, name="Another")


async def test_only_what_is_proven_collects(tenant: Tenant, keyring: Keyring) -> None:
    account = await make_provider_account(tenant, keyring)
    async with tenant.transaction() as session:
        with pytest.raises(AccountNotProven):
            await switching.enable_account(session, account.id)
        with pytest.raises(AccountDisabled):
            await switching.set_default(session, account.id)

    await prove(tenant, account.id)

    async with tenant.transaction() as session:
        assert (await switching.enable_account(session, account.id)).is_enabled
        assert (await switching.set_default(session, account.id)).is_default
    async with tenant.transaction() as session:
        off = await switching.disable_account(session, account.id)
        assert (off.is_enabled, off.is_default) == (False, False)


async def test_a_test_of_replaced_keys_proves_nothing(tenant: Tenant, keyring: Keyring) -> None:
    account = await make_provider_account(tenant, keyring)
    async with tenant.transaction() as session:
        await replacing.replace_keys(session, keyring, account.id, SCHEMA, NEW_KEY, now=utc_now())
    async with tenant.transaction() as session:
        is_current = await testing.record_proven(
            session, account.id, account.secrets_version, summary="", warnings=[], now=utc_now()
        )

    assert not is_current
    assert (await read(tenant, account)).last_tested_at is None


async def test_two_defaults_set_at_once_leave_one(tenant: Tenant, keyring: Keyring) -> None:
    accounts = [await make_enabled_account(tenant, keyring, name=name) for name in ("A", "B", "C")]
    async with tenant.transaction() as session:
        await switching.set_default(session, accounts[0].id)

    async def choose(account: ProviderAccount) -> None:
        async with tenant.transaction() as session:
            await switching.set_default(session, account.id)

    barrier = select(func.pg_advisory_xact_lock(func.hashtextextended("provider_accounts", 0)))
    outcomes = await race(
        tenant,
        barrier,
        [lambda one=one: choose(one) for one in accounts[1:]],  # type: ignore[misc]  # bound now
    )

    assert outcomes == [None, None]
    async with tenant.reading() as session:
        defaults = list(await session.scalars(select(ProviderAccount.id).where(ProviderAccount.is_default)))
    assert len(defaults) == 1
    assert defaults[0] in {accounts[1].id, accounts[2].id}


async def test_new_keys_are_used_at_once_and_the_old_prove_webhooks_for_a_day(
    tenant: Tenant, keyring: Keyring
) -> None:
    account = await make_enabled_account(tenant, keyring, values={**KEYS, "webhook_secret": "whsec_1"})
    now = utc_now()
    new = {**NEW_KEY, "publishable_key": "pk_test_52", "webhook_secret": "whsec_2"}

    async with tenant.transaction() as session:
        changed = await replacing.replace_keys(session, keyring, account.id, SCHEMA, new, now=now)

    assert changed.secrets_version == account.secrets_version + 1
    assert (changed.is_enabled, changed.is_proven) == (True, False)
    assert changed.configuration == {"publishable_key": "pk_test_52"}
    assert changed.previous_secrets_until == now + timedelta(hours=24)
    assert await secrets_of(tenant, keyring, account) == {
        "secret_key": "sk_test_52newkey",
        "secret_key.previous": KEYS["secret_key"],
        "webhook_secret": "whsec_2",
        "webhook_secret.previous": "whsec_1",
    }

    async with tenant.transaction() as session:
        assert not await replacing.forget_previous(session, account.id, now + timedelta(hours=23))
        assert await replacing.forget_previous(session, account.id, now + timedelta(hours=24))
    assert set(await secrets_of(tenant, keyring, account)) == {"secret_key", "webhook_secret"}
    assert (await read(tenant, account)).previous_secrets_until is None


async def test_keys_replaced_twice_keep_the_last_of_the_old(tenant: Tenant, keyring: Keyring) -> None:
    account = await make_provider_account(tenant, keyring)
    for key in ("sk_test_2", "sk_test_3"):
        async with tenant.transaction() as session:
            values = {"secret_key": key}
            await replacing.replace_keys(session, keyring, account.id, SCHEMA, values, now=utc_now())

    kept = await secrets_of(tenant, keyring, account)
    assert kept == {"secret_key": "sk_test_3", "secret_key.previous": "sk_test_2"}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, ["configuration"]),
        ({"secret_key": "sk_live_2"}, ["secret_key"]),
        ({"webhook_token": "mine"}, ["webhook_token"]),
        ({"secret_key.previous": "sk_test_2"}, ["secret_key.previous"]),
    ],
)
async def test_replacements_are_held_against_the_schema(
    tenant: Tenant, keyring: Keyring, values: dict[str, object], fields: list[str]
) -> None:
    account = await make_provider_account(tenant, keyring)
    async with tenant.transaction() as session:
        with pytest.raises(ConfigurationInvalid) as refused:
            await replacing.replace_keys(session, keyring, account.id, SCHEMA, values, now=utc_now())

    assert [violation.field for violation in refused.value.violations] == fields
    assert all(isinstance(violation, Violation) for violation in refused.value.violations)


async def test_the_keys_of_a_channel_are_managed_with_the_channel(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, keyring, store.id)
    id_ = channel.provider_account_id
    async with tenant.transaction() as session:
        with pytest.raises(AccountOfChannel):
            await replacing.replace_keys(session, keyring, id_, SCHEMA, NEW_KEY, now=utc_now())
    async with tenant.transaction() as session:
        with pytest.raises(AccountOfChannel):
            await switching.change_account(
                session, id_, name="Mine", priority=None, currencies=None, offered=STRIPE.currencies
            )
    async with tenant.transaction() as session:
        # Its place in routing is the tenant's to choose, and no proof but the channel's is wanted.
        await switching.change_account(
            session, id_, name=None, priority=3, currencies=None, offered=STRIPE.currencies
        )
        await switching.disable_account(session, id_)
        assert (await switching.enable_account(session, id_)).priority == 3
        assert await session.get_one(Channel, channel.id)


async def test_nothing_is_found_for_an_unknown_id(tenant: Tenant) -> None:
    async with tenant.transaction() as session:
        for verb in (switching.enable_account, switching.disable_account, switching.set_default):
            with pytest.raises(NotFound):
                await verb(session, new_id())


async def test_a_provider_that_wants_channels_is_not_configured(tenant: Tenant, keyring: Keyring) -> None:
    facts = configuring.ProviderFacts("mpesa", "M-Pesa", SCHEMA, STRIPE.currencies, needs_channel=True)
    async with tenant.transaction() as session:
        with pytest.raises(InvalidInput, match="addChannel"):
            await configuring.configure_provider(
                session, keyring, facts, NewConfiguration(Environment.SANDBOX, KEYS), "token"
            )
        assert await session.scalar(select(func.count()).select_from(SealedSecret)) == 0
