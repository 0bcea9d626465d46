"""What is done with channels once they are there, over the tenant schema."""

import json

import pytest

from core.ids import Kind, new_id, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.channels.adding import set_operator
from tenant_db.channels.rules import OperatorKeys
from tests.factories.callers import ask, caller, next_data, watching
from tests.factories.channels import make_active_channel, make_channel
from tests.factories.stores import make_store

CHANGED = """
mutation ($input: %s!) {
  %s(input: $input) {
    __typename
    ... on ChannelChanged {
      channel { status isPrimary suspendedWhy least { amountMinor } proof initiatorName }
    }
    ... on Error { code }
  }
}
"""
ASKED = """
mutation ($input: %s!) {
  %s(input: $input) {
    __typename
    ... on ChannelAsked { channel { urlsState } }
    ... on Error { code }
  }
}
"""
SUSPEND = CHANGED % ("SuspendChannelInput", "suspendChannel")
RESUME = CHANGED % ("ResumeChannelInput", "resumeChannel")
PRIMARY = CHANGED % ("MakeChannelPrimaryInput", "makeChannelPrimary")
UPDATE = CHANGED % ("UpdateChannelInput", "updateChannel")
OPERATOR = CHANGED % ("SetChannelOperatorInput", "setChannelOperator")
URLS = ASKED % ("RegisterChannelUrlsInput", "registerChannelUrls")
BALANCE = ASKED % ("CheckChannelBalanceInput", "checkChannelBalance")
MAP = """
mutation ($input: MapAccountInput!) {
  mapAccount(input: $input) {
    __typename
    ... on MapAccountSuccess { entry { id pattern match label store { code } } }
    ... on Error { code }
  }
}
"""
PREVIEW = """
query ($id: ID!, $account: String!) {
  previewAccountMapping(channelId: $id, account: $account) { account orderId entry { pattern } }
  channelAccounts(channelId: $id) { pattern }
}
"""
IMPORT = """
mutation ($input: ImportChannelsInput!) {
  importChannels(input: $input) {
    ... on ImportChannelsSuccess {
      dryRun addedCount refusedCount rows { row shortCode code channel { status } }
    }
    ... on Error { code }
  }
}
"""
EXPORT = "query ($format: ChannelTableFormat!) { exportChannels(format: $format) }"
HEALTH = "query ($id: ID!) { channelHealth(channelId: $id) { status day { paymentCount successBps } } }"
WATCH = "subscription ($id: ID!) { channelHealth(channelId: $id) { status channelId } }"


async def test_a_channel_is_suspended_with_a_reason_and_resumed(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, services.keyring, store.id)
    boss, id_ = await caller(services, tenant), outside(Kind.CHANNEL, channel.id)

    empty = await ask(boss, SUSPEND, input={"id": id_, "reason": " "})
    gone = await ask(boss, SUSPEND, input={"id": id_, "reason": "Stocktaking"})
    back = await ask(boss, RESUME, input={"id": id_})
    nobody = await ask(boss, RESUME, input={"id": outside(Kind.CHANNEL, new_id())})

    assert empty["suspendChannel"]["code"] == "INVALID_INPUT"
    shown = gone["suspendChannel"]["channel"]
    assert (shown["status"], shown["suspendedWhy"]) == ("SUSPENDED", "Stocktaking")
    assert back["resumeChannel"]["channel"]["status"] == "ACTIVE"
    assert nobody["resumeChannel"]["code"] == "NOT_FOUND"


async def test_a_channel_is_changed_and_asked_about(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, services.keyring, store.id)
    boss, id_ = await caller(services, tenant), outside(Kind.CHANNEL, channel.id)
    change = {"id": id_, "storeId": outside(Kind.STORE, store.id), "name": "Desk", "leastMinor": "5000"}

    changed = await ask(boss, UPDATE, input=change)
    wrong = await ask(boss, UPDATE, input={**change, "leastMinor": "50"})
    primary = await ask(boss, PRIMARY, input={"id": id_})
    alone = await ask(boss, BALANCE, input={"id": id_})
    operator = await ask(boss, OPERATOR, input={"id": id_, "operator": {"name": "api", "password": "p#1"}})
    refused = await ask(boss, OPERATOR, input={"id": id_, "operator": {"name": "api", "password": "p(1)"}})
    asked = await ask(boss, BALANCE, input={"id": id_})
    urls = await ask(boss, URLS, input={"id": id_})

    assert changed["updateChannel"]["channel"]["least"] == {"amountMinor": "5000"}
    assert wrong["updateChannel"]["code"] == refused["setChannelOperator"]["code"] == "INVALID_INPUT"
    assert primary["makeChannelPrimary"]["channel"]["isPrimary"]
    assert alone["checkChannelBalance"]["code"] == "CHANNEL_HAS_NO_OPERATOR"
    assert operator["setChannelOperator"]["channel"]["status"] == "ACTIVE"
    assert asked["checkChannelBalance"]["__typename"] == "ChannelAsked"
    assert urls["registerChannelUrls"]["channel"]["urlsState"] == "REQUESTED"


