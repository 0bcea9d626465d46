"""Opening: the tenant's own ledger accounts, named by people."""

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.currency import Currency
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import AccountCodeTaken
from tenant_db.ledger.limits import COUNTER_LIMIT
from tenant_db.ledger.models import LedgerAccount
from tenant_db.ledger.rules import CUSTOM_PREFIX, NormalSide
from tenant_db.stores.models import Store

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.:-]{0,61}[a-z0-9])?")


async def open_named(
    session: TenantSession,
    name: str,
    currency: Currency,
    normal_side: NormalSide,
    *,
    store_id: UUID | None = None,
    floor_minor: int | None = None,
    ceiling_minor: int | None = None,
) -> LedgerAccount:
    """Open the account `custom:{name}`, or give it if it is open with these very properties.

    It stands for money in nobody's custody, or in the tenant's own.

    Raises:
        InvalidInput: the name has other signs than a-z, 0-9 and _ . : -, or a limit makes no sense.
        NotFound: there is no such store.
        AccountCodeTaken: the name is an account's with other properties, or of a closed one.
    """
    _guard_name(name)
    _guard_limits(floor_minor, ceiling_minor)
    if store_id is not None and await session.get(Store, store_id) is None:
        raise NotFound("store")
    code = f"{CUSTOM_PREFIX}{name}"
    properties = {
        "normal_side": normal_side.value,
        "store_id": store_id,
        "floor_minor": floor_minor,
        "ceiling_minor": ceiling_minor,
        "closed_at": None,
    }
    account = await _opened(session, code, currency, properties)
    if any(getattr(account, name) != value for name, value in properties.items()):
        raise AccountCodeTaken(code)
    return account


async def _opened(
    session: TenantSession, code: str, currency: Currency, properties: Mapping[str, object]
) -> LedgerAccount:
    """The account of this code, opened with these properties if it is new; rivals get the same."""
    row = {"id": new_id(), "created_at": utc_now(), "code": code, "currency": currency, "shard": 0}
    names = [LedgerAccount.code, LedgerAccount.currency, LedgerAccount.shard]
    await session.execute(
        insert(LedgerAccount).values(row | dict(properties)).on_conflict_do_nothing(index_elements=names)
    )
    found = await session.execute(
        select(LedgerAccount).where(LedgerAccount.code == code, LedgerAccount.currency == currency)
    )
    return found.scalar_one()


def _guard_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            "code", "Send 1 to 63 of a-z, 0-9 and _ . : -, with a letter or digit at both ends."
        )


def _guard_limits(floor_minor: int | None, ceiling_minor: int | None) -> None:
    for field, limit in (("floorMinor", floor_minor), ("ceilingMinor", ceiling_minor)):
        if limit is not None and abs(limit) >= COUNTER_LIMIT:
            raise InvalidInput(field, "A limit has at most 38 digits.")
    if floor_minor is not None and floor_minor > 0:
        raise InvalidInput("floorMinor", "An account starts at zero, so its floor is zero or below.")
    if ceiling_minor is not None and ceiling_minor < max(0, floor_minor or 0):
        raise InvalidInput("ceilingMinor", "An account starts at zero, so its ceiling is zero or above.")
