"""Walks Stripe's lists, page by page.

Source: Stripe sheet, sections 3 and 9.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from integrations.errors import BadMessage, ProviderUnavailable
from integrations.protocol import ListedPayment, Mismatch
from integrations.stripe.api import Fault, StripeApi, raise_rejected
from integrations.stripe.intents import Mode, metadata, require_id, told
from integrations.stripe.messages import page_of
from integrations.wire_json import Json

PAGES_MAX: Final = 1_000

Object = dict[str, Json]


async def pages(
    api: StripeApi, operation: str, path: str, query: Mapping[str, str]
) -> AsyncGenerator[Object, None]:
    """Every object of a list.

    Raises:
        ProviderUnavailable: a page did not come, or can't be read.
        ProviderRejected: the key may not list.
    """
    after: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        answered = await api.get(operation, path, {**query, **after})
        if isinstance(answered, Fault):
            raise_rejected(answered)
        try:
            items, has_more = page_of(answered)
            after = {"starting_after": require_id(items[-1].get("id"))} if has_more and items else {}
        except BadMessage as error:
            raise ProviderUnavailable(str(error)) from error
        for item in items:
            yield item
        if not after:
            return
    raise ProviderUnavailable("the list has no end")


async def first(
    api: StripeApi,
    operation: str,
    path: str,
    query: Mapping[str, str],
    is_wanted: Callable[[Object], bool],
) -> Object | None:
    """The first object of a list that is wanted; raises as `pages`."""
    async with aclosing(pages(api, operation, path, query)) as objects:
        async for item in objects:
            if is_wanted(item):
                return item
    return None


def listed_payment(intent: Object, mode: Mode) -> ListedPayment:
    """One entry of the list for the sweep, with what it says of itself.

    Raises:
        ProviderUnavailable: it is no intent.
    """
    try:
        reference = require_id(intent.get("id"))
        created_at = _instant(intent.get("created"))
    except BadMessage as error:
        raise ProviderUnavailable(str(error)) from error
    try:
        is_same_mode = intent.get("livemode") is mode.is_live
        answer = told(intent, mode) if is_same_mode else Mismatch("The payment is of the other mode.")
    except BadMessage as error:
        # One strange payment of the account, in a currency we don't know, must not end the sweep.
        answer = Mismatch(str(error))
    return ListedPayment(
        provider_reference=reference,
        payment_id=metadata(intent, "payment_id"),
        attempt_key=metadata(intent, "attempt_key"),
        answer=answer,
        created_at=created_at,
    )


def _instant(seconds: Json) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise BadMessage("Expected a time in seconds.")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise BadMessage("The time is absurd.") from error
