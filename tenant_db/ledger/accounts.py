"""Ledger accounts: their codes, opened on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.currency import Currency
from core.ids import Kind, new_id, outside
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import HOLDING_PREFIX, Custody, NormalSide

Name = tuple[str, Currency, int]
"""Code, currency and shard: what makes an account one row."""
SHARDS: Final = 8
"""Rows of an account that everybody posts to: rivals on different ones do not wait for each other."""


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

    @classmethod
    def of_provider_account(cls, provider_account_id: UUID) -> "Holding":
        """A tenant's account at Stripe, Paystack or Flutterwave pays out to the tenant itself."""
        return cls(Kind.PROVIDER_ACCOUNT, provider_account_id, Custody.TENANT)

    @property
    def name(self) -> str:
        return outside(self.kind, self.id)


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """A ledger account as it is opened when it is first needed."""

    code: str
    currency: Currency
    normal_side: NormalSide
    place: Holding | None = None
    """Where the money of a holding, or of a part of one, lies."""
    store_id: UUID | None = None
    floor_minor: int | None = None
    ceiling_minor: int | None = None
    is_split: bool = False
    """Into SHARDS rows, each with its own counters; its balance is their sum."""

    def __post_init__(self) -> None:
        limits = (self.store_id, self.floor_minor, self.ceiling_minor)
        if self.is_split and any(limit is not None for limit in limits):
            raise ValueError(
                "an account of a store, or with a floor or ceiling, is one row: no rival may pass it"
            )

    def shard(self, spread: UUID | str | None) -> int:
        """Which row takes what is about `spread`, for ever; the first where that is None."""
        return crc32(str(spread).encode()) % SHARDS if self.is_split and spread is not None else 0


def holding(place: Holding, currency: Currency) -> AccountPlan:
    """What lies at `place`."""
    return AccountPlan(f"{HOLDING_PREFIX}{place.name}", currency, NormalSide.DEBIT, place, is_split=True)


def available(store_id: UUID, place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding that belongs to one store; it can't be overdrawn at will."""
    code = f"store:{outside(Kind.STORE, store_id)}:available:{place.name}"
    return AccountPlan(code, currency, NormalSide.CREDIT, place, store_id, floor_minor=0)


def suspense(place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding whose owner is not known yet. One for each holding: custodies never mix."""
    return AccountPlan(f"suspense:{place.name}", currency, NormalSide.CREDIT, place, is_split=True)


def refunds(place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding that is on its way back to payers."""
    return AccountPlan(f"refunds:{place.name}", currency, NormalSide.CREDIT, place)


def payouts_in_flight(place: Holding, currency: Currency) -> AccountPlan:
    """The part of a holding that is on its way to the tenant."""
    return AccountPlan(f"payouts:in_flight:{place.name}", currency, NormalSide.CREDIT, place)


def adjustments(currency: Currency) -> AccountPlan:
    """The other side of what people correct by hand, in the tenant's own custody."""
    return AccountPlan("adjustments", currency, NormalSide.CREDIT)


def provider_fees(currency: Currency) -> AccountPlan:
    """What providers kept for themselves."""
    return AccountPlan("fees:provider", currency, NormalSide.DEBIT, is_split=True)


def platform_fees(currency: Currency) -> AccountPlan:
    """What the platform earned; only money in its own custody pays into it."""
    return AccountPlan("fees:platform", currency, NormalSide.CREDIT, is_split=True)


async def open_account(
    session: TenantSession, plan: AccountPlan, *, spread: UUID | str | None = None
) -> UUID:
    """The id of the account that `plan` names, opened now if it is new. Rivals get the same id."""
    return (await open_accounts(session, plan, spread=spread))[0]


async def open_accounts(
    session: TenantSession, *plans: AccountPlan, spread: UUID | str | None = None
) -> list[UUID]:
    """`open_account` for several, in their order, in one statement where all exist.

    `spread` is what the posting is about, such as the payment's id: of a split account it chooses the
    row, the same for all that is about it.
    """
    named = [(plan.code, plan.currency, plan.shard(spread)) for plan in plans]
    known = await _ids(session, named)
    missing = {name: plan for name, plan in zip(named, plans, strict=True) if name not in known}
    if missing:
        # A rival's uncommitted twin is waited for, so twins are made in one order everywhere.
        rows = [_values(missing[name], name[2]) for name in sorted(missing)]
        columns = [LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard]
        await session.execute(
            insert(LedgerAccount).values(rows).on_conflict_do_nothing(index_elements=columns)
        )
        known = await _ids(session, named)
    return [known[name] for name in named]


async def _ids(session: TenantSession, names: Sequence[Name]) -> Mapping[Name, UUID]:
    found = await session.execute(
        select(LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard, LedgerAccount.id).where(
            tuple_(LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard).in_(names)
        )
    )
    return {(code, currency, shard): id_ for code, currency, shard, id_ in found}


def _values(plan: AccountPlan, shard: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": utc_now(),
        "code": plan.code,
        "currency": plan.currency,
        "shard": shard,
        "normal_side": plan.normal_side.value,
        "custody": None if plan.place is None else plan.place.custody.value,
        "holding": None if plan.place is None else plan.place.name,
        "store_id": plan.store_id,
        "floor_minor": plan.floor_minor,
        "ceiling_minor": plan.ceiling_minor,
    }
