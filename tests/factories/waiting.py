"""A payment of one channel that waits, the messages that tell of it, and every row it leaves."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.inbox import NewMessage, store
from tenancy.sessions import Tenant
from tenant_db.calls.recording import NewCall
from tenant_db.inbox.models import TenantInbox
from tenant_db.inbox.processing import close, take
from tenant_db.ledger.accounts import Holding, available, holding, open_accounts
from tenant_db.ledger.models import Transfer
from tenant_db.payments.matching import settle_by_confirmation
from tenant_db.payments.models import Confirmation, Payment, PaymentEvent
from tenant_db.payments.settling import Callback, settle_by_callback
from tenant_db.payments.submitting_at_once import Asking, Seen, claim_at_once, confirm_at_once
from tests.factories.payments import Shop, checkout_id, initiate, make_shop, read
from tests.factories.telling import PAID, told_of

NOW: Final = utc_now()
CALL: Final = NewCall("mpesa", "stk_push", "POST", "/stk", {}, 200, {}, "answered", 7)
SHORT_CODES: Final = ("174379", "600000")
OWN: Final = frozenset(
    {
        "id",
        "created_at",
        "reference",
        "payment_id",
        "item_hash",
        "provider_reference",
        "external_id",
        "source",
        "store_id",
        "channel_id",
        "provider_account_id",
        "customer_id",
        "short_code",
        "account",
        "source_id",
        "destination_id",
        "idempotency_key",
        "effective_at",
        "transaction_id",
    }
)
"""What differs between the payments of any two shops."""


@dataclass(frozen=True)
class Waiting:
    """A payment that waits, and the messages that tell of it."""

    shop: Shop
    payment: Payment
    callback: Callback
    told: UUID
    confirmed: UUID


async def waiting(tenant: Tenant, short_code: str = SHORT_CODES[0]) -> Waiting:
    """A payment as jobs send it, whose ledger accounts are open."""
    shop = await make_shop(tenant, short_code=short_code)
    payment = await initiate(tenant, shop, now=NOW)
    item = payment.id.bytes * 2
    asking = Asking("payments", "poll_payment", 10)
    assert await claim_at_once(tenant, Seen(payment.id, 1, payment.store_id), item, NOW, asking)
    assert await confirm_at_once(tenant, payment.id, item, (checkout_id(payment), "1111-1"), CALL)
    place = Holding.of_channel(shop.channel_id)
    plans = holding(place, Currency.KES), available(shop.store_id, place, Currency.KES)
    async with tenant.transaction() as session:
        await open_accounts(session, *plans, spread=payment.id)
        told = await store(session, _message(shop, "stk_result", item))
        confirmed = await store(session, _message(shop, "c2b_confirmation", None))
    assert told is not None
    assert confirmed is not None
    callback = Callback(shop.channel_id, item, checkout_id(payment), PAID)
    return Waiting(shop, await read(tenant, payment.id), callback, told, confirmed)


def _message(shop: Shop, kind: str, item: bytes | None) -> NewMessage:
    return NewMessage(f"mpesa:{shop.channel_id}", kind, new_id().hex, {}, b"{}", item)


async def by_verbs(tenant: Tenant, one: Waiting) -> None:
    async with tenant.transaction() as session:
        message = await take(session, one.told)
        assert message is not None
        await settle_by_callback(session, one.callback, NOW)
        close(message, NOW)


async def confirm_by_verbs(tenant: Tenant, one: Waiting) -> None:
    async with tenant.transaction() as session:
        message = await take(session, one.confirmed)
        assert message is not None
        await settle_by_confirmation(session, told_of(one.shop, one.payment, paid_at=NOW), NOW)
        close(message, NOW)


async def left(tenant: Tenant, one: Waiting) -> dict[str, object]:
    """Every row that is about the payment, without what is its own."""
    about = {
        Payment: Payment.id == one.payment.id,
        PaymentEvent: PaymentEvent.payment_id == one.payment.id,
        Transfer: Transfer.reference == outside(Kind.PAYMENT, one.payment.id),
        Confirmation: Confirmation.short_code == one.shop.short_code,
        TenantInbox: TenantInbox.source == f"mpesa:{one.shop.channel_id}",
    }
    async with tenant.reading() as session:
        found = {
            table.__tablename__: (
                await session.scalars(select(table).where(which).order_by(table.__table__.c.id))
            ).all()
            for table, which in about.items()
        }
    return {name: [_plain(row) for row in rows] for name, rows in found.items()}


def _plain(row: object) -> dict[str, object]:
    columns = row.__table__.columns  # type: ignore[attr-defined] # a row of the ORM
    return {column.name: getattr(row, column.name) for column in columns if column.name not in OWN}
