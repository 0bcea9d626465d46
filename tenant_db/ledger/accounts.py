"""Ledger accounts: their codes, opened on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import Custody, NormalSide

SHARD = 0
"""Which part of a split system account is used; all are whole until their load asks for more."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A place where money can be: a channel, a provider account or a platform wallet."""

    kind: Kind
    id: UUID
    custody: Custody

    @classmethod
    def of_channel(cls, channel_id: UUID) -> "Holding":
        """M-Pesa pays out what a short code collected to the tenant itself."""
        return cls(Kind.CHANNEL, channel_id, Custody.TENANT)

    @property
    def name(self) -> str:
        return outside(self.kind, self.id)


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """A ledger account as it is opened when it is first needed. Code, currency and shard name it."""

    code: str
    currency: Currency
    normal_side: NormalSide
    place: Holding | None = None
    """Where the money of a holding, or of a part of one, lies."""
    store_id: UUID | None = None
    floor_minor: int | None = None
    ceiling_minor: int | None = None


def holding(place: Holding, currency: Currency) -> AccountPlan:
    """What lies at `place`."""
    return AccountPlan(f"holding:{place.name}", currency, NormalSide.DEBIT, place)


def available(store_id: UUID, place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding that belongs to one store; it can't be overdrawn at will."""
    code = f"store:{outside(Kind.STORE, store_id)}:available:{place.name}"
    return AccountPlan(code, currency, NormalSide.CREDIT, place, store_id, floor_minor=0)


def suspense(place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding whose owner is not known yet. One for each holding: custodies never mix."""
    return AccountPlan(f"suspense:{place.name}", currency, NormalSide.CREDIT, place)


def provider_fees(currency: Currency) -> AccountPlan:
    """What providers kept for themselves."""
    return AccountPlan("fees:provider", currency, NormalSide.DEBIT)


def platform_fees(currency: Currency) -> AccountPlan:
    """What the platform earned; only money in its own custody pays into it."""
    return AccountPlan("fees:platform", currency, NormalSide.CREDIT)


async def open_account(session: TenantSession, plan: AccountPlan) -> UUID:
    """The id of the account that `plan` names, opened now if it is new. Rivals get the same id."""
    return (await open_accounts(session, plan))[0]


async def open_accounts(session: TenantSession, *plans: AccountPlan) -> list[UUID]:
    """`open_account` for several, in their order, in one statement where all exist."""
    known = await _ids(session, plans)
    missing = {_name(plan): plan for plan in plans if _name(plan) not in known}
    if missing:
        # A rival's uncommitted twin is waited for, so twins are made in one order everywhere.
        rows = [_values(missing[name]) for name in sorted(missing)]
        names = [LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard]
        await session.execute(insert(LedgerAccount).values(rows).on_conflict_do_nothing(index_elements=names))
        known = await _ids(session, plans)
    return [known[_name(plan)] for plan in plans]


async def _ids(session: TenantSession, plans: Sequence[AccountPlan]) -> Mapping[tuple[str, Currency], UUID]:
    names = [(plan.code, plan.currency, SHARD) for plan in plans]
    found = await session.execute(
        select(LedgerAccount.code, LedgerAccount.currency, LedgerAccount.id).where(
            tuple_(LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard).in_(names)
        )
    )
    return {(code, currency): id_ for code, currency, id_ in found}


def _name(plan: AccountPlan) -> tuple[str, Currency]:
    return plan.code, plan.currency


def _values(plan: AccountPlan) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": utc_now(),
        "code": plan.code,
        "currency": plan.currency,
        "shard": SHARD,
        "normal_side": plan.normal_side.value,
        "custody": None if plan.place is None else plan.place.custody.value,
        "holding": None if plan.place is None else plan.place.name,
        "store_id": plan.store_id,
        "floor_minor": plan.floor_minor,
        "ceiling_minor": plan.ceiling_minor,
    }
