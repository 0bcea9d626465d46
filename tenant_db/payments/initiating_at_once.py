"""The usual new payment as one statement: its key, payer, payment, event, act and job, or none of them."""

from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, exists

from core.currency import Currency
from core.errors import DomainError
from tenancy.acts import Act, Job, act_rows, act_values
from tenancy.idempotency import Once, record_values, taking
from tenancy.metrics import PAYMENTS
from tenancy.prepared import Prepared
from tenancy.sessions import AfterCommit, Tenant
from tenant_db.audit.models import TenantAudit
from tenant_db.idempotency.models import TenantIdempotency
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.initiating import NewPayment, require_open, require_texts, values_of
from tenant_db.payments.initiating_statements import LATER, PLACE, Place, writing
from tenant_db.payments.stepping import notices_of

_KEY: Final = "key_"
_KEYS: Final = cast("Table", TenantIdempotency.__table__)


async def find_place(tenant: Tenant, new: NewPayment, once: Once) -> Place | None:
    """Where the money is to go; None where something speaks against it, which a transaction will say.

    That may be a key that was used before, an order, which is locked first, a provider account that
    has no channel, or any refusal.
    """
    if new.order_reference is not None or new.channel_id is None or new.phone is None:
        return None
    given = {"channel": new.channel_id, "store": new.store_id, "operation": once.operation, "key": once.key}
    rows = await tenant.rows(_LOOK.sql, *_LOOK.arguments(given))
    if not rows:
        return None
    *found, is_used = rows[0]
    place = Place._make(found)._replace(currency=Currency(found[2]))
    if is_used or place.store_id is None:
        return None
    try:
        require_texts(new)
        require_open(place, new)
    except DomainError:
        return None
    return place


async def write_payment(
    tenant: Tenant, new: NewPayment, place: Place, now: datetime, *, once: Once, act: Act, job: Job
) -> dict[str, Any] | None:
    """Write everything, and give the payment's columns; None where a twin has the key: nothing is written.

    Raises:
        TenantNotServed, TransactionInterrupted: as `Tenant.write`.
        asyncpg.LockNotAvailableError: a twin, or who writes of the same payer, took too long.
    """
    values = values_of(new, place, now)
    given = values | record_values(once, _KEY) | act_values(act, job, now)
    after = AfterCommit(notices_of(new.id, 1, values["status"]), {job.queue: now.timestamp()})
    rows = await tenant.write(_WRITE.sql, *_WRITE.arguments(given), after=after)
    if not rows:
        return None
    PAYMENTS.labels(place.provider, values["status"]).inc()
    return dict.fromkeys(LATER) | values | {"customer_id": rows[0][0]}


def _look() -> Prepared:
    is_used = exists().where(
        _KEYS.c.operation == bindparam("operation", type_=_KEYS.c.operation.type),
        _KEYS.c.key == bindparam("key", type_=_KEYS.c.key.type),
    )
    return Prepared(PLACE.add_columns(is_used.label("is_used")))


def _write() -> Prepared:
    taken = taking(_KEYS, _KEY).cte("taken")
    payer_id, rows = writing(taken)
    acts = act_rows(cast("Table", TenantAudit.__table__), cast("Table", TenantOutbox.__table__), taken)
    return Prepared(payer_id.add_cte(*rows, *acts))


_LOOK: Final = _look()
_WRITE: Final = _write()
