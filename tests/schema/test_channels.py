"""Channels over the tenant schema."""

from hashlib import sha256

from sqlalchemy import select

from core.ids import Kind, new_id, outside
from owner_db.tenants.models import HookEndpoint
from tenancy.audit import SYSTEM
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import OwnerDatabase, Tenant
from tenant_db.channels.models import Channel
from tenant_db.credentials.opening import open_secrets
from tenant_db.outbox.models import TenantOutbox
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.channels import make_channel, verify
from tests.factories.stores import make_store

CHANNEL = """
fragment channel on Channel {
  id name kind environment shortCode headOfficeCode currency status proof refusal storeId store { code }
}
"""
ADD = (
    """
mutation ($input: AddChannelInput!) {
  addChannel(input: $input) {
    __typename
    ... on AddChannelSuccess { channel { ...channel } }
    ... on Error { code message }
    ... on ShortCodeTakenError { shortCode }
    ... on InvalidInputError { field }
  }
}
"""
    + CHANNEL
)
STEP = """
mutation ($id: ID!) {
  %s(input: {id: $id}) {
    __typename
    ... on %sSuccess { channel { status } }
    ... on Error { code }
  }
}
"""
VERIFY = STEP % ("verifyChannel", "VerifyChannel")
ACTIVATE = STEP % ("activateChannel", "ActivateChannel")
DEACTIVATE = STEP % ("deactivateChannel", "DeactivateChannel")
REPLACE = """
mutation ($id: ID!, $keys: MpesaKeysInput!) {
  replaceChannelCredentials(input: {id: $id, keys: $keys}) {
    __typename
    ... on ReplaceChannelCredentialsSuccess { channel { status } }
    ... on Error { code }
  }
}
"""
KEYS = {"consumerKey": "key", "consumerSecret": "secret", "passkey": "passkey"}


def paybill(store_id: str, **changes: object) -> dict[str, object]:
    return {
        "storeId": store_id,
        "name": "Counter",
        "kind": "PAYBILL",
        "environment": "SANDBOX",
        "shortCode": "174379",
        "keys": KEYS,
        **changes,
    }


async def test_a_channel_is_added_as_a_draft_whose_callbacks_find_it(
    services: Services, tenant: Tenant, owner: OwnerDatabase
) -> None:
    store = await make_store(tenant)
    boss = await caller(services, tenant)

    added = await ask(boss, ADD, input=paybill(outside(Kind.STORE, store.id)))

    shown = added["addChannel"]["channel"]
    assert (shown["status"], shown["kind"], shown["currency"]) == ("CONFIGURED", "PAYBILL", "KES")
    assert shown["store"] == {"code": "main"}
    async with tenant.transaction() as session:
        channel = (await session.scalars(select(Channel))).one()
        secrets = await open_secrets(
            session, services.keyring, channel.provider_account_id, SYSTEM, "submit_payment"
        )
    async with owner.reading() as session:
        endpoints = {row.token_hash: row for row in await session.scalars(select(HookEndpoint))}
    tokens = {name: secret for name, secret in secrets.by_name.items() if "token" in name}
    purposes = {name: endpoints[sha256(token.encode()).digest()] for name, token in tokens.items()}
    assert {name: row.purpose for name, row in purposes.items()} == {
        "hook_token": "stk",
        "confirmation_token": "c2b_confirmation",
        "validation_token": "c2b_validation",
    }
    assert {row.channel_id for row in endpoints.values()} == {channel.id}
    assert {row.tenant_id for row in endpoints.values()} == {tenant.id}


