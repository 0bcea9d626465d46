"""Webhooks over the tenant schema: developers set them up, and a secret is shown once."""

from typing import Any

from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.webhooks.rules import WebhookEvent
from tenant_db.webhooks.telling import Happened, tell_endpoints
from tests.factories.callers import ask, caller, refusal_of

ENDPOINT = "id url events isEnabled disabledReason previousSecretUntil"
CREATE = f"""
mutation ($input: CreateWebhookEndpointInput!) {{ createWebhookEndpoint(input: $input) {{
  __typename
  ... on WebhookSecretSuccess {{ secret endpoint {{ {ENDPOINT} }} }}
  ... on Error {{ code message }}
}} }}
"""
ROTATE = f"""
mutation ($id: ID!) {{ rotateWebhookSecret(input: {{id: $id}}) {{
  __typename ... on WebhookSecretSuccess {{ secret endpoint {{ {ENDPOINT} }} }} ... on Error {{ code }}
}} }}
"""
CHANGE = f"""
mutation ($id: ID!) {{ %s(input: {{id: $id}}) {{
  __typename
  ... on WebhookEndpointSuccess {{ endpoint {{ {ENDPOINT} }} }}
  ... on WebhookDeliverySuccess {{ delivery {{ event state data subject }} }}
  ... on Error {{ code }}
}} }}
"""
_OTHER = {
    "WebhookEndpoint": "... on WebhookDeliverySuccess { delivery { event state data subject } }",
    "WebhookDelivery": f"... on WebhookEndpointSuccess {{ endpoint {{ {ENDPOINT} }} }}",
}
"""What a field's union has not."""
LIST = f"{{ webhookEndpoints {{ {ENDPOINT} }} }}"
DELIVERIES = """
query ($id: ID!) { webhookDeliveries(endpointId: $id, first: 1) {
  nodes { event state tries data attempts { status } } pageInfo { hasNextPage } } }
"""
WANTED: dict[str, Any] = {"url": "https://shop.example.com/hooks", "events": ["PAYMENT_SUCCEEDED"]}


async def test_a_developer_sets_an_endpoint_up_and_sees_its_secret_once(
    services: Services, tenant: Tenant
) -> None:
    developer = await caller(services, tenant, Role.DEVELOPER)

    made = (await ask(developer, CREATE, input=WANTED))["createWebhookEndpoint"]
    rotated = (await ask(developer, ROTATE, id=made["endpoint"]["id"]))["rotateWebhookSecret"]

    assert made["secret"].startswith("whsec_")
    assert made["endpoint"]["events"] == ["PAYMENT_SUCCEEDED"]
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["previousSecretUntil"] is not None
    listed = await ask(developer, LIST)
    assert made["endpoint"]["id"] in str(listed)
    assert "whsec_" not in str(listed)


async def test_messages_are_listed_and_an_endpoint_is_switched_off_on_and_deleted(
    services: Services, tenant: Tenant
) -> None:
    developer = await caller(services, tenant, Role.DEVELOPER)
    made = (await ask(developer, CREATE, input=WANTED))["createWebhookEndpoint"]
    id_ = made["endpoint"]["id"]
    for subject in ("pay_1", "pay_2"):
        async with tenant.transaction() as session:
            happened = Happened(WebhookEvent.PAYMENT_SUCCEEDED, subject, 1, {"id": subject})
            tell_endpoints(session, happened)

    page = (await ask(developer, DELIVERIES, id=id_))["webhookDeliveries"]

    async def do(field: str) -> Any:  # noqa: ANN401 - JSON
        kind = "WebhookDelivery" if field == "sendTestWebhook" else "WebhookEndpoint"
        document = CHANGE.replace(_OTHER[kind], "")
        return (await ask(developer, document % field, id=id_))[field]

    off, refused = await do("disableWebhookEndpoint"), await do("sendTestWebhook")
    on, test = await do("enableWebhookEndpoint"), await do("sendTestWebhook")
    await do("deleteWebhookEndpoint")

    assert page["nodes"] == [
        {
            "event": "PAYMENT_SUCCEEDED",
            "state": "PENDING",
            "tries": 0,
            "data": '{"id": "pay_2"}',
            "attempts": [],
        }
    ]
    assert page["pageInfo"]["hasNextPage"]
    assert off["endpoint"]["disabledReason"] == "BY_HAND"
    assert refused["code"] == "WEBHOOK_ENDPOINT_DISABLED"
    assert on["endpoint"]["isEnabled"]
    assert test["delivery"]["event"] == "WEBHOOK_TEST"
    assert (await ask(developer, LIST))["webhookEndpoints"] == []


async def test_a_cashier_sees_no_endpoint_and_unusable_ones_are_refused(
    services: Services, tenant: Tenant
) -> None:
    cashier = await caller(services, tenant, Role.CASHIER)
    developer = await caller(services, tenant, Role.DEVELOPER)

    assert (await ask(cashier, CREATE, input=WANTED))["createWebhookEndpoint"]["code"] == "FORBIDDEN"
    assert await refusal_of(cashier, LIST) == "FORBIDDEN"
    changes: list[dict[str, Any]] = [
        {"url": "ftp://shop.example.com/"},
        {"events": []},
        {"events": ["WEBHOOK_TEST"]},
    ]
    for unusable in changes:
        refused = (await ask(developer, CREATE, input={**WANTED, **unusable}))["createWebhookEndpoint"]
        assert refused["code"] == "INVALID_INPUT", unusable
