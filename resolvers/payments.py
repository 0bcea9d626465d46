"""Payments: reading them, asking for one, taking one back."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from core.currency import Currency
from core.ids import Kind, outside
from core.pages import Page, PageRequest
from resolvers.idempotency import once, run_once
from resolvers.offers import offers_of
from resolvers.prompts import spare_the_phone
from tenancy.acts import Act, Job, record_act
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.idempotency import IdempotencyInProgress, Once
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.channels.machine import Environment
from tenant_db.payments import cancelling, initiating
from tenant_db.payments.errors import NobodyCollects
from tenant_db.payments.initiating import NewPayment
from tenant_db.payments.initiating_at_once import find_place, write_payment
from tenant_db.payments.machine import PaymentStatus
from tenant_db.payments.models import Payment
from tenant_db.payments.rerouting import needs, route
from tenant_db.routing.rules import Wanted

PAYMENTS_QUEUE: Final = "payments"


class PaymentView(NamedTuple):
    """A payment as it is shown: read without the ORM, for pages are the hottest path there is."""

    id: UUID
    created_at: datetime
    status: PaymentStatus
    environment: Environment
    amount_minor: int
    currency: Currency
    authorized_minor: int | None
    captured_minor: int | None
    fee_minor: int | None
    next_action: Mapping[str, Any] | None
    phone: str | None
    reference: str
    order_reference: str | None
    description: str
    store_id: UUID
    channel_id: UUID | None
    provider: str
    provider_account_id: UUID
    method: str
    capture_mode: str
    sub_status: str | None
    failure_code: str | None
    failure_message: str | None
    receipt: str | None
    version: int
    needs_review: bool
    review_note: str | None
    expires_at: datetime
    submitted_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Payment) -> "PaymentView":
        return cls.of_values({name: getattr(row, name) for name in cls._fields})

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> "PaymentView":
        """From a payment's columns by their names."""
        shown = {name: values[name] for name in cls._fields}
        status, environment = PaymentStatus(shown["status"]), Environment(shown["environment"])
        return cls(**{**shown, "status": status, "environment": environment})


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments a page is of; None is all."""

    status: PaymentStatus | None = None
    store_id: UUID | None = None
    channel_id: UUID | None = None


async def payments(context: TenantContext, request: PageRequest, only: PaymentFilter) -> Page[PaymentView]:
    """One page in one statement. Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    conditions, arguments = _conditions(request, only)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    page = f"ORDER BY created_at DESC, id DESC LIMIT ${len(arguments) + 1}"
    rows = await context.tenant.rows(f"{_SELECT} {where} {page}", *arguments, request.first + 1)
    views = [_view(row) for row in rows[: request.first]]
    return Page(views, has_next=len(rows) > request.first)


async def payment(context: TenantContext, id: UUID) -> PaymentView | None:
    """Needs payments:read. None: this business has no such payment."""
    context.require(Scope.PAYMENTS_READ)
    rows = await context.tenant.rows(f"{_SELECT} WHERE id = $1", id)
    return _view(rows[0]) if rows else None


async def payments_named(context: TenantContext, ids: Collection[UUID]) -> list[PaymentView]:
    """Those of them that this business has, in no order. Needs payments:read."""
    context.require(Scope.PAYMENTS_READ)
    rows = await context.tenant.rows(f"{_SELECT} WHERE id = ANY($1)", list(ids))
    return [_view(row) for row in rows]


async def initiate_payment(context: TenantContext, new: NewPayment, idempotency_key: str) -> PaymentView:
    """Write the payment and leave the provider to a job; nothing outside is called here.

    With neither a channel nor a provider account, routing chooses one. Needs payments:write.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        RateLimited: the phone has had enough prompts.
        NobodyCollects: routing finds no account.
        DomainError: whatever `initiating.initiate_payment` refuses.
    """
    context.require(Scope.PAYMENTS_WRITE)
    wanted = once(context, "initiate_payment", idempotency_key, input=_input(new), ids={"payment": new.id})
    new = replace(new, offers=await offers_of(context.services))

    async def effect(session: TenantSession) -> PaymentView:
        placed = await _placed(context, session, new)
        made = await initiating.initiate_payment(session, placed, context.services.clock())
        # Counted once nothing else can refuse it; a refusal here undoes the rest.
        await spare_the_phone(context.services, context.tenant.id, placed, wanted)
        await record_act(session, *_act_and_job(context, placed))
        return PaymentView.of(made)

    done = await _initiate_at_once(context, new, wanted)
    if done is not None:
        return done
    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def _placed(context: TenantContext, session: TenantSession, new: NewPayment) -> NewPayment:
    """Raises NobodyCollects."""
    if new.channel_id is not None or new.provider_account_id is not None:
        return new
    wanted = Wanted(new.amount, new.method, new.store_id, needs=needs(new.capture))
    chosen = (await route(session, wanted, new.offers, context.services.circuits)).chosen
    if chosen is None:
        raise NobodyCollects
    return replace(new, provider_account_id=chosen.account_id, routed_by_us=True)


