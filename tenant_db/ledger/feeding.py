"""Tells, after the commit, whose balances changed: one notice on the topic `ledger` a transaction."""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from tenancy.sessions import Notice, TenantSession

TOPIC: Final = "ledger"
ACCOUNTS_MAX: Final = 100
"""Named in one notice; where more have changed, it says ANY."""
ANY: Final = "*"


def tell(session: TenantSession, account_ids: Iterable[UUID]) -> None:
    """Add accounts whose counters changed to the transaction's one notice: `{"accounts": [uuid, …]}`.

    `record` does so for what is posted; whoever changes pending counters calls it as well. Beyond
    ACCOUNTS_MAX the list is [ANY].
    """
    notices = session.after.notices
    named = dict.fromkeys(str(id_) for id_ in account_ids)
    for place, earlier in enumerate(notices):
        if earlier.topic == TOPIC:
            notices[place] = _notice(dict.fromkeys([*earlier.payload["accounts"], *named]))
            return
    notices.append(_notice(named))


def _notice(named: Collection[str]) -> Notice:
    is_short = len(named) <= ACCOUNTS_MAX and ANY not in named
    return Notice("ledger", {"accounts": list(named) if is_short else [ANY]})
