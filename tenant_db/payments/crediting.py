"""Brings collected money into the books: to its store, or to suspense while its payment is not known.

Money on a channel or a provider account lies in the tenant's own custody: its `holding:…` grows with
every receipt, and the same amount is either a store's or in suspense, never both.
"""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import select

from core.ids import Kind, outside
from core.money import Money
from tenancy.sessions import TenantSession
from tenant_db.channels.sharing import codes_sharing
from tenant_db.ledger.accounts import (
    Holding,
    available,
    holding,
    open_accounts,
    provider_fees,
    suspense,
)
from tenant_db.ledger.errors import LedgerRefusal
from tenant_db.ledger.posting import NewTransfer, post, post_linked
from tenant_db.ledger.rules import Overdraft, TransferKind
from tenant_db.payments.models import Confirmation, Payment
from tenant_db.payments.reviewing import flag
from tenant_db.payments.rules import Cause, ConfirmationState
from tenant_db.reviews.rules import ReviewCause


def place_of(payment: Payment) -> Holding:
    """Where the money of a payment lies."""
    if payment.channel_id is not None:
        return Holding.of_channel(payment.channel_id)
    return Holding.of_provider_account(payment.provider_account_id)


async def credit(session: TenantSession, payment: Payment, cause: Cause) -> None:
    """Post a settled payment once, under its row's lock: from its holding, or from suspense.

    It comes from suspense where a confirmation had told of the same receipt before anybody could
    say whose money it is. Where the store's account refuses it (closed, or full), the money goes to
    suspense and the payment to review: it did come in.
    """
    place = place_of(payment)
    parked = await _parked(session, payment)
    if parked is not None and parked.channel_id != payment.channel_id:
        # M-Pesa named a number of several tills, and it waits at another one than it was paid to.
        await _take_out(session, payment, parked)
        parked = None
    source, waiting, store = await open_accounts(
        session,
        holding(place, payment.currency),
        suspense(place, payment.currency),
        available(payment.store_id, place, payment.currency),
        spread=payment.id if parked is None else _name(parked),
    )
    sale = NewTransfer(
        source_id=source if parked is None else waiting,
        destination_id=store,
        amount=payment.due,
        kind=TransferKind.SALE,
        reference=outside(Kind.PAYMENT, payment.id),
        idempotency_key=f"sale:{payment.id}",
    )
    try:
        # What is refused goes to suspense in the same transaction, so that is locked in its turn now.
        await post(session, sale, also_locking={waiting})
    except LedgerRefusal as refusal:
        note = f"Its store could not be credited: {refusal.message}"
        flag(session, payment, note, cause, ReviewCause.NOT_CREDITED)
        if parked is None:
            await _post_aside(session, payment, source, waiting)
        return
    if parked is not None:
        _resolve(parked, payment)


async def charge_fee(session: TenantSession, payment: Payment, fee: Money, cause: Cause) -> None:
    """Post what the provider kept of a credited payment, once, under the payment's lock.

    The store bears it, whatever its balance is; it leaves what lies at the provider. The fee is the
    first that was told: a later one that differs is shown to a person.
    """
    if payment.fee_minor is not None or not fee.minor:
        if payment.fee_minor not in {None, fee.minor}:
            flag(session, payment, f"The provider first told a fee of {payment.fee_minor}, now {fee}.", cause)
        return
    if fee.currency is not payment.currency:
        flag(session, payment, f"The provider's fee of {fee} is in another currency, and not booked.", cause)
        return
    try:
        await post_fee(session, payment, fee, (f"fee:{payment.id}", f"fee-kept:{payment.id}"))
    except LedgerRefusal as refusal:
        flag(session, payment, f"The provider's fee of {fee} is not booked: {refusal.message}", cause)
        return
    payment.fee_minor = fee.minor


