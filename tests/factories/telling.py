"""What providers tell about payments, and the books it should leave."""

from datetime import UTC, datetime
from uuid import UUID

from core.clock import utc_now
from tenancy.sessions import Tenant
from tenant_db.payments.matching import NewConfirmation, settle_by_confirmation
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import FailureReason, NotPaid, Paid, Told
from tenant_db.payments.settling import Callback, Settled, settle_by_answer, settle_by_callback
from tests.factories.payments import AMOUNT, Books, Shop

CREDITED = Books(150_000, 150_000, 0)
NOTHING = Books(0, 0, 0)
PARKED = Books(150_000, 0, 150_000)
PAID = Paid(AMOUNT, "TKX0000001")
DECLINED = NotPaid(FailureReason.CANCELLED_BY_PAYER, "1032", "Request cancelled by user")
SILENT = NotPaid(FailureReason.NO_ANSWER, "1037", "No response from user", is_sure=False)
POOR = NotPaid(FailureReason.INSUFFICIENT_FUNDS, "1", "The balance is insufficient")


async def call_back(
    tenant: Tenant,
    shop: Shop,
    item_hash: bytes,
    reference: str,
    told: Told = PAID,
    *,
    answer: Told | None = None,
    now: datetime | None = None,
    channel_id: UUID | None = None,
) -> Settled:
    callback = Callback(channel_id or shop.channel_id, item_hash, reference, told)
    async with tenant.transaction() as session:
        return await settle_by_callback(session, callback, now or utc_now(), answer)


async def ask(tenant: Tenant, payment: Payment, answer: Told, now: datetime | None = None) -> Settled:
    async with tenant.transaction() as session:
        return await settle_by_answer(session, payment.id, answer, now or utc_now())


def told_of(shop: Shop, payment: Payment | None = None, **changes: object) -> NewConfirmation:
    values: dict[str, object] = {
        "channel_id": shop.channel_id,
        "short_code": shop.short_code,
        "receipt": "TKX0000001",
        "amount": AMOUNT,
        "account": payment.reference if payment else "",
        "payer": "2547 ***** 001",
        "paid_at": datetime.now(UTC),
        **changes,
    }
    return NewConfirmation(**values)  # type: ignore[arg-type]  # the names are checked when it is made


async def confirm(tenant: Tenant, new: NewConfirmation) -> Settled:
    async with tenant.transaction() as session:
        return await settle_by_confirmation(session, new, utc_now())
