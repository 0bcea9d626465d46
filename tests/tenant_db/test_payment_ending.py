"""What stays of a payment that came to nothing."""

from typing import Final

from core.clock import utc_now
from tenancy.sessions import Tenant
from tenant_db.payments.answering import settle_by_answer
from tenant_db.payments.rules import FailureReason, NotPaid, StillPending
from tests.factories.payments import make_shop, pend, read
from tests.factories.telling import ask

DECLINED: Final = NotPaid(FailureReason.CARD_EXPIRED, "expired_card", "The card has expired.")
GIVEN_UP: Final = NotPaid(FailureReason.CANCELLED_BY_MERCHANT, "abandoned", "The payment was given up.")
ENDS: Final = [
    (DECLINED, True, "expired", DECLINED),
    (None, True, "expired", GIVEN_UP),
    (DECLINED, False, "cancelled", GIVEN_UP),
]
"""What the payer was told, whether the payer's time is over; then the status, and the reason that stays."""


async def test_the_last_decline_stays_the_reason_where_the_payers_time_was_over(tenant: Tenant) -> None:
    shop = await make_shop(tenant)
    for told, is_over, status, reason in ENDS:
        payment, _ = await pend(tenant, shop)
        async with tenant.transaction() as session:
            await settle_by_answer(session, payment.id, StillPending(failed_attempt=told), utc_now())

        await ask(tenant, payment, GIVEN_UP, payment.expires_at if is_over else utc_now())

        ended = await read(tenant, payment.id)
        assert (ended.status, ended.failure_code) == (status, reason.reason.value)
        assert ended.failure_message == reason.message
