"""How far a payment is, for the screen that a payer or a cashier looks at."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import payments, payments_feed
from resolvers.payments import PaymentView
from schema.collecting import NextAction
from tenancy.context import TenantContext
from tenant_db.payments.guiding import expected_end, instructions
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import shown_action

PaymentId = Annotated[strawberry.ID, strawberry.argument(description="Starts with pay_.")]


@strawberry.type(description="How far a payment is, and what its payer does next.")
class PaymentProgress:
    payment_id: strawberry.ID = strawberry.field(description="The payment; starts with pay_.")
    status: PaymentStatus = strawberry.field(description="Where it stands.")
    sub_status: str | None = strawberry.field(description="The provider's own step, for display only.")
    next_action: NextAction | None = strawberry.field(
        description="What the payer has to do now; null where there is nothing."
    )
    instructions: str = strawberry.field(description="One sentence for the payer.")
    estimated_completion_at: datetime | None = strawberry.field(
        description="When it will probably have ended; null where it has, or where nobody can say."
    )
    version: int = strawberry.field(
        description="Grows with every change: of two states, the one with the higher version is newer."
    )

    @classmethod
    def of(cls, view: PaymentView, now: datetime) -> "PaymentProgress":
        action = None if view.next_action is None else shown_action(view.next_action)
        return cls(
            payment_id=strawberry.ID(outside(Kind.PAYMENT, view.id)),
            status=view.status,
            sub_status=view.sub_status,
            next_action=None if action is None else NextAction.of(action),
            instructions=instructions(view.status, view.method, action),
            estimated_completion_at=expected_end(
                view.status, view.method, view.submitted_at or view.created_at, view.expires_at, now
            ),
            version=view.version,
        )


@strawberry.type(description="How far a payment is.")
class PaymentStatusQueries:
    @strawberry.field(
        description="How far a payment is, and what its payer does next; null if there is no such payment. "
        "Needs payments:read."
    )
    async def payment_status(self, info: Info[TenantContext, None], id: PaymentId) -> PaymentProgress | None:
        view = await payments.payment(info.context, inside(Kind.PAYMENT, id))
        return None if view is None else PaymentProgress.of(view, info.context.services.clock())


@strawberry.type(description="How far a payment is, as it changes.")
class PaymentStatusSubscriptions:
    @strawberry.subscription(
        description="How far a payment is now, then after each change. Needs payments:read. Whoever connects "
        "again gets the present state first, so nothing is missed; the stream stays open after the end."
    )
    async def payment_status(
        self, info: Info[TenantContext, None], id: PaymentId
    ) -> AsyncGenerator[PaymentProgress, None]:
        views = payments_feed.payment_updates(info.context, inside(Kind.PAYMENT, id))
        async with aclosing(views):
            async for view in views:
                yield PaymentProgress.of(view, info.context.services.clock())
