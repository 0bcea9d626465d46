"""A channel collects only once the provider has taken its keys; new keys must be proven anew."""

from uuid import UUID

import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import Kind, new_id, outside
from tenancy.audit import SYSTEM
from tenancy.keyring import Keyring
from tenancy.sessions import Tenant
from tenancy.wrappers import SealBroken
from tenant_db.audit.models import TenantAudit
from tenant_db.channels.activating import activate, deactivate
from tenant_db.channels.adding import add_channel, replace_credentials
from tenant_db.channels.errors import ChannelNotVerified, ChannelStillActive, ShortCodeTaken
from tenant_db.channels.machine import ChannelKind, ChannelStatus, Environment
from tenant_db.channels.models import Channel
from tenant_db.channels.rules import MpesaKeys
from tenant_db.channels.verifying import record_refused, record_verified, start_verification
from tenant_db.credentials.models import SealedSecret
from tenant_db.credentials.names import SecretName
from tenant_db.credentials.opening import OpenedSecrets, open_secrets
from tests.conftest import RecordedSignals
from tests.factories.channels import HOOKS, KEYS, make_active_channel, make_channel, new_channel, verify
from tests.factories.stores import make_store
from tests.racing import race

NEW_KEYS = MpesaKeys("new-key", "new-secret", "new-passkey")


async def read(tenant: Tenant, channel_id: UUID) -> Channel:
    async with tenant.reading() as session:
        return await session.get_one(Channel, channel_id)


async def opened(tenant: Tenant, keyring: Keyring, channel: Channel) -> OpenedSecrets:
    async with tenant.transaction() as session:
        return await open_secrets(session, keyring, channel.provider_account_id, SYSTEM, "submit_payment")


async def replaced(tenant: Tenant, keyring: Keyring, channel_id: UUID) -> None:
    async with tenant.transaction() as session:
        await replace_credentials(session, keyring, channel_id, NEW_KEYS)


async def test_a_new_channel_is_configured_in_an_account_of_its_own(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)

    channel = await make_channel(tenant, keyring, store.id)

    shown = await read(tenant, channel.id)
    assert (shown.status, shown.proof, shown.short_code) == ("configured", None, "174379")
    assert shown.store_id == store.id


async def test_secrets_come_back_as_they_were_given(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    async with tenant.transaction() as session:
        channel = await add_channel(session, keyring, new_channel(store.id), HOOKS)

    secrets = await opened(tenant, keyring, channel)

    assert secrets.version == 1
    assert secrets.by_name == {
        SecretName.CONSUMER_KEY: KEYS.consumer_key,
        SecretName.CONSUMER_SECRET: KEYS.consumer_secret,
        SecretName.PASSKEY: KEYS.passkey,
        SecretName.HOOK_TOKEN: HOOKS.stk,
        SecretName.CONFIRMATION_TOKEN: HOOKS.confirmation,
        SecretName.VALIDATION_TOKEN: HOOKS.validation,
    }


async def test_no_secret_lies_open_or_prints(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)

    async with tenant.reading() as session:
        stored = " ".join(await session.scalars(select(SealedSecret.sealed)))

    assert KEYS.consumer_secret not in stored
    assert KEYS.passkey not in repr(KEYS)
    assert KEYS.passkey not in repr(await opened(tenant, keyring, channel))


async def test_each_opening_leaves_an_audit_row(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)

    await opened(tenant, keyring, channel)

    async with tenant.reading() as session:
        (row,) = await session.scalars(select(TenantAudit).where(TenantAudit.action == "open_secrets"))
    assert row.subject == outside(Kind.PROVIDER_ACCOUNT, channel.provider_account_id)
    assert row.details == {"purpose": "submit_payment"}


async def test_a_secret_moved_to_another_row_does_not_open(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)
    async with tenant.transaction() as session:
        rows = {row.name: row for row in await session.scalars(select(SealedSecret))}
        rows["passkey"].sealed = rows["consumer_key"].sealed

    with pytest.raises(SealBroken):
        await opened(tenant, keyring, channel)


async def test_a_short_code_has_one_channel(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    await make_channel(tenant, keyring, store.id)

    with pytest.raises(ShortCodeTaken):
        await make_channel(tenant, keyring, store.id)

    await make_channel(tenant, keyring, store.id, environment=Environment.PRODUCTION)


async def test_a_store_of_nobody_is_refused(tenant: Tenant, keyring: Keyring) -> None:
    with pytest.raises(NotFound):
        await make_channel(tenant, keyring, new_id())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"short_code": "1234"}, "shortCode"),
        ({"short_code": "12345678"}, "shortCode"),
        ({"short_code": "١٧٤٣٧٩"}, "shortCode"),
        ({"head_office_code": "600000"}, "headOfficeCode"),
        ({"kind": ChannelKind.TILL}, "headOfficeCode"),
        ({"kind": ChannelKind.TILL, "head_office_code": "no"}, "headOfficeCode"),
        ({"name": " Counter"}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_what_m_pesa_can_not_have_given_is_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        new_channel(new_id(), **changes)

    assert refusal.value.field == field


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256])
def test_a_key_that_was_not_copied_whole_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        MpesaKeys("key", "secret", key)


