"""What is done to a payment on its way: a payer's step handed on, authorised money captured."""

from collections.abc import Mapping
from uuid import UUID

from core.errors import InvalidInput
from core.ids import Kind, outside
from core.money import Money
from resolvers.idempotency import once, run_once
from resolvers.payments import PaymentView
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenancy.sessions import TenantSession
from tenant_db.payments import capturing, payer_steps
from tenant_db.payments.models import Payment

VALUE_CHARACTERS_MAX = 500


async def confirm_payment(
    context: TenantContext, id: UUID, values: Mapping[str, str], idempotency_key: str
) -> PaymentView:
    """Seal what the payer entered and leave it to a job; it is forgotten once it was handed on.

    Needs payments:write. The key stands for the names of the values only: even a digest of a code of
    few digits would give it away.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        InvalidInput: nothing was entered, or a value is too long.
        NotFound, NotWaiting: there is no such payment, or it does not wait for its payer.
    """
    context.require(Scope.PAYMENTS_WRITE)
    for name, value in values.items():
        if not value or len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
            raise InvalidInput(name, f"Send 1 to {VALUE_CHARACTERS_MAX} printable characters.")
    if not values:
        raise InvalidInput("input", "Send what the payer entered.")
    given = {"payment": str(id), "entered": sorted(values)}
    wanted = once(context, "confirm_payment", idempotency_key, input=given, ids={"payment": id})

    async def effect(session: TenantSession) -> PaymentView:
        now = context.services.clock()
        kept = await payer_steps.keep_step(session, context.services.keyring, id, values, now)
        record_audit(session, acting(context), "confirm_payment", subject=outside(Kind.PAYMENT, id))
        return PaymentView.of(kept)

    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def capture_payment(
    context: TenantContext, id: UUID, amount: Money | None, idempotency_key: str
) -> PaymentView:
    """Have authorised money taken, all of it or a part, by a job. Needs payments:write.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: as `run_once`.
        NotFound, NotWaiting, WrongCurrency, CaptureTooMuch, InvalidInput: as `capturing.request_capture`.
    """
    context.require(Scope.PAYMENTS_WRITE)
    wanted_amount = None if amount is None else [str(amount.minor), amount.currency.value]
    given = {"payment": str(id), "amount": wanted_amount}
    wanted = once(context, "capture_payment", idempotency_key, input=given, ids={"payment": id})

    async def effect(session: TenantSession) -> PaymentView:
        asked = await capturing.request_capture(session, id, amount)
        details = {"amount_minor": str(asked.captured_minor)}
        subject = outside(Kind.PAYMENT, id)
        record_audit(session, acting(context), "capture_payment", subject=subject, details=details)
        return PaymentView.of(asked)

    return await run_once(context.tenant.transaction, wanted, effect, _reload)


async def _reload(session: TenantSession, ids: Mapping[str, UUID]) -> PaymentView:
    return PaymentView.of(await session.get_one(Payment, ids["payment"]))
