"""Payments asked for as clients do."""

from core.ids import Kind, outside
from tenancy.context import TenantContext
from tests.factories.callers import ask
from tests.factories.payments import Shop

INITIATE = """
mutation ($input: InitiatePaymentInput!) {
  initiatePayment(input: $input) {
    __typename
    ... on InitiatePaymentSuccess {
      payment {
        id status version phone reference description orderReference provider environment
        amount { amountMinor currency amount }
        store { name } channel { shortCode status }
      }
    }
    ... on Error { code message }
    ... on AmountOutOfRangeError { least { amount } most { amount } }
    ... on PaymentInProgressError { paymentId }
    ... on ChannelNotActiveError { status }
    ... on RateLimitedError { retryAfterS }
  }
}
"""
CANCEL = """
mutation ($id: ID!, $key: String) {
  cancelPayment(input: {id: $id, idempotencyKey: $key}) {
    ... on CancelPaymentSuccess { payment { status version } }
    ... on Error { code }
    ... on PaymentAlreadySentError { status }
  }
}
"""


def order(shop: Shop, **changes: object) -> dict[str, object]:
    return {
        "idempotencyKey": "key-1",
        "channelId": outside(Kind.CHANNEL, shop.channel_id),
        "amount": {"amountMinor": "150000", "currency": "KES"},
        "phone": "0700 000 001",
        "description": "Order 1042",
        **changes,
    }


async def initiated(context: TenantContext, shop: Shop, **changes: object) -> dict[str, object]:
    answer = await ask(context, INITIATE, input=order(shop, **changes))
    found: dict[str, object] = answer["initiatePayment"]
    return found
