"""Whose money it is that was typed to an account, and whether it is welcome."""

from typing import Any

import pytest
from sqlalchemy import select, update

from core.alerts import AlertKind
from core.clock import utc_now
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from core.money import Money
from tenancy.sessions import Tenant
from tenant_db.alerts.models import Alert
from tenant_db.channels.activating import suspend
from tenant_db.channels.changing import make_primary
from tenant_db.channels.errors import AccountTaken
from tenant_db.channels.machine import AccountMatch, ChannelKind
from tenant_db.channels.mapping import (
    AccountPattern,
    NewAccount,
    accounts_of,
    best_fit,
    map_account,
    unmap_account,
)
from tenant_db.channels.models import Channel, ChannelAccount
from tenant_db.channels.validating import ByHand, Unwelcome, names_something, rules_of
from tenant_db.payments.candidates import NewConfirmation
from tenant_db.payments.matching import settle_by_confirmation
from tenant_db.payments.models import Confirmation
from tenant_db.payments.settling import Settled
from tenant_db.stores.models import Store
from tests.bookkeeping import require_true_books
from tests.factories.orders import make_order, read_order
from tests.factories.payments import Shop, make_shop, pend, read
from tests.factories.stores import make_store


def entries(*patterns: str) -> list[ChannelAccount]:
    found = [AccountPattern.of(pattern) for pattern in patterns]
    return [
        ChannelAccount(id=new_id(), match=each.match.value, pattern=each.text, label=str(each))
        for each in found
    ]


@pytest.mark.parametrize(
    ("account", "winner"),
    [
        ("VIP001", "VIP001"),
        (" vip001 ", "VIP001"),
        ("VIP0011", "VIP00*"),
        ("VIP9", "VIP*"),
        ("vip", "VIP*"),
        ("VI", "*"),
        ("", "*"),
        ("NOBODY", "*"),
    ],
)
def test_the_longest_entry_that_fits_wins(account: str, winner: str) -> None:
    mapped = entries("*", "VIP*", "VIP00*", "VIP001")

    assert [
        found.label for found in (best_fit(mapped, account), best_fit(mapped[::-1], account)) if found
    ] == [
        winner,
        winner,
    ]


def test_without_a_default_an_unknown_account_fits_nothing() -> None:
    assert best_fit(entries("VIP*", "INV1"), "OTHER") is None
    assert best_fit([], "OTHER") is None


@pytest.mark.parametrize("written", ["", "  ", "**", "A*B", "*A", "A" * 21, "A\x00"])
def test_what_no_payer_could_have_typed_is_no_pattern(written: str) -> None:
    with pytest.raises(InvalidInput):
        AccountPattern.of(written)


