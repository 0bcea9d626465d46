"""A till's confirmation names no reference: amount, masked phone and time must name one payment."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind
from tenant_db.payments.candidates import CANDIDATES_MAX
from tests.bookkeeping import require_true_books
from tests.factories.payments import Shop, books, checkout_id, confirmations, make_shop, pend, read
from tests.factories.telling import CREDITED, NOTHING, PARKED, call_back, confirm, told_of


async def test_a_tills_money_is_known_by_amount_phone_and_time(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL, head_office_code="5100000")
    payment, item = await pend(tenant, shop)
    await pend(tenant, shop, phone=Phone("+254711111112"))
    await pend(tenant, shop, amount=Money(200_000, Currency.KES))

    await confirm(tenant, told_of(shop, short_code="5100000"))
    await call_back(tenant, shop, item, checkout_id(payment))

    after = await read(tenant, payment.id)
    assert (after.status, after.receipt) == ("succeeded", "TKX0000001")
    assert await books(tenant, shop) == CREDITED


@pytest.mark.parametrize(
    "changes",
    [
        {"payer": ""},
        {"payer": "*****"},
        {"payer": "a" * 64},
        {"paid_at": utc_now() - timedelta(hours=2)},
        {"paid_at": utc_now() + timedelta(hours=2)},
    ],
)
async def test_a_tills_money_of_nobody_knows_whom_waits_in_suspense(
    tenant: Tenant, changes: dict[str, Any]
) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    payment, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop, **changes))

    assert (await read(tenant, payment.id)).status == "pending"
    assert await books(tenant, shop) == PARKED


async def test_a_tills_money_of_another_payer_is_a_payment_of_its_own(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    payment, _ = await pend(tenant, shop)

    verdict = await confirm(tenant, told_of(shop, payer="2547 ***** 009"))
    again = await confirm(tenant, told_of(shop, payer="2547 ***** 009"))

    assert (await read(tenant, payment.id)).status == "pending"
    assert verdict.payment_id is not None
    own = await read(tenant, verdict.payment_id)
    assert (own.status, own.receipt, own.phone, own.sub_status) == (
        *("succeeded", "TKX0000001", None, "c2b_received"),
    )
    assert again.payment_id == own.id
    assert await books(tenant, shop) == CREDITED


async def test_a_tills_ambiguous_money_waits_in_suspense_until_a_callback_names_its_payment(
    tenant: Tenant,
) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    first, item = await pend(tenant, shop)
    second, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop))
    assert await books(tenant, shop) == PARKED
    await call_back(tenant, shop, item, checkout_id(first))

    assert (await read(tenant, first.id)).status == "succeeded"
    assert (await read(tenant, second.id)).status == "pending"
    assert await books(tenant, shop) == CREDITED
    (row,) = await confirmations(tenant)
    assert (row.state, row.payment_id) == ("resolved", first.id)


STORE_NUMBER = "5100000"


async def two_tills(tenant: Tenant) -> tuple[Shop, Shop]:
    """Of one store number, under which M-Pesa tells of what is paid to either."""
    codes = ("5100001", "5100002")
    first, second = [
        await make_shop(tenant, kind=ChannelKind.TILL, short_code=code, head_office_code=STORE_NUMBER)
        for code in codes
    ]
    return first, second


async def test_what_a_callback_credited_is_not_another_tills_money_under_a_number_of_both(
    tenant: Tenant,
) -> None:
    asked, listed = await two_tills(tenant)
    payment, item = await pend(tenant, asked)
    await call_back(tenant, asked, item, checkout_id(payment))

    again = await confirm(tenant, told_of(listed, short_code=STORE_NUMBER, payer="2547 ***** 009"))
    by_its_own = await confirm(tenant, told_of(asked))

    assert {again.payment_id, by_its_own.payment_id} == {payment.id}
    assert [row.short_code for row in await confirmations(tenant)] == [asked.short_code]
    assert (await books(tenant, asked), await books(tenant, listed)) == (CREDITED, NOTHING)


async def test_money_under_a_number_of_two_tills_waits_until_a_callback_says_which(tenant: Tenant) -> None:
    asked, listed = await two_tills(tenant)
    payment, item = await pend(tenant, asked)

    await confirm(tenant, told_of(listed, short_code=STORE_NUMBER, payer="2547 ***** 009"))
    assert (await books(tenant, asked), await books(tenant, listed)) == (NOTHING, PARKED)
    await call_back(tenant, asked, item, checkout_id(payment))

    (row,) = await confirmations(tenant)
    assert (row.state, row.payment_id) == ("resolved", payment.id)
    assert (await books(tenant, asked), await books(tenant, listed)) == (CREDITED, NOTHING)
    await require_true_books(tenant)


async def test_money_under_a_number_of_two_tills_is_that_of_the_prompt_it_fits(tenant: Tenant) -> None:
    asked, listed = await two_tills(tenant)
    payment, item = await pend(tenant, asked)

    await confirm(tenant, told_of(listed, short_code=STORE_NUMBER))
    await call_back(tenant, asked, item, checkout_id(payment))

    assert (await read(tenant, payment.id)).receipt == "TKX0000001"
    assert (await books(tenant, asked), await books(tenant, listed)) == (CREDITED, NOTHING)


async def test_a_busy_till_never_credits_the_first_payer_who_fits(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    first, _ = await pend(tenant, shop, phone=Phone("+254711111001"))
    for number in range(CANDIDATES_MAX):
        await pend(tenant, shop, phone=Phone(f"+2547222221{number:02}"))
    payment, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop))

    assert [(await read(tenant, id_)).status for id_ in (first.id, payment.id)] == ["pending", "pending"]
    assert await books(tenant, shop) == PARKED


async def test_a_busy_tills_money_finds_its_payer(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL)
    for number in range(CANDIDATES_MAX):
        await pend(tenant, shop, phone=Phone(f"+2547222221{number:02}"))
    payment, _ = await pend(tenant, shop)

    await confirm(tenant, told_of(shop))

    assert (await read(tenant, payment.id)).status == "succeeded"
    assert await books(tenant, shop) == CREDITED
