"""Keeps what the payer has to do next, and how the last try went, for whoever shows the payment."""

from core.collecting import NextAction
from tenancy.sessions import TenantSession
from tenant_db.payments.models import Payment
from tenant_db.payments.rules import Cause, StillPending, SubStatus
from tenant_db.payments.stepping import remark


def show(session: TenantSession, payment: Payment, told: StillPending, cause: Cause) -> bool:
    """Keep it on a locked payment that stays open; says whether any of it is new.

    An answer without an action takes none away: a page that was given to the payer is still there.
    """
    details: dict[str, str | int] = {}
    action = None if told.next_action is None else _written(told.next_action)
    if action is not None and action != payment.next_action:
        payment.next_action = action
        payment.sub_status = SubStatus.REQUIRES_ACTION.value
        details["action"] = str(action["kind"])
    failed = told.failed_attempt
    if failed is not None and (payment.failure_code, payment.failure_message) != (
        failed.reason.value,
        failed.message,
    ):
        payment.failure_code, payment.failure_message = failed.reason.value, failed.message
        payment.sub_status = SubStatus.PAYER_DECLINED.value
        details |= {"declined": failed.reason.value, "code": failed.code}
    if details:
        remark(session, payment, cause, **details)
    return bool(details)


def _written(action: NextAction) -> dict[str, object]:
    return {
        "kind": action.kind.value,
        "instructions": action.instructions,
        "url": action.url,
        "data": dict(action.data),
    }
