"""What is paid by hand: each way of telling it ends in its place in the books; each rule has its answer."""

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from sqlalchemy import select

from core.clock import utc_now
from core.ids import new_id
from core.phone import Phone
from integrations.sandbox import demo
from tenancy.sessions import Tenant
from tenant_db.channels.machine import ChannelKind, ChannelStatus
from tenant_db.channels.mapping import AccountPattern, NewAccount, map_account
from tenant_db.channels.models import Channel
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.stores.models import Store
from tests.factories.journeys import Journey
from tests.factories.ledger import require_sound_books
from tests.factories.orders import make_order
from tests.factories.outcomes import Standing, standing_of
from tests.factories.payments import PHONE, Books, Shop, books, initiate

WHOLE: Final = "1500.00"
OPEN: Final[dict[str, Any]] = {"kind": "withheld_callback", "query": "pending", "c2b": "never"}
CREDITED: Final = Standing("succeeded", credited=150_000)
FLAGGED: Final = Standing("pending", review="contradiction")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the money of one receipt is."""

    state: str | None
    """Of its confirmation; None where nothing is kept of it."""
    payment: Standing | None = None
    """The payment it was matched with."""


MATCHED: Final = Place("matched", CREDITED)
SUSPENSE: Final = Place("suspense")


async def place_of(tenant: Tenant, receipt: str) -> Place:
    async with tenant.reading() as session:
        row = await session.scalar(select(Confirmation).where(Confirmation.receipt == receipt))
    if row is None:
        return Place(None)
    return Place(row.state, None if row.payment_id is None else await standing_of(tenant, row.payment_id))


async def prompts(journey: Journey, tenant: Tenant, count: int) -> list[Payment]:
    """Payments that nobody has answered yet, each of a phone of its own."""
    made = []
    for number in range(count):
        phone = Phone(f"+254{711_000_000 + number}")
        await journey.sandbox.control_next(OPEN, phone=phone.digits)
        made.append(await journey.initiate(tenant, phone=phone))
        await journey.run(tenant)
    return made


async def know(tenant: Tenant, shop: Shop, pattern: str, store_id: UUID | None = None) -> None:
    async with tenant.transaction() as session:
        await map_account(
            session, shop.channel_id, NewAccount(AccountPattern.of(pattern), store_id or shop.store_id)
        )


def message(receipt: str, **changes: object) -> bytes:
    """A confirmation or a validation as M-Pesa sends it."""
    body = {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20261121121325",
        "TransAmount": "1500.00",
        "BusinessShortCode": demo.DEMO_PAYBILL,
        "BillRefNumber": "VIP001",
        "MSISDN": "2547 ***** 001",
        **changes,
    }
    return orjson.dumps(body)


PLACES: Final[dict[str, Place]] = {
    "TKXANN0001": MATCHED,
    "TKXANN0002": MATCHED,
    "TKXANN0003": SUSPENSE,
    "TKXANN0004": Place("matched", replace(CREDITED, review="contradiction")),
    "TKXANN0005": SUSPENSE,
    "TKXANN0006": MATCHED,
    "TKXMASKED": MATCHED,
    "TKXHASHED": MATCHED,
    "TKXCLEAR": MATCHED,
    "TKXORDER01": MATCHED,
    "TKXNOBODY1": SUSPENSE,
    "TKXNOTHING": SUSPENSE,
    "TKXELSE001": SUSPENSE,
    "TKXBAD0001": Place(None),
    "TKXFORGED1": Place(None),
}
"""Where each receipt ends that the two functions below tell of."""


async def pay(
    journey: Journey, shop: Shop, reference: str, receipt: str, amount: str = WHOLE, **more: str
) -> None:
    await journey.sandbox.pay_by_hand(
        shop.short_code, amount, PHONE.digits, reference, receipt=receipt, **more
    )


async def pay_announced(journey: Journey, tenant: Tenant, shop: Shop, path: str) -> Payment:
    """For prompts that are open; gives the one that was paid with another amount."""
    announced, spelled, other_amount, twice, repeated = await prompts(journey, tenant, 5)
    await pay(journey, shop, announced.reference, "TKXANN0001")
    await pay(journey, shop, f" {spelled.reference.lower()} ", "TKXANN0002")
    await pay(journey, shop, other_amount.reference, "TKXANN0003", "1499.00")
    await pay(journey, shop, twice.reference, "TKXANN0004")
    await pay(journey, shop, twice.reference, "TKXANN0004")
    await journey.run(tenant)
    # A second receipt for what is paid, and a known receipt with another amount than before.
    await pay(journey, shop, twice.reference, "TKXANN0005")
    await pay(journey, shop, repeated.reference, "TKXANN0006")
    await journey.run(tenant)
    await journey.post(path, message("TKXANN0006", TransAmount="15.00"))
    return other_amount


async def pay_unannounced(journey: Journey, tenant: Tenant, shop: Shop, path: str) -> None:
    order = await make_order(tenant, shop, reference="order-77")
    for masking in ("masked", "hashed", "clear"):
        account = "vip 7" if masking == "clear" else "VIP7"
        await pay(journey, shop, account, f"TKX{masking.upper()}", masking=masking)
    await pay(journey, shop, order.reference, "TKXORDER01")
    await pay(journey, shop, "NOBODY", "TKXNOBODY1")
    await pay(journey, shop, "", "TKXNOTHING")
    await journey.post(path, message("TKXELSE001", BusinessShortCode="999999"))
    await journey.post(path, message("TKXBAD0001", TransAmount="much"))
    forged = await journey.post(f"/hooks/{'0' * 32}", message("TKXFORGED1"))
    assert forged.status_code == 404
    await journey.run(tenant)


async def test_every_confirmation_ends_in_its_place(journey: Journey, tenant: Tenant) -> None:
    shop = await journey.open_shop(tenant)
    await know(tenant, shop, "VIP*")
    (urls,) = (await journey.sandbox.book())["urls"]
    path = urlsplit(urls["confirmation_url"]).path

    other_amount = await pay_announced(journey, tenant, shop, path)
    await pay_unannounced(journey, tenant, shop, path)

    assert {receipt: await place_of(tenant, receipt) for receipt in PLACES} == PLACES
    assert await standing_of(tenant, other_amount.id) == FLAGGED
    states = [each.state for each in await journey.messages(tenant)]
    assert states.count("quarantined") == 2, "another amount for a known receipt, and what can't be read"
    credited, parked = 8 * 150_000, 149_900 + 4 * 150_000
    assert await books(tenant, shop) == Books(credited + parked, credited, parked)
    await require_sound_books(tenant)


async def closed_store(tenant: Tenant) -> UUID:
    store = Store(
        id=new_id(), name="Closed", code=new_id().hex, time_zone="Africa/Nairobi", closed_at=utc_now()
    )
    async with tenant.transaction() as session:
        session.add(store)
    return store.id


ANSWERS: Final[dict[str, list[dict[str, str]]]] = {
    "0": [{}, {"BillRefNumber": " vip9 "}, {"TransAmount": "100"}, {"TransAmount": "5000.00"}],
    "C2B00012": [{"BillRefNumber": "NOBODY"}, {"BillRefNumber": ""}],
    "C2B00013": [{"TransAmount": "99.99"}, {"TransAmount": "5000.01"}],
    "C2B00015": [{"BusinessShortCode": "999999"}],
    "C2B00016": [{"BillRefNumber": "OLD1"}, {"TransAmount": "much"}],
}
"""What is asked of a channel with all rules, by its answer."""


async def ruled_channel(journey: Journey, tenant: Tenant) -> list[str]:
    """A PayBill with every rule there is; gives references that it knows beside its accounts."""
    shop = await journey.open_shop(tenant)
    await know(tenant, shop, "VIP*")
    await know(tenant, shop, "OLD*", await closed_store(tenant))
    order = await make_order(tenant, shop, reference="order-77")
    prompt = await initiate(tenant, shop, now=journey.clock())
    async with tenant.transaction() as session:
        channel = await session.get_one(Channel, shop.channel_id)
        channel.refuses_unknown_accounts = True
        channel.least_minor, channel.most_minor = 10_000, 500_000
    return [order.reference, prompt.reference]


async def test_every_rule_of_a_channel_has_its_answer_to_a_validation(
    journey: Journey, tenant: Tenant
) -> None:
    known = [{"BillRefNumber": reference} for reference in await ruled_channel(journey, tenant)]
    suspended = await journey.open_shop(tenant, ChannelKind.TILL)
    async with tenant.transaction() as session:
        (await session.get_one(Channel, suspended.channel_id)).status = ChannelStatus.SUSPENDED.value
    registered = (await journey.sandbox.book())["urls"]
    paths = {each["short_code"]: urlsplit(each["validation_url"]).path for each in registered}
    paybill = paths.pop(demo.DEMO_PAYBILL)
    (till,) = paths.values()

    for code, asked in {**ANSWERS, "0": [*ANSWERS["0"], *known]}.items():
        for changes in asked:
            told = await journey.post(paybill, message("TKX0000002", **changes))
            word = "Accepted" if code == "0" else "Rejected"
            assert (told.status_code, told.json()) == (200, {"ResultCode": code, "ResultDesc": word}), changes

    body = message(
        "TKX0000002", BusinessShortCode=demo.DEMO_TILL, TransactionType="Customer Merchant Payment"
    )
    told = await journey.post(till, body)
    assert told.json() == {"ResultCode": "C2B00015", "ResultDesc": "Rejected"}
    assert await journey.messages(tenant) == []