async def test_accounts_are_mapped_and_tried_out(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    boss, id_ = await caller(services, tenant), outside(Kind.CHANNEL, channel.id)
    entry = {"channelId": id_, "storeId": outside(Kind.STORE, store.id), "label": "Guests"}

    for pattern in ("*", "vip*", "VIP001"):
        await ask(boss, MAP, input={**entry, "pattern": pattern})
    twice = await ask(boss, MAP, input={**entry, "pattern": "VIP*"})
    wrong = await ask(boss, MAP, input={**entry, "pattern": "*VIP"})
    shown = await ask(boss, PREVIEW, id=id_, account=" vip007 ")

    assert (twice["mapAccount"]["code"], wrong["mapAccount"]["code"]) == ("ACCOUNT_TAKEN", "INVALID_INPUT")
    assert shown["previewAccountMapping"] == {
        "account": "VIP007",
        "orderId": None,
        "entry": {"pattern": "VIP*"},
    }
    assert [each["pattern"] for each in shown["channelAccounts"]] == ["*", "VIP*", "VIP001"]


async def test_a_table_is_tried_out_then_added_and_comes_back_without_secrets(
    services: Services, tenant: Tenant
) -> None:
    store = await make_store(tenant)
    boss = await caller(services, tenant)
    row = {
        "name": "=Counter",
        "store_code": store.code,
        "kind": "paybill",
        "environment": "sandbox",
        "short_code": "600100",
        "consumer_key": "top-secret-key",
        "consumer_secret": "top-secret",
        "passkey": "top-secret-pass",
    }
    draft = {
        **{name: row[name] for name in ("store_code", "kind", "environment")},
        "name": "B",
        "short_code": "600101",
    }
    content = json.dumps([row, draft, {**row, "store_code": "nowhere"}])

    tried = await ask(boss, IMPORT, input={"content": content, "format": "JSON"})
    added = await ask(boss, IMPORT, input={"content": content, "format": "JSON", "dryRun": False})
    again = await ask(boss, IMPORT, input={"content": content, "format": "JSON", "dryRun": True})
    table = (await ask(boss, EXPORT, format="CSV"))["exportChannels"]

    codes = {
        name: [each["code"] for each in told["importChannels"]["rows"]]
        for name, told in {"tried": tried, "added": added, "again": again}.items()
    }
    assert codes["tried"] == codes["added"] == [None, None, "INVALID_INPUT"]
    assert codes["again"] == ["SHORT_CODE_TAKEN", "SHORT_CODE_TAKEN", "INVALID_INPUT"]
    assert tried["importChannels"]["addedCount"] == 0
    statuses = [each["channel"] and each["channel"]["status"] for each in added["importChannels"]["rows"]]
    assert statuses == ["CONFIGURED", "DRAFT", None]
    assert "'=Counter" in table
    assert "top-secret" not in table


async def test_health_is_told_now_and_only_to_those_who_may_read_channels(
    services: Services, tenant: Tenant
) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    boss, id_ = await caller(services, tenant), outside(Kind.CHANNEL, channel.id)

    health = await ask(boss, HEALTH, id=id_)
    nobody = await ask(boss, HEALTH, id=outside(Kind.CHANNEL, new_id()))
    async with watching(boss, WATCH, id=id_) as events:
        first = await next_data(events)

    assert health["channelHealth"] == {"status": "IDLE", "day": {"paymentCount": 0, "successBps": None}}
    assert nobody["channelHealth"] is None
    assert first["channelHealth"] == {"status": "IDLE", "channelId": id_}


@pytest.mark.parametrize("name", ["suspendChannel", "mapAccount", "importChannels"])
async def test_who_may_only_read_changes_nothing(services: Services, tenant: Tenant, name: str) -> None:
    store = await make_store(tenant)
    channel = await make_channel(tenant, services.keyring, store.id)
    id_, viewer = outside(Kind.CHANNEL, channel.id), await caller(services, tenant, Role.VIEWER)
    inputs: dict[str, tuple[str, dict[str, object]]] = {
        "suspendChannel": (SUSPEND, {"id": id_, "reason": "x"}),
        "mapAccount": (MAP, {"channelId": id_, "storeId": outside(Kind.STORE, store.id), "pattern": "*"}),
        "importChannels": (IMPORT, {"content": "[]", "format": "JSON"}),
    }

    told = await ask(viewer, inputs[name][0], input=inputs[name][1])

    assert told[name]["code"] == "FORBIDDEN"


async def test_a_new_operator_leaves_only_the_keys_proven(services: Services, tenant: Tenant) -> None:
    store = await make_store(tenant)
    channel = await make_active_channel(tenant, services.keyring, store.id)
    async with tenant.transaction() as session:
        shown = await set_operator(session, services.keyring, channel.id, OperatorKeys("api", "p#1"))

    assert (shown.status, shown.proof, shown.initiator_name) == ("active", "keys", "api")
