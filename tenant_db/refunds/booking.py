"""What refunds do to the books: the money leaves the holding that the payment came to.

It is taken from the store that the payment credited, or from suspense where its store had refused it.
"""

from datetime import datetime
from typing import Final

from core.ids import Kind, outside
from tenancy.sessions import TenantSession
from tenant_db.ledger.accounts import holding, open_account
from tenant_db.ledger.commands import NewHold, PostHold, VoidHold
from tenant_db.ledger.holding import place_hold, post_hold, void_hold
from tenant_db.ledger.rules import TransferKind
from tenant_db.payments.crediting import place_of
from tenant_db.payments.models import Payment
from tenant_db.refunds.errors import PaymentNotRefundable
from tenant_db.refunds.excess import release_excess
from tenant_db.refunds.models import Refund
from tenant_db.refunds.taking import TakenBack, credited_account, give_back, take_back

NOT_DELIVERED: Final = "The provider could not deliver the refund."


async def set_aside(session: TenantSession, payment: Payment, refund: Refund, now: datetime) -> None:
    """Hold the refund's amount, under the payment's lock: nobody else may have it meanwhile.

    What was paid beyond the payment's amount comes to the store first, which gives it back.

    Raises:
        PaymentNotRefundable: the payment was never booked.
        LedgerRefusal: the store has not that much, or its account is closed.
    """
    source = await credited_account(session, payment)
    if source is None:
        raise PaymentNotRefundable(payment.status, "its money was never booked.")
    await release_excess(session, payment)
    hold = NewHold(
        source_id=source,
        destination_id=await open_account(
            session, holding(place_of(payment), payment.currency), spread=payment.id
        ),
        amount=refund.amount,
        kind=TransferKind.REFUND,
        reference=outside(Kind.PAYMENT, payment.id),
        idempotency_key=f"refund:{refund.id}",
        details={"refund": outside(Kind.REFUND, refund.id)},
    )
    refund.hold_id = (await place_hold(session, hold, now)).id


async def take(session: TenantSession, refund: Refund, now: datetime) -> None:
    """Book what the provider gave back, and what was set aside for it."""
    if refund.hold_id is None:
        raise ValueError("nothing was set aside for this refund")
    refund.transfer_id = (await post_hold(session, PostHold(refund.hold_id), now)).id


async def let_go(session: TenantSession, refund: Refund, now: datetime) -> None:
    """Free what was set aside: the money stays."""
    if refund.hold_id is None:
        raise ValueError("nothing was set aside for this refund")
    await void_hold(session, VoidHold(refund.hold_id), now)


async def take_unasked(session: TenantSession, payment: Payment, refund: Refund) -> str | None:
    """Book what has gone without being set aside; None, or why suspense bears it."""
    taken = await take_back(
        session,
        payment,
        TakenBack(
            refund.amount,
            TransferKind.REFUND,
            f"refund:{refund.id}",
            {"refund": outside(Kind.REFUND, refund.id)},
        ),
    )
    refund.transfer_id = taken.transfer_id
    return taken.trouble


async def bring_back(session: TenantSession, payment: Payment, refund: Refund) -> str | None:
    """Book money that came back because it could not be delivered; None, or why it is in suspense."""
    if refund.transfer_id is None:
        raise ValueError("only a refund that was booked can come back")
    returned = await give_back(session, payment, refund.transfer_id, refund.amount, NOT_DELIVERED)
    refund.reversal_id = returned.transfer_id
    return returned.trouble
