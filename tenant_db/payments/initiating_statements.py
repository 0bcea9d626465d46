"""The statements of a new payment; built once, for hundreds of payments a second run them."""

from datetime import datetime
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import CTE, FromClause, Select, Table, and_, bindparam, func, literal, null, select
from sqlalchemy.dialects.postgresql import insert

from core.currency import Currency
from tenant_db.channels.machine import ChannelStatus
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount
from tenant_db.customers.models import Customer
from tenant_db.payments import rules
from tenant_db.payments.models import Payment, PaymentEvent
from tenant_db.stores.models import Store


class Place(NamedTuple):
    """Where the money is to go, as one look-up finds it."""

    channel_id: UUID | None
    status: str
    currency: Currency
    environment: str
    short_code: str | None
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

_OTHERS: Final = _CHANNELS.alias("others")
_FIRST_CHANNEL: Final = (
    select(func.min(_OTHERS.c.created_at))
    .where(_OTHERS.c.provider_account_id == _ACCOUNTS.c.id)
    .correlate(_ACCOUNTS)
    .scalar_subquery()
)
ACCOUNT_PLACE: Final = (
    select(
        _CHANNELS.c.id.label("channel_id"),
        func.coalesce(_CHANNELS.c.status, ChannelStatus.ACTIVE.value).label("status"),
        _CHANNELS.c.currency,
        _ACCOUNTS.c.environment,
        _CHANNELS.c.short_code,
        _ACCOUNTS.c.id.label("provider_account_id"),
        _ACCOUNTS.c.provider,
        _ACCOUNTS.c.is_enabled,
        _STORES.c.id.label("store_id"),
        _STORES.c.closed_at,
        _ACCOUNTS.c.currencies,
    )
    .select_from(_ACCOUNTS)
    # M-Pesa collects on the account's short code; the others have none.
    .outerjoin(
        _CHANNELS,
        and_(_CHANNELS.c.provider_account_id == _ACCOUNTS.c.id, _CHANNELS.c.created_at == _FIRST_CHANNEL),
    )
    .outerjoin(
        _STORES,
        _STORES.c.id == func.coalesce(bindparam("store", type_=_STORES.c.id.type), _CHANNELS.c.store_id),
    )
    .where(_ACCOUNTS.c.id == bindparam("account"))
)
"""As `PLACE`, of a provider account; with the currencies it collects."""

LATER: Final = frozenset(
    {
        "sub_status",
        "next_action",
        "failure_code",
        "failure_message",
        "item_hash",
        "provider_reference",
        "request_reference",
        "receipt",
        "review_note",
        "authorized_minor",
        "captured_minor",
        "fee_minor",
        "submitted_at",
        "settled_at",
    }
)
"""Columns that are empty until somebody else writes them."""
WRITTEN: Final = tuple(column.name for column in _PAYMENTS.columns if column.name not in LATER)


def writing(source: FromClause | None = None) -> tuple[Select[tuple[UUID]], tuple[CTE, CTE]]:
    """The payer's id, and the payment with its first event, as parts of one statement.

    With a `source`, of at most one row, nothing is written where it has none.
    """
    payer = _payer(source)
    return select(payer.c.id), (_payment(payer), _event(payer))


def _payment(payer: CTE | None) -> CTE:
    columns = _PAYMENTS.c
    values = [
        bindparam(name, type_=columns[name].type) if payer is None or name != "customer_id" else payer.c.id
        for name in WRITTEN
    ]
    return insert(_PAYMENTS).from_select(WRITTEN, select(*values), include_defaults=False).cte("payment")


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


def _event(payer: CTE | None) -> CTE:
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
    row = select(*values.values())
    if payer is not None:
        row = row.select_from(payer)
    return insert(_EVENTS).from_select(list(values), row, include_defaults=False).cte("event")


def _write() -> Select[tuple[UUID]]:
    payer_id, rows = writing()
    return payer_id.add_cte(*rows)


WRITE: Final = _write()
"""A payment, its first event and its payer: three rows in one statement. Gives the payer's id."""
WRITE_UNNAMED: Final = select(null()).add_cte(_payment(None), _event(None))
"""The same of a payer whose phone nobody told, and who is no customer yet."""