async def post_fee(
    session: TenantSession,
    payment: Payment,
    fee: Money,
    keys: tuple[str, str],
    details: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Post what a provider kept: the store bears it, and it leaves what lies at the provider.

    `keys` are the idempotency keys of the two transfers, in this order. The store's balance may fall
    below its floor.

    Raises:
        LedgerRefusal: an account is closed or full; nothing was posted.
        CurrencyMismatch: the fee is not in the payment's currency.
    """
    place = place_of(payment)
    store, fees, source = await open_accounts(
        session,
        available(payment.store_id, place, payment.currency),
        provider_fees(payment.currency),
        holding(place, payment.currency),
        spread=payment.id,
    )
    reference, (borne, kept) = outside(Kind.PAYMENT, payment.id), keys
    news = [
        NewTransfer(
            *(store, fees, fee, TransferKind.FEE, reference, borne),
            overdraft=Overdraft.ALLOWED,
            details=dict(details),
        ),
        NewTransfer(*(fees, source, fee, TransferKind.TRANSFER, reference, kept), details=dict(details)),
    ]
    await post_linked(session, news)


async def put_excess_aside(session: TenantSession, payment: Payment, excess: Money) -> None:
    """Put what came in beyond a payment's amount into suspense, once, under the payment's lock."""
    place = place_of(payment)
    source, waiting = await open_accounts(
        session,
        holding(place, payment.currency),
        suspense(place, payment.currency),
        spread=payment.id,
    )
    await post(
        session,
        NewTransfer(
            source_id=source,
            destination_id=waiting,
            amount=excess,
            kind=TransferKind.TRANSFER,
            reference=outside(Kind.PAYMENT, payment.id),
            idempotency_key=f"excess:{payment.id}",
        ),
    )


async def park(session: TenantSession, confirmation: Confirmation) -> None:
    """Put money whose payment is not known into suspense, under its receipt's lock."""
    place = Holding.of_channel(confirmation.channel_id)
    source, waiting = await open_accounts(
        session,
        holding(place, confirmation.currency),
        suspense(place, confirmation.currency),
        spread=_name(confirmation),
    )
    await post(
        session,
        NewTransfer(
            source_id=source,
            destination_id=waiting,
            amount=confirmation.amount,
            kind=TransferKind.TRANSFER,
            reference=confirmation.receipt,
            idempotency_key=f"suspense:{_name(confirmation)}",
        ),
    )


async def clear_suspense(session: TenantSession, payment: Payment) -> None:
    """Take a credited payment's money out of suspense, where its confirmation had put it a second time.

    The payment was settled by a query, which tells no receipt; only now are the two known to be one.
    """
    parked = await _parked(session, payment)
    if parked is not None:
        await _take_out(session, payment, parked)


async def _take_out(session: TenantSession, payment: Payment, parked: Confirmation) -> None:
    place = Holding.of_channel(parked.channel_id)
    source, waiting = await open_accounts(
        session,
        holding(place, payment.currency),
        suspense(place, payment.currency),
        spread=_name(parked),
    )
    await post(
        session,
        NewTransfer(
            source_id=waiting,
            destination_id=source,
            amount=payment.amount,
            kind=TransferKind.ADJUSTMENT,
            reference=outside(Kind.PAYMENT, payment.id),
            idempotency_key=f"suspense-cleared:{_name(parked)}",
        ),
    )
    _resolve(parked, payment)


async def _post_aside(session: TenantSession, payment: Payment, source: UUID, waiting: UUID) -> None:
    await post(
        session,
        NewTransfer(
            source_id=source,
            destination_id=waiting,
            amount=payment.due,
            kind=TransferKind.TRANSFER,
            reference=outside(Kind.PAYMENT, payment.id),
            idempotency_key=f"sale-aside:{payment.id}",
        ),
    )


async def _parked(session: TenantSession, payment: Payment) -> Confirmation | None:
    if payment.receipt is None:
        return None
    return await session.scalar(
        select(Confirmation)
        .where(
            Confirmation.environment == payment.environment,
            Confirmation.short_code.in_(codes_sharing(payment.channel_id)),
            Confirmation.receipt == payment.receipt,
            Confirmation.state == ConfirmationState.SUSPENSE,
        )
        .with_for_update()
    )


def _resolve(parked: Confirmation, payment: Payment) -> None:
    parked.state = ConfirmationState.RESOLVED.value
    parked.payment_id = payment.id


def _name(confirmation: Confirmation) -> str:
    return f"{confirmation.environment}:{confirmation.short_code}:{confirmation.receipt}"