async def test_a_till_needs_its_store_number(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    boss = await caller(services, tenant)
    till = paybill(outside(Kind.STORE, store.id), kind="TILL", shortCode="5500001")

    refused = await ask(boss, ADD, input=till)
    added = await ask(boss, ADD, input={**till, "headOfficeCode": "600000"})

    assert refused["addChannel"]["field"] == "headOfficeCode"
    assert added["addChannel"]["channel"]["headOfficeCode"] == "600000"


async def test_a_refused_channel_leaves_no_endpoint(
    services: Services, tenant: Tenant, owner: OwnerDatabase
) -> None:
    store = await make_store(tenant)
    boss = await caller(services, tenant)
    await make_channel(tenant, services.keyring, store.id)

    taken = await ask(boss, ADD, input=paybill(outside(Kind.STORE, store.id)))
    nowhere = await ask(boss, ADD, input=paybill(outside(Kind.STORE, new_id()), shortCode="174380"))

    assert taken["addChannel"]["__typename"] == "ShortCodeTakenError"
    assert taken["addChannel"]["shortCode"] == "174379"
    assert nowhere["addChannel"]["code"] == "NOT_FOUND"
    async with owner.reading() as session:
        assert (await session.scalars(select(HookEndpoint))).all() == []


async def test_verifying_leaves_a_job(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    boss = await caller(services, tenant)

    answer = await ask(boss, VERIFY, id=outside(Kind.CHANNEL, channel.id))

    assert answer["verifyChannel"]["channel"]["status"] == "VERIFYING"
    async with tenant.reading() as session:
        job = (await session.scalars(select(TenantOutbox))).one()
    assert (job.queue, job.kind, job.payload) == (
        "platform",
        "verify_channel",
        {"channel_id": str(channel.id), "proof": "best"},
    )


async def test_a_channel_takes_its_steps_in_order(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    boss = await caller(services, tenant)
    id_ = outside(Kind.CHANNEL, channel.id)

    early = await ask(boss, ACTIVATE, id=id_)
    await verify(tenant, channel.id)
    active = await ask(boss, ACTIVATE, id=id_)
    again = await ask(boss, VERIFY, id=id_)
    inactive = await ask(boss, DEACTIVATE, id=id_)
    replaced = await ask(boss, REPLACE, id=id_, keys=KEYS)

    assert early["activateChannel"]["code"] == "CHANNEL_NOT_VERIFIED"
    assert active["activateChannel"]["channel"]["status"] == "ACTIVE"
    assert again["verifyChannel"]["code"] == "CHANNEL_STILL_ACTIVE"
    assert inactive["deactivateChannel"]["channel"]["status"] == "INACTIVE"
    assert replaced["replaceChannelCredentials"]["channel"]["status"] == "CONFIGURED"
    log = await ask(boss, "{ auditLog { nodes { action } } }")
    assert [node["action"] for node in log["auditLog"]["nodes"]] == [
        "replace_channel_credentials",
        "deactivate_channel",
        "activate_channel",
        "channel_verified",
    ]


async def test_another_business_can_not_touch_it(
    services: Services, tenant: Tenant, second_tenant: Tenant
) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    stranger = await caller(services, second_tenant)
    id_ = outside(Kind.CHANNEL, channel.id)

    for text, field in (
        (VERIFY, "verifyChannel"),
        (ACTIVATE, "activateChannel"),
        (DEACTIVATE, "deactivateChannel"),
    ):
        assert (await ask(stranger, text, id=id_))[field]["code"] == "NOT_FOUND"
    replaced = await ask(stranger, REPLACE, id=id_, keys=KEYS)
    assert replaced["replaceChannelCredentials"]["code"] == "NOT_FOUND"
    seen = await ask(
        stranger, "query ($id: ID!) { channel(id: $id) { id } channels { nodes { id } } }", id=id_
    )
    assert seen == {"channel": None, "channels": {"nodes": []}}


async def test_a_cashier_sees_no_channel(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    cashier = await caller(services, tenant, Role.CASHIER)

    refused = await ask(cashier, VERIFY, id=outside(Kind.CHANNEL, channel.id))

    assert refused["verifyChannel"]["__typename"] == "ForbiddenError"


async def test_a_watched_channel_is_told_now_and_after_each_step(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    boss = await caller(services, tenant)
    id_ = outside(Kind.CHANNEL, channel.id)

    text = "subscription ($id: ID!) { channelUpdated(id: $id) { status } }"
    async with watching(boss, text, id=id_) as events:
        seen = [(await next_data(events))["channelUpdated"]["status"]]
        await ask(boss, VERIFY, id=id_)
        seen.append((await next_data(events))["channelUpdated"]["status"])

    assert seen == ["CONFIGURED", "VERIFYING"]


async def test_providers_are_listed_with_what_they_take(services: Services, tenant: Tenant) -> None:
    boss = await caller(services, tenant)

    text = "{ paymentProviders { id code methods currencies { currency least { amount } most { amount } } } }"
    found = await ask(boss, text)

    for provider in found["paymentProviders"]:
        assert provider["currencies"]
