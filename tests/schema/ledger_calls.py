"""What programs of a business ask of the ledger."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from core.ids import Kind, outside
from tenancy.context import TenantContext
from tenancy.sessions import Tenant
from tests.factories.callers import ask
from tests.factories.ledger import make_account

ERROR: Final = (
    "... on Error { code message } ... on InvalidInputError { field }"
    " ... on InsufficientFundsError { account available { amountMinor currency } }"
)
TRANSFER: Final = (
    "id sourceId destinationId amount { amountMinor currency } kind reference holdId reversesId metadata"
    " effectiveAt"
)
HOLD: Final = (
    "id sourceId destinationId amount { amountMinor } postedAmount { amountMinor } state kind reference"
    " metadata expiresAt resolvedAt"
)
ACCOUNT: Final = "id code currency normalSide closedAt"
ITEMS: Final = "postedCount refusedCount items { index transferId error { __typename code message } }"

SELECTIONS: Final = {
    "postTransfer": f"... on PostTransferSuccess {{ transfer {{ {TRANSFER} }} }}",
    "postLinkedTransfers": f"... on PostLinkedTransfersSuccess {{ transfers {{ {TRANSFER} }} }}",
    "postAdjustment": f"... on PostAdjustmentSuccess {{ transfer {{ {TRANSFER} }} }}",
    "reverseTransfer": f"... on ReverseTransferSuccess {{ transfer {{ {TRANSFER} }} }}",
    "postTransfers": f"... on PostTransfersSuccess {{ {ITEMS} }}",
    "placeHold": f"... on PlaceHoldSuccess {{ hold {{ {HOLD} }} }}",
    "postHold": f"... on PostHoldSuccess {{ transfer {{ {TRANSFER} }} hold {{ {HOLD} }} }}",
    "voidHold": f"... on VoidHoldSuccess {{ hold {{ {HOLD} }} }}",
    "openLedgerAccount": f"... on OpenLedgerAccountSuccess {{ account {{ {ACCOUNT} }} }}",
    "closeLedgerAccount": f"... on CloseLedgerAccountSuccess {{ account {{ {ACCOUNT} }} }}",
}
POSTING: Final = frozenset({"postTransfer", "postLinkedTransfers", "postAdjustment", "placeHold"})
"""Those that may lack money."""


def document(name: str) -> str:
    """The mutation with its input as a variable."""
    kind = f"{name[0].upper()}{name[1:]}Input"
    error = ERROR if name in POSTING else "... on Error { code message }"
    return (
        f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ __typename {SELECTIONS[name]} {error} }} }}"
    )


async def call(context: TenantContext, name: str, /, **given: object) -> dict[str, Any]:
    """The answer of a mutation that is carried out or refused."""
    data = await ask(context, document(name), input=given)
    answer: dict[str, Any] = data[name]
    return answer


def movement(
    source: str, destination: str, amount_minor: object = "1250", **more: object
) -> dict[str, object]:
    """A transfer of KES, as inputs have it."""
    return {
        "sourceId": source,
        "destinationId": destination,
        "amount": {"amountMinor": amount_minor, "currency": "KES"},
        "kind": "TRANSFER",
        "reference": "order 1",
    } | more


async def two_accounts(tenant: Tenant, balance_minor: int = 10_000) -> tuple[str, str]:
    """An account with money that it can't overdraw, and an empty one."""
    source = await make_account(tenant, "custom:from", balance_minor=balance_minor, floor_minor=0)
    return shown(source), shown(await make_account(tenant, "custom:to"))


def shown(account_id: UUID) -> str:
    return outside(Kind.LEDGER_ACCOUNT, account_id)


async def books(tenant: Tenant) -> dict[str, list[str]]:
    """Everything that a posting may change."""
    tables = ("ledger_accounts", "ledger_transfers", "ledger_entries", "ledger_holds", "audit_log")
    found: dict[str, list[str]] = {}
    async with tenant.reading() as session:
        for table in (*tables, "idempotency_records"):
            rows = await session.scalars(text(f"SELECT t::text FROM {table} AS t ORDER BY 1"))  # noqa: S608 - ours
            found[table] = list(rows)
    return found


async def audited(tenant: Tenant) -> list[tuple[str, str | None, str | None]]:
    """Action, subject and reason of each act, in their order."""
    async with tenant.reading() as session:
        rows = await session.execute(
            text("SELECT action, subject, reason FROM audit_log ORDER BY created_at, id")
        )
        return [tuple(row) for row in rows]
