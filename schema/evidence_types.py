"""What stands beside a question for people, as clients of both schemas see it."""

import json
from datetime import datetime
from typing import Final

import strawberry

from core.ids import Kind, outside
from schema.scalars import Money
from tenant_db.calls.models import ProviderCall
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.refunds.models import Refund
from tenant_db.reviews.evidence import Evidence, Message, Step

TEXT_CHARACTERS_MAX: Final = 4_000
"""What is shown of one logged request or answer."""


@strawberry.type(description="One thing that happened.")
class EvidenceStep:
    at: datetime = strawberry.field(description="When.")
    from_status: str | None = strawberry.field(description="Where it stood, in lower case.")
    to_status: str = strawberry.field(description="Where it stood then, in lower case.")
    cause: str = strawberry.field(description="What made it, such as `callback` or `query`.")
    details: str = strawberry.field(description="What else was noted, as JSON.")

    @classmethod
    def of(cls, step: Step) -> "EvidenceStep":
        return cls(
            at=step.at,
            from_status=step.from_status,
            to_status=step.to_status,
            cause=step.cause,
            details=shortened(step.details),
        )


@strawberry.type(description="One call to the provider, without secrets and without whole phone numbers.")
class EvidenceCall:
    at: datetime = strawberry.field(description="When.")
    provider: str = strawberry.field(description="Who was called.")
    operation: str = strawberry.field(description="What was asked, such as `stk_query`.")
    outcome: str = strawberry.field(description="`answered`, `unavailable` or `unknown`.")
    status: int | None = strawberry.field(description="The HTTP status; null where no answer came.")
    request: str = strawberry.field(description="What was sent, as JSON; at most 4,000 characters.")
    response: str | None = strawberry.field(description="What was answered, as JSON; shortened likewise.")
    duration_ms: int = strawberry.field(description="How long it took.")

    @classmethod
    def of(cls, row: ProviderCall) -> "EvidenceCall":
        return cls(
            at=row.created_at,
            provider=row.provider,
            operation=row.operation,
            outcome=row.outcome,
            status=row.status,
            request=shortened(row.request),
            response=None if row.response is None else shortened(row.response),
            duration_ms=row.duration_ms,
        )


@strawberry.type(description="A provider's message, by what proves it.")
class EvidenceMessage:
    source: str = strawberry.field(description="Where it came to, such as `mpesa:…`.")
    kind: str = strawberry.field(description="Which of the provider's messages it is.")
    received_at: datetime = strawberry.field(description="When it came.")
    state: str = strawberry.field(description="`received`, `processed` or `quarantined`.")
    note: str | None = strawberry.field(description="Why it was set aside.")
    size_bytes: int = strawberry.field(description="How long it is.")
    sha256: str = strawberry.field(description="SHA-256 of its bytes, in hexadecimal.")

    @classmethod
    def of(cls, message: Message) -> "EvidenceMessage":
        return cls(
            source=message.source,
            kind=message.kind,
            received_at=message.received_at,
            state=message.state,
            note=message.note,
            size_bytes=message.size_bytes,
            sha256=message.sha256,
        )


@strawberry.type(description="Money that a provider says came in, told without our asking.")
class EvidenceConfirmation:
    receipt: str = strawberry.field(description="The provider's name of the money.")
    amount: Money = strawberry.field(description="How much.")
    account: str = strawberry.field(description="What the payer typed; empty for a till.")
    payer: str = strawberry.field(description="The payer's number, as far as the provider tells it.")
    paid_at: datetime = strawberry.field(description="When it was paid.")
    state: str = strawberry.field(description="`matched`, `suspense` or `resolved`.")
    note: str | None = strawberry.field(description="Why nobody was credited.")

    @classmethod
    def of(cls, row: Confirmation) -> "EvidenceConfirmation":
        return cls(
            receipt=row.receipt,
            amount=Money.of(row.amount),
            account=row.account,
            payer=row.payer,
            paid_at=row.paid_at,
            state=row.state,
            note=row.note,
        )


@strawberry.type(description="What the question is about, as it stands now.")
class EvidenceSubject:
    id: strawberry.ID = strawberry.field(description="The payment's or refund's id.")
    status: str = strawberry.field(description="Where it stands, in lower case.")
    amount: Money = strawberry.field(description="How much.")
    provider: str = strawberry.field(description="Whose.")
    provider_reference: str | None = strawberry.field(description="The provider's own id.")
    receipt: str | None = strawberry.field(description="The payment's receipt; null for a refund.")
    order_reference: str | None = strawberry.field(description="The payment's order; null for a refund.")

    @classmethod
    def of_payment(cls, row: Payment) -> "EvidenceSubject":
        return cls(
            id=strawberry.ID(outside(Kind.PAYMENT, row.id)),
            status=row.status,
            amount=Money.of(row.amount),
            provider=row.provider,
            provider_reference=row.provider_reference,
            receipt=row.receipt,
            order_reference=row.order_reference,
        )

    @classmethod
    def of_refund(cls, row: Refund) -> "EvidenceSubject":
        return cls(
            id=strawberry.ID(outside(Kind.REFUND, row.id)),
            status=row.status,
            amount=Money.of(row.amount),
            provider=row.provider,
            provider_reference=row.provider_reference,
            receipt=None,
            order_reference=None,
        )


@strawberry.type(description="What stands beside a question: everything that is known of it.")
class ReviewEvidence:
    payment: EvidenceSubject | None = strawberry.field(description="The payment it is about, if any.")
    refund: EvidenceSubject | None = strawberry.field(description="The refund it is about, if any.")
    confirmation: EvidenceConfirmation | None = strawberry.field(description="The money it is about, if any.")
    message: EvidenceMessage | None = strawberry.field(description="The message it is about, if any.")
    steps: list[EvidenceStep] = strawberry.field(description="What happened, the oldest first; at most 50.")
    calls: list[EvidenceCall] = strawberry.field(
        description="What the provider was asked and answered, the oldest first; at most 20."
    )

    @classmethod
    def of(cls, found: Evidence) -> "ReviewEvidence":
        return cls(
            payment=None if found.payment is None else EvidenceSubject.of_payment(found.payment),
            refund=None if found.refund is None else EvidenceSubject.of_refund(found.refund),
            confirmation=None if found.confirmation is None else EvidenceConfirmation.of(found.confirmation),
            message=None if found.message is None else EvidenceMessage.of(found.message),
            steps=[EvidenceStep.of(step) for step in found.steps],
            calls=[EvidenceCall.of(call) for call in found.calls],
        )


def shortened(value: object) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)[:TEXT_CHARACTERS_MAX]