async def test_a_proven_channel_collects(tenant: Tenant, keyring: Keyring, signals: RecordedSignals) -> None:
    store = await make_store(tenant)

    channel = await make_active_channel(tenant, keyring, store.id)

    shown = await read(tenant, channel.id)
    assert (shown.status, shown.proof) == ("active", "keys")
    assert shown.verified_at is not None
    told = [notice.payload["status"] for after in signals.after for notice in after.notices]
    assert told == ["verifying", "verified", "active"]


async def test_what_is_not_proven_does_not_collect(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)

    with pytest.raises(ChannelNotVerified):
        async with tenant.transaction() as session:
            await activate(session, channel.id)


async def test_new_keys_are_unproven_again(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, keyring, store.id)

    await replaced(tenant, keyring, channel.id)

    shown = await read(tenant, channel.id)
    secrets = await opened(tenant, keyring, channel)
    assert (shown.status, shown.proof, shown.verified_at) == ("configured", None, None)
    assert secrets.version == 2
    assert secrets.by_name[SecretName.PASSKEY] == NEW_KEYS.passkey
    assert SecretName.HOOK_TOKEN in secrets.by_name


async def test_a_verdict_on_old_keys_counts_for_nothing(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)
    async with tenant.transaction() as session:
        await start_verification(session, channel.id)
    await replaced(tenant, keyring, channel.id)
    async with tenant.transaction() as session:
        await start_verification(session, channel.id)

    async with tenant.transaction() as session:
        assert not await record_verified(session, channel.id, 1, utc_now())
    assert (await read(tenant, channel.id)).status == "verifying"

    async with tenant.transaction() as session:
        assert await record_verified(session, channel.id, 2, utc_now())
    assert (await read(tenant, channel.id)).status == "verified"


async def test_a_verdict_is_recorded_once(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)
    async with tenant.transaction() as session:
        await start_verification(session, channel.id)

    async def recording() -> bool:
        async with tenant.transaction() as session:
            return await record_verified(session, channel.id, 1, utc_now())

    barrier = select(Channel).where(Channel.id == channel.id).with_for_update()
    results = await race(tenant, barrier, [recording] * 4)

    assert sorted(results, key=bool) == [False, False, False, True]


async def test_a_refused_channel_says_why_and_can_be_tried_again(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, keyring, store.id)
    async with tenant.transaction() as session:
        await start_verification(session, channel.id)
        assert await record_refused(session, channel.id, 1, "The passkey is wrong.")

    shown = await read(tenant, channel.id)
    assert (shown.status, shown.refusal) == ("refused", "The passkey is wrong.")
    assert await verify(tenant, channel.id)
    assert (await read(tenant, channel.id)).refusal is None


async def test_an_active_channel_is_not_verified_again(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, keyring, store.id)

    with pytest.raises(ChannelStillActive):
        async with tenant.transaction() as session:
            await start_verification(session, channel.id)


async def test_switching_twice_changes_nothing(tenant: Tenant, keyring: Keyring) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, keyring, store.id)

    for verb, status in ((activate, "active"), (deactivate, "inactive"), (deactivate, "inactive")):
        async with tenant.transaction() as session:
            await verb(session, channel.id)
        assert (await read(tenant, channel.id)).status == status


async def test_an_unknown_channel_is_refused(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        async with tenant.transaction() as session:
            await activate(session, new_id())


def test_a_step_outside_the_machine_is_a_bug() -> None:
    channel = Channel(status="draft")
    with pytest.raises(ValueError, match="never goes"):
        channel.advance(ChannelStatus.ACTIVE)
