"""Refusals of orders.

DomainError
├── OrderReferenceTaken   another order or payment of this business has the reference
├── OrderNotOpen          it is paid, cancelled or expired
├── AmountNotDue          an attempt must be for what is still due
└── MethodNotAvailable    nobody collects it this way now

OrderNotOpen depends on state, so an idempotency key remembers it. A reference may be one we have made, what
is due changes, and so does who collects: the others leave the key free.
"""

from core.errors import DomainError
from core.money import Money


class OrderReferenceTaken(DomainError):
    """Another order or payment of this business has this reference; choose another one."""

    code = "ORDER_REFERENCE_TAKEN"

    def __init__(self, order_reference: str) -> None:
        super().__init__(
            f"The reference {order_reference} is taken, in capital or small letters. Choose another one."
        )
        self.order_reference = order_reference


class OrderNotOpen(DomainError):
    """The order is paid, cancelled or expired."""

    code = "ORDER_NOT_OPEN"
    is_stored = True

    def __init__(self, status: str) -> None:
        super().__init__(f"This order is {status}. Make a new one.")
        self.status = status


class AmountNotDue(DomainError):
    """An attempt to collect an order must be for exactly what is still due."""

    code = "AMOUNT_NOT_DUE"

    def __init__(self, due: Money) -> None:
        super().__init__(f"{due} is due for this order. Ask for exactly that.")
        self.due = due


class MethodNotAvailable(DomainError):
    """Nobody collects this order this way at the moment; choose another way."""

    code = "METHOD_NOT_AVAILABLE"

    def __init__(self) -> None:
        super().__init__("This can't be paid this way at the moment. Choose another way.")