async def test_an_entry_is_added_once_and_taken_out(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    new = NewAccount(AccountPattern.of("vip*"), shop.store_id, "Guests")
    async with tenant.transaction() as session:
        entry = await map_account(session, shop.channel_id, new)
    with pytest.raises(AccountTaken):
        async with tenant.transaction() as session:
            await map_account(session, shop.channel_id, new)
    with pytest.raises(NotFound):
        async with tenant.transaction() as session:
            await map_account(session, shop.channel_id, NewAccount(AccountPattern.of("*"), new_id()))

    assert (entry.match, entry.pattern) == (AccountMatch.PREFIX, "VIP")
    async with tenant.transaction() as session:
        assert await unmap_account(session, entry.id) == shop.channel_id
        assert await accounts_of(session, shop.channel_id) == []
    with pytest.raises(NotFound):
        async with tenant.transaction() as session:
            await unmap_account(session, entry.id)


async def mapped(tenant: Tenant, shop: Shop, **patterns: Store) -> None:
    async with tenant.transaction() as session:
        for name, store in patterns.items():
            written = name.replace("_", "*")
            await map_account(
                session, shop.channel_id, NewAccount(AccountPattern.of(written), store.id, name)
            )


async def paid_by_hand(
    tenant: Tenant, shop: Shop, account: str, receipt: str, minor: int = 100_000
) -> Settled:
    new = NewConfirmation(
        shop.channel_id,
        shop.short_code,
        receipt,
        Money(minor, Currency.KES),
        account,
        "2547 ***** 001",
        utc_now(),
    )
    async with tenant.transaction() as session:
        return await settle_by_confirmation(session, new, utc_now())


async def test_money_by_hand_is_credited_where_it_belongs_or_waits_for_people(tenant: Tenant) -> None:
    shop, branch = await make_shop(tenant), await make_store(tenant)
    await mapped(tenant, shop, VIP_=branch)
    order = await make_order(tenant, shop, reference="INV-7")
    open_payment, _ = await pend(tenant, shop)

    to_branch = await paid_by_hand(tenant, shop, "vip7", "TKX0000001")
    to_order = await paid_by_hand(tenant, shop, "inv-7", "TKX0000002", order.sums.due.minor)
    to_nobody = await paid_by_hand(tenant, shop, "OTHER", "TKX0000003")
    to_prompt = await paid_by_hand(
        tenant, shop, open_payment.reference.lower(), "TKX0000004", open_payment.amount_minor
    )
    again = await paid_by_hand(tenant, shop, "vip7", "TKX0000001")

    assert to_branch.payment_id is not None
    assert to_order.payment_id is not None
    own = await read(tenant, to_branch.payment_id)
    assert (own.store_id, own.status, own.sub_status, own.phone) == (
        branch.id,
        "succeeded",
        "c2b_received",
        None,
    )
    assert (await read(tenant, to_order.payment_id)).order_reference == "INV-7"
    assert (await read_order(tenant, order.id)).status == "paid"
    assert (to_nobody.payment_id, again.payment_id) == (None, own.id)
    assert (await read(tenant, open_payment.id)).receipt == "TKX0000004"
    assert to_prompt.payment_id == open_payment.id
    async with tenant.reading() as session:
        state = select(Confirmation.state).where(Confirmation.receipt == "TKX0000003")
        assert await session.scalar(state) == "suspense"
        alert = select(Alert.kind).where(Alert.kind == AlertKind.MONEY_IN_SUSPENSE)
        assert await session.scalar(alert) is not None
    await require_true_books(tenant)


async def test_a_payment_by_hand_is_judged_by_the_channels_rules(tenant: Tenant) -> None:
    shop, branch = await make_shop(tenant), await make_store(tenant)
    await mapped(tenant, shop, VIP_=branch)
    await make_order(tenant, shop, reference="INV-7")
    payment, _ = await pend(tenant, shop)

    async def judged(account: str = "VIP1", minor: int = 1_000, code: str | None = None) -> Unwelcome | None:
        asked = ByHand(code or shop.short_code, account, Money(minor, Currency.KES))
        async with tenant.reading() as session:
            rules = await rules_of(session, shop.channel_id)
            assert rules is not None
            unwelcome = rules.judge(asked)
            if unwelcome is Unwelcome.ACCOUNT and await names_something(session, shop.channel_id, asked):
                return None
            return unwelcome

    async def change(model: type[Any], id: Any, **values: object) -> None:  # noqa: ANN401 - an id
        async with tenant.transaction() as session:
            await session.execute(update(model).where(model.id == id).values(**values))

    assert await judged("ANYTHING") is None, "a channel that does not say so turns no account away"
    await change(Channel, shop.channel_id, refuses_unknown_accounts=True, least_minor=1_000, most_minor=5_000)
    assert await judged() is None
    assert await judged("ANYTHING") is Unwelcome.ACCOUNT
    assert await judged("inv-7") is None
    assert await judged(payment.reference) is None
    assert await judged(minor=900) is Unwelcome.AMOUNT
    assert await judged(minor=5_100) is Unwelcome.AMOUNT
    assert await judged(code="600999") is Unwelcome.SHORT_CODE
    await change(Store, branch.id, closed_at=utc_now())
    assert await judged() is Unwelcome.OTHER
    async with tenant.transaction() as session:
        await suspend(session, shop.channel_id, "Stocktaking")
    assert await judged() is Unwelcome.SHORT_CODE


async def test_a_tills_both_numbers_are_its_own(tenant: Tenant) -> None:
    shop = await make_shop(tenant, kind=ChannelKind.TILL, head_office_code="5100000")
    async with tenant.reading() as session:
        rules = await rules_of(session, shop.channel_id)

    assert rules is not None
    for code, unwelcome in ((shop.short_code, None), ("5100000", None), ("999999", Unwelcome.SHORT_CODE)):
        assert rules.judge(ByHand(code, "", Money(1_000, Currency.KES))) is unwelcome


async def test_a_store_has_one_primary_channel(tenant: Tenant) -> None:
    first = await make_shop(tenant)
    second = await make_shop(tenant, short_code="600111")
    async with tenant.transaction() as session:
        moved = update(Channel).where(Channel.id == second.channel_id).values(store_id=first.store_id)
        await session.execute(moved)
    for shop in (first, second, second):
        async with tenant.transaction() as session:
            await make_primary(session, shop.channel_id)

    async with tenant.reading() as session:
        shown = {
            id_: (await session.get_one(Channel, id_)).is_primary
            for id_ in (first.channel_id, second.channel_id)
        }
    assert shown == {first.channel_id: False, second.channel_id: True}