async def cancel_payment(context: TenantContext, id: UUID, idempotency_key: str | None = None) -> PaymentView:
    """Take back a payment: at once, or by a job where it was sent. Needs payments:write.

    Without a key, as older clients send it, again changes nothing either.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        NotFound: no such payment.
        PaymentAlreadySent: the payer may have been asked by now, and its provider can't be told.
    """
    context.require(Scope.PAYMENTS_WRITE)
    offers = await offers_of(context.services)

    async def effect(session: TenantSession) -> PaymentView:
        cancelled = await cancelling.cancel_payment(session, id, context.services.clock(), offers)
        record_audit(session, acting(context), "cancel_payment", subject=outside(Kind.PAYMENT, id))
        return PaymentView.of(cancelled)

    if idempotency_key is None:
        async with context.tenant.transaction() as session:
            return await effect(session)
    given, ids = {"payment": str(id)}, {"payment": id}
    wanted = once(context, "cancel_payment", idempotency_key, input=given, ids=ids)
    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def _initiate_at_once(context: TenantContext, new: NewPayment, wanted: Once) -> PaymentView | None:
    """The usual case in two statements, a third of the cost; None, and nothing is done, in every other.

    Raises:
        IdempotencyInProgress: as `run_once`.
        RateLimited: the phone has had enough prompts.
    """
    place = await find_place(context.tenant, new, wanted)
    if place is None:
        return None
    await spare_the_phone(context.services, context.tenant.id, new, wanted)
    now = context.services.clock()
    try:
        act, job = _act_and_job(context, new)
        row = await write_payment(context.tenant, new, place, now, once=wanted, act=act, job=job)
    except asyncpg.LockNotAvailableError as error:
        raise IdempotencyInProgress from error
    return None if row is None else PaymentView.of_values(row)


def _act_and_job(context: TenantContext, new: NewPayment) -> tuple[Act, Job]:
    act = Act(acting(context), "initiate_payment", outside(Kind.PAYMENT, new.id))
    return act, Job("submit_payment", PAYMENTS_QUEUE, {"payment_id": str(new.id)})


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> PaymentView:
    return PaymentView.of(await session.get_one(Payment, ids["payment"]))


def _input(new: NewPayment) -> dict[str, object]:
    return {
        "channel": _text(new.channel_id),
        "account": _text(new.provider_account_id),
        "store": _text(new.store_id),
        "amount": [str(new.amount.minor), new.amount.currency.value],
        "phone": None if new.phone is None else new.phone.e164,
        "description": new.description,
        "order": new.order_reference,
        "customer": [new.customer_name, new.customer_email],
        "way": [new.method.value, new.capture.value, new.return_url],
    }


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def _conditions(request: PageRequest, only: PaymentFilter) -> tuple[list[str], list[object]]:
    """SQL of constant parts, and its arguments in order."""
    conditions: list[str] = []
    arguments: list[object] = []
    if request.after is not None:
        conditions.append("(created_at, id) < ($1, $2)")
        arguments += [request.after.created_at, request.after.id]
    wanted = {"status": only.status, "store_id": only.store_id, "channel_id": only.channel_id}
    for column, value in wanted.items():
        if value is not None:
            arguments.append(value)
            conditions.append(f"{column} = ${len(arguments)}")
    return conditions, arguments


_COLUMNS: Final = ", ".join(
    # Text becomes an int at a tenth of what NUMERIC costs by way of Decimal.
    f"{name}::text" if name.endswith("_minor") else name
    for name in PaymentView._fields
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM payments"  # noqa: S608 - constant names
_STATUSES: Final = {status.value: status for status in PaymentStatus}
_ENVIRONMENTS: Final = {environment.value: environment for environment in Environment}
_CURRENCIES: Final = {currency.value: currency for currency in Currency}


def _view(row: Iterable[Any]) -> PaymentView:
    id_, created_at, status, environment, amount_minor, currency, *rest = row
    authorized, captured, fee, action, *rest = rest
    return PaymentView(
        id_,
        created_at,
        _STATUSES[status],
        _ENVIRONMENTS[environment],
        int(amount_minor),
        _CURRENCIES[currency],
        None if authorized is None else int(authorized),
        None if captured is None else int(captured),
        None if fee is None else int(fee),
        None if action is None else json.loads(action),
        *rest,
    )
