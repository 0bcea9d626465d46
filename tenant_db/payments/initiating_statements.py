"""The statements of a new payment; built once, for hundreds of payments a second run them."""

from datetime import datetime
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import CTE, FromClause, Select, Table, bindparam, func, literal, null, select
from sqlalchemy.dialects.postgresql import insert

from core.currency import Currency
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.customers.models import Customer
from tenant_db.payments import rules
from tenant_db.payments.models import Payment, PaymentEvent
from tenant_db.stores.models import Store


class Place(NamedTuple):
    """Where the money is to go, as one look-up finds it."""

    channel_id: UUID
    status: str
    currency: Currency
    environment: str
    short_code: str
    provider_account_id: UUID
    provider: str
    is_enabled: bool
    store_id: UUID | None
    closed_at: datetime | None


_ACCOUNTS: Final = cast("Table", ProviderAccount.__table__)
_CHANNELS: Final = cast("Table", Channel.__table__)
_CUSTOMERS: Final = cast("Table", Customer.__table__)
_PAYMENTS: Final = cast("Table", Payment.__table__)
_EVENTS: Final = cast("Table", PaymentEvent.__table__)
_STORES: Final = cast("Table", Store.__table__)

# Columns of tables, not of models: every payment asks this, and the ORM has nothing to add to it.
PLACE: Final = (
    select(
        _CHANNELS.c.id.label("channel_id"),
        _CHANNELS.c.status,
        _CHANNELS.c.currency,
        _CHANNELS.c.environment,
        _CHANNELS.c.short_code,
        _ACCOUNTS.c.id.label("provider_account_id"),
        _ACCOUNTS.c.provider,
        _ACCOUNTS.c.is_enabled,
        _STORES.c.id.label("store_id"),
        _STORES.c.closed_at,
    )
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _CHANNELS.c.provider_account_id)
    # Outer, so that a store that is missing can be told from a channel that is.
    .outerjoin(
        _STORES,
        _STORES.c.id == func.coalesce(bindparam("store", type_=_STORES.c.id.type), _CHANNELS.c.store_id),
    )
    .where(_CHANNELS.c.id == bindparam("channel"))
)

PAYMENT_COLUMNS: Final = tuple(column.name for column in _PAYMENTS.columns)


def writing(source: FromClause | None = None) -> tuple[Select[tuple[UUID]], tuple[CTE, CTE]]:
    """The payer's id, and the payment with its first event, as parts of one statement.

    With a `source`, of at most one row, nothing is written where it has none.
    """
    payer = _payer(source)
    names = list(PAYMENT_COLUMNS)
    values = [
        payer.c.id if column.name == "customer_id" else bindparam(column.name, type_=column.type)
        for column in _PAYMENTS.columns
    ]
    payment = insert(_PAYMENTS).from_select(names, select(*values), include_defaults=False).cte("payment")
    return select(payer.c.id), (payment, _event(payer))


def _payer(source: FromClause | None) -> CTE:
    given = {
        "id": "new_customer_id",
        "created_at": "created_at",
        "phone": "phone",
        "name": "customer_name",
        "email": "customer_email",
    }
    row = select(*(bindparam(bound, type_=_CUSTOMERS.c[name].type) for name, bound in given.items()))
    if source is not None:
        row = row.select_from(source)
    new_customer = insert(_CUSTOMERS).from_select(list(given), row, include_defaults=False)
    told = new_customer.excluded
    return (
        new_customer.on_conflict_do_update(
            index_elements=["phone"],
            set_={
                "name": func.coalesce(told.name, _CUSTOMERS.c.name),
                "email": func.coalesce(told.email, _CUSTOMERS.c.email),
            },
        )
        .returning(_CUSTOMERS.c.id)
        .cte("payer")
    )


def _event(payer: CTE) -> CTE:
    columns = _EVENTS.c
    values: dict[str, Any] = {
        "id": bindparam("event_id", type_=columns.id.type),
        "created_at": bindparam("created_at", type_=columns.created_at.type),
        "payment_id": bindparam("id", type_=columns.payment_id.type),
        "version": bindparam("version", type_=columns.version.type),
        "from_status": null(),
        "to_status": bindparam("status", type_=columns.to_status.type),
        "sub_status": null(),
        "cause": literal(rules.Cause.API.value, columns.cause.type),
        "details": literal({}, columns.details.type),
    }
    row = select(*values.values()).select_from(payer)
    return insert(_EVENTS).from_select(list(values), row, include_defaults=False).cte("event")


def _write() -> Select[tuple[UUID]]:
    payer_id, rows = writing()
    return payer_id.add_cte(*rows)


WRITE: Final = _write()
"""A payment, its first event and its payer: three rows in one statement. Gives the payer's id."""
