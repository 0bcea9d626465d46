"""Money that may be counted twice is refused over the tenant schema, and people are asked for its receipt."""

from typing import Final

from core.ids import Kind, outside
from tenancy.context import Services
from tenancy.roles import Role
from tenancy.sessions import Tenant
from tenant_db.payments.rules import Paid
from tests.factories.callers import ask, caller
from tests.factories.payments import make_shop, pend
from tests.factories.telling import ask as answer
from tests.factories.telling import confirm, told_of

OPEN: Final = "{ reviews(state: OPEN) { nodes { id paymentId cause } } }"
DECIDE: Final = """
mutation ($input: DecideReviewInput!) { decideReview(input: $input) {
  __typename
  ... on DecideReviewSuccess { review { state } }
  ... on MoneyMayBeAnothersError { paymentId }
  ... on Error { code }
} }
"""


def deciding(review_id: str, key: str = "d1", **more: object) -> dict[str, object]:
    return {"idempotencyKey": key, "reviewId": review_id, "reason": "I have looked.", **more}


async def test_money_that_may_be_counted_twice_is_refused_and_asks_for_a_receipt(
    services: Services, tenant: Tenant
) -> None:
    shop = await make_shop(tenant)
    payment, _ = await pend(tenant, shop)
    await confirm(tenant, told_of(shop, account="VIP001"))
    await answer(tenant, payment, Paid())
    finance = await caller(services, tenant, Role.FINANCE)
    (about,) = (await ask(finance, OPEN))["reviews"]["nodes"]
    credit = deciding(about["id"], decision="CREDIT_STORE", storeId=outside(Kind.STORE, shop.store_id))

    told = [(await ask(finance, DECIDE, input=credit))["decideReview"] for _ in range(2)]

    payment_id = outside(Kind.PAYMENT, payment.id)
    assert told[0] == told[1]
    assert (told[0]["code"], told[0]["paymentId"]) == ("MONEY_MAY_BE_ANOTHERS", payment_id)
    asked, _ = (await ask(finance, OPEN))["reviews"]["nodes"]
    assert (asked["paymentId"], asked["cause"]) == (payment_id, "UNMATCHED_MONEY")
    own = deciding(asked["id"], "m1", decision="MARK_PAID", proof="TKX0000009")
    assert (await ask(finance, DECIDE, input=own))["decideReview"]["review"]["state"] == "DECIDED"
    again = (await ask(finance, DECIDE, input={**credit, "idempotencyKey": "d2"}))["decideReview"]
    assert again["review"]["state"] == "DECIDED"
