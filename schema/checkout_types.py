"""The page where an order is paid, as its payer sees it."""

from datetime import datetime

import strawberry

from core.collecting import Method
from core.ids import Kind, outside
from resolvers.checkout import ByHand as ByHandView
from resolvers.checkout import Checkout as CheckoutView
from schema.collecting import NextAction
from schema.errors import Error, Refusal
from schema.order_types import OrderItem
from schema.scalars import Money
from tenant_db.orders import wording
from tenant_db.orders.errors import MethodNotAvailable
from tenant_db.orders.machine import OrderStatus
from tenant_db.orders.wording import Way
from tenant_db.payments.machine import CANCELLED, EXPIRED, FAILED, PaymentStatus
from tenant_db.payments.models import Payment as PaymentRow


@strawberry.type(description="The order can't be paid this way at the moment.")
class MethodNotAvailableError(Error):
    pass


REFUSALS = (Refusal(MethodNotAvailable, MethodNotAvailableError),)


@strawberry.type(description="One way to pay the order now.")
class CheckoutMethod:
    method: Method = strawberry.field(description="What to send to `payCheckout`.")
    provider: str = strawberry.field(description="Who would collect, such as `mpesa`.")
    label: str = strawberry.field(description="What to call it, in English.")
    hint: str = strawberry.field(description="What will happen, in one sentence.")
    needs_phone: bool = strawberry.field(description="Whether `payCheckout` needs the payer's phone.")
    needs_email: bool = strawberry.field(description="Whether it needs the payer's e-mail address.")

    @classmethod
    def of(cls, way: Way) -> "CheckoutMethod":
        return cls(
            method=way.method,
            provider=way.provider,
            label=way.label,
            hint=way.hint,
            needs_phone=way.needs_phone,
            needs_email=way.needs_email,
        )


@strawberry.type(description="How to pay from the phone's own M-Pesa menu.")
class CheckoutByHand:
    short_code: str = strawberry.field(description="The business number of the PayBill.")
    account: str = strawberry.field(description="The account number to type.")
    amount: Money = strawberry.field(description="How much.")

    @classmethod
    def of(cls, by_hand: ByHandView) -> "CheckoutByHand":
        return cls(short_code=by_hand.short_code, account=by_hand.account, amount=Money.of(by_hand.amount))


@strawberry.type(description="The attempt that has paid the order, or the newest one.")
class CheckoutAttempt:
    id: strawberry.ID = strawberry.field(description="The payment's id, for questions to the shop.")
    status: PaymentStatus = strawberry.field(description="Where it stands.")
    method: Method = strawberry.field(description="How it is paid.")
    provider: str = strawberry.field(description="Who collects, such as `mpesa`.")
    instructions: str = strawberry.field(description="What the payer does now, or what happens.")
    next_action: NextAction | None = strawberry.field(description="The same for programs, if there is any.")
    estimated_completion_at: datetime | None = strawberry.field(
        description="When it is probably decided; null where nobody can say."
    )
    failure: str | None = strawberry.field(description="Why it came to nothing, in plain words.")
    receipt: str | None = strawberry.field(description="The provider's receipt number, once it is known.")

    @classmethod
    def of(cls, row: PaymentRow, now: datetime) -> "CheckoutAttempt":
        action = row.action
        has_failed = row.state in {FAILED, EXPIRED, CANCELLED}
        return cls(
            id=strawberry.ID(outside(Kind.PAYMENT, row.id)),
            status=row.state,
            method=Method(row.method),
            provider=row.provider,
            instructions=wording.next_step(row),
            next_action=None if action is None else NextAction.of(action),
            estimated_completion_at=wording.estimated_completion(row, now),
            failure=wording.failure(row) if has_failed else None,
            receipt=row.receipt,
        )


@strawberry.type(description="An order on its own page: what is owed, and how it can be paid.")
class Checkout:
    business_name: str = strawberry.field(description="Who is paid.")
    store_name: str = strawberry.field(description="The shop of that business.")
    reference: str = strawberry.field(description="The order's name.")
    description: str = strawberry.field(description="What it is for.")
    items: list[OrderItem] = strawberry.field(description="What was ordered.")
    total: Money = strawberry.field(description="What the items come to.")
    paid: Money = strawberry.field(description="What has come in.")
    due: Money = strawberry.field(description="What is to be paid now.")
    status: OrderStatus = strawberry.field(description="Where the order stands.")
    expires_at: datetime = strawberry.field(description="Until when it can be paid.")
    paid_at: datetime | None = strawberry.field(description="When it was paid in full.")
    methods: list[CheckoutMethod] = strawberry.field(
        description="The ways to pay it now; none while an attempt may still be paid, or when it has ended."
    )
    by_hand: CheckoutByHand | None = strawberry.field(
        description="How to pay it from the phone's menu; null where that would not be noticed."
    )
    attempt: CheckoutAttempt | None = strawberry.field(description="Null until somebody has tried to pay.")
    version: int = strawberry.field(
        description="Grows with every change: of two states, the one with the higher version is newer."
    )

    @classmethod
    def of(cls, view: CheckoutView) -> "Checkout":
        order, sums = view.order, view.order.sums
        return cls(
            business_name=view.business,
            store_name=view.store,
            reference=order.reference,
            description=order.description,
            items=[OrderItem.of(item, order) for item in view.items],
            total=Money.of(sums.total),
            paid=Money.of(sums.paid),
            due=Money.of(sums.due),
            status=view.status,
            expires_at=order.expires_at,
            paid_at=order.paid_at,
            methods=[CheckoutMethod.of(way) for way in view.ways],
            by_hand=None if view.by_hand is None else CheckoutByHand.of(view.by_hand),
            attempt=None if view.attempt is None else CheckoutAttempt.of(view.attempt, view.now),
            version=view.version,
        )
