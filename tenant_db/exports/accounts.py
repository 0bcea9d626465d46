"""The codes of ledger accounts, as files name them: each is looked up once."""

from collections.abc import Iterable
from uuid import UUID

from tenancy.sessions import Tenant


class AccountCodes:
    """What was looked up so far."""

    def __init__(self) -> None:
        self._known: dict[UUID, str] = {}

    async def learn(self, tenant: Tenant, ids: Iterable[UUID]) -> None:
        """Look up those that are not known yet, in one statement."""
        missing = set(ids) - self._known.keys()
        if missing:
            found = await tenant.rows(
                "SELECT id, code FROM ledger_accounts WHERE id = ANY($1::uuid[])", list(missing)
            )
            self._known.update({row["id"]: row["code"] for row in found})

    def __getitem__(self, id_: UUID) -> str:
        return self._known[id_]
