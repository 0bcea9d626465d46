"""Maps between the words of adapters and those of the payments' own rules."""

from typing import assert_never

from core.ids import Kind, outside
from integrations import protocol
from integrations.protocol import Intent
from integrations.protocol import Question as Asked
from jobs.work import Work
from tenant_db.payments import rules
from tenant_db.payments.attempts import Attempt
from tenant_db.payments.polling import Question
from tenant_db.payments.rules import Answer, FailureReason, NotPaid, Paid, Told


def as_told(answer: protocol.Paid | protocol.NotPaid) -> Told:
    """What an adapter tells for good."""
    if isinstance(answer, protocol.Paid):
        return Paid(answer.amount, answer.receipt, answer.fee, answer.excess)
    return NotPaid(FailureReason(answer.reason.value), answer.code, answer.message, answer.is_sure)


def as_answer(answer: protocol.Answer) -> Answer:
    """What an adapter answers, in the words of the payments' own rules."""
    match answer:
        case protocol.Paid() | protocol.NotPaid():
            return as_told(answer)
        case protocol.Authorized():
            return rules.Authorized(answer.amount)
        case protocol.StillPending():
            failed = answer.failed_attempt
            told = None if failed is None else as_told(failed)
            return rules.StillPending(answer.next_action, told if isinstance(told, NotPaid) else None)
        case protocol.Mismatch():
            return rules.Mismatch(answer.why)
        case _:
            assert_never(answer)


def asked_of(work: Work, question: Question) -> Asked:
    """A question about one payment, in the words of adapters."""
    return Asked(
        provider_reference=question.provider_reference,
        amount=question.amount,
        payment_id=outside(Kind.PAYMENT, question.payment_id),
        tenant=outside(Kind.TENANT, work.tenant.id),
        request_reference=question.request_reference,
    )


def intent_of(work: Work, attempt: Attempt, callback_url: str = "") -> Intent:
    """An attempt, in the words of adapters; the same each time, but for the address of its callback."""
    return Intent(
        payment_id=outside(Kind.PAYMENT, attempt.payment_id),
        tenant=outside(Kind.TENANT, work.tenant.id),
        attempt_key=attempt.attempt_key,
        amount=attempt.amount,
        reference=attempt.reference,
        description=attempt.description,
        method=attempt.method,
        capture=attempt.capture,
        phone=attempt.phone,
        email=attempt.email,
        payer_name=attempt.payer_name,
        callback_url=callback_url,
        return_url=attempt.return_url,
        sent_at=attempt.sent_at,
    )
