"""Refusals of refunding.

DomainError
├── RefundNotOffered          the provider gives no money back through us
├── PartialRefundNotOffered   it gives back all of a payment or nothing
├── PaymentNotRefundable      nothing was paid, or it can't be given back now
├── PaymentNotCaptured        the money is only promised: cancel the payment instead
└── RefundTooMuch             more than is left of the payment

The last three depend on state, so an idempotency key remembers them; their arguments are plain.
"""

from core.errors import DomainError
from core.money import Money


class RefundNotOffered(DomainError):
    """The provider gives no money back through us."""

    code = "REFUND_NOT_OFFERED"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} gives no money back from here. Refund it at the provider.")
        self.provider = provider


class PartialRefundNotOffered(DomainError):
    """The provider gives back all of a payment or nothing."""

    code = "PARTIAL_REFUND_NOT_OFFERED"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} gives back the whole payment or nothing: leave out the amount.")
        self.provider = provider


class PaymentNotRefundable(DomainError):
    """Nothing was paid, or it can't be given back as it stands."""

    code = "PAYMENT_NOT_REFUNDABLE"
    is_stored = True

    def __init__(self, status: str, why: str) -> None:
        super().__init__(f"This payment is {status} and can't be refunded: {why}")
        self.status = status
        self.why = why


class PaymentNotCaptured(DomainError):
    """The money is only promised: cancel the payment instead."""

    code = "PAYMENT_NOT_CAPTURED"
    is_stored = True

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"{payment_id} is authorized and not captured: nothing was taken yet. Cancel it.")
        self.payment_id = payment_id
        """As clients see it."""


class RefundTooMuch(DomainError):
    """More than is left of the payment, refunds under way taken off."""

    code = "REFUND_TOO_MUCH"
    is_stored = True

    def __init__(self, left: Money) -> None:
        super().__init__(f"{left} is left of this payment, refunds under way and disputes taken off.")
        self.left = left
