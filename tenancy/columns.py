"""Column types, bases and shared shapes of the tables of both databases."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from core.clock import utc_now
from core.currency import Currency
from core.ids import new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class MinorUnits(TypeDecorator[int]):
    """A whole number of minor units in NUMERIC(38,0): an 18-decimal token fits."""

    impl = Numeric(38, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class CurrencyCode(TypeDecorator[Currency]):
    """A currency as its code, in text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Currency | None, dialect: Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Currency | None:
        return None if value is None else Currency(value)


_TYPES: dict[Any, Any] = {
    str: Text,
    datetime: DateTime(timezone=True),
    bytes: LargeBinary,
    dict[str, Any]: JSONB,
    list[str]: JSONB,
    Currency: CurrencyCode,
}


class OwnerModel(DeclarativeBase):
    """A table of the owner database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES


class TenantModel(DeclarativeBase):
    """A table of every tenant database."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES


def one_of(column: str, values: type[Any]) -> CheckConstraint:
    """The CHECK that keeps a text column to the members of a StrEnum; named `{column}_known`."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


class Keyed:
    """An id made in the application, and when the row was written."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-2)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, sort_order=-1)


class OutboxColumns(Keyed):
    """A job to run after commit. `pending → running → done | dead`; `payload` holds ids only."""

    __tablename__ = "outbox"

    queue: Mapped[str]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now)
    leased_until: Mapped[datetime | None]
    """While set and in the future, a relay or worker holds the row."""
    last_error: Mapped[str | None]
    finished_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            CheckConstraint("state IN ('pending', 'running', 'done', 'dead')", name="state_known"),
            Index(
                "ix_outbox_due",
                "queue",
                "next_attempt_at",
                postgresql_where=text("state IN ('pending', 'running')"),
            ),
            # Counts what is in flight, however long the backlog is.
            Index(
                "ix_outbox_leased",
                "queue",
                "leased_until",
                postgresql_where=text("state IN ('pending', 'running') AND leased_until IS NOT NULL"),
            ),
            Index("ix_outbox_dead", "id", postgresql_where=text("state = 'dead'")),
        )


class InboxColumns(Keyed):
    """What a provider sent, raw, each once. `received → processed | quarantined`."""

    __tablename__ = "inbox"

    source: Mapped[str]
    """Who sent it: `mpesa:{channel id}`."""
    kind: Mapped[str]
    """Which of the provider's messages it is: `stk_result`, `c2b_confirmation`."""
    external_id: Mapped[str]
    item_hash: Mapped[bytes | None]
    """SHA-256 of the URL's item token, where the URL had one."""
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    state: Mapped[str] = mapped_column(default="received")
    note: Mapped[str | None]
    processed_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            UniqueConstraint("source", "external_id"),
            CheckConstraint("state IN ('received', 'processed', 'quarantined')", name="state_known"),
        )


class IdempotencyColumns(Keyed):
    """What a key of one operation stood for, and how it ended."""

    __tablename__ = "idempotency_records"

    operation: Mapped[str]
    key: Mapped[str]
    actor: Mapped[str]
    input_hash: Mapped[bytes]
    """SHA-256 of the versioned canonical input."""
    outcome: Mapped[str]
    """The union member: `success`, or the code of a stored refusal."""
    result: Mapped[dict[str, Any]]
    """Ids of what was made, or the arguments of the refusal; never an answer's JSON."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (UniqueConstraint("operation", "key"),)


class AuditColumns(Keyed):
    """Who did what, when, from where, why. Insert-only for the application's roles."""

    __tablename__ = "audit_log"

    actor_kind: Mapped[str]
    """`user`, `api_key`, `staff`, `operator` or `system`."""
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    """The operation's name: `initiate_payment`."""
    subject: Mapped[str | None]
    """The TypeID of what it was done to."""
    reason: Mapped[str | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (Index("ix_audit_log_page", "created_at", "id"),)
