"""What a business asks about statements over the tenant schema, and what it is told."""

import base64
from datetime import timedelta
from typing import Any, Final

from core.clock import utc_now
from core.ids import Kind, outside
from tenancy.context import TenantContext
from tests.factories.callers import ask
from tests.factories.payments import Shop
from tests.factories.statements import receipt_row

IMPORT: Final = """
mutation ($input: ImportStatementInput!) { importStatement(input: $input) {
  __typename
  ... on ImportStatementSuccess {
    statementImport {
      id state holding rowCount doneCount importedCount duplicateCount matchedCount errorCount
      errors { rowNumber column message }
    }
    preview { rowCount lineCount errorCount errors { rowNumber column } }
  }
  ... on Error { code message }
} }
"""
LINES: Final = """
query ($importId: ID, $holding: ID, $isMatched: Boolean) {
  statementLines(importId: $importId, holding: $holding, isMatched: $isMatched, first: 100) { nodes {
    id kind reference rowNumber amount { amount } isMatched matchId
  } }
}
"""
FREE: Final = """
query ($holding: ID!, $since: DateTime) {
  unmatchedTransfers(holding: $holding, since: $since) { nodes { transfer { id kind amount { amount } } } }
}
"""
MATCH: Final = """
query ($id: ID!) { statementMatch(id: $id) {
  rule lineIds transferIds difference { amount } note matchedById undoneAt undoneNote
} }
"""
BY_HAND: Final = """
mutation ($input: MatchStatementLinesInput!) { matchStatementLines(input: $input) {
  __typename
  ... on MatchStatementLinesSuccess { match { id rule note difference { amount } } }
  ... on Error { code }
} }
"""
UNDO: Final = """
mutation ($input: UnmatchStatementInput!) { unmatchStatement(input: $input) {
  __typename
  ... on UnmatchStatementSuccess { match { id undoneAt undoneNote } }
  ... on Error { code }
} }
"""


def today(receipt: str, paid_in: str = "", withdrawn: str = "", **changes: str) -> str:
    """A row of an organisation statement of now, in Nairobi."""
    at = f"{utc_now() + timedelta(hours=3):%d-%m-%Y %H:%M:%S}"
    return receipt_row(receipt, paid_in, withdrawn, at=at, **changes)


def file(shop: Shop, content: bytes, key: str = "one", /, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - input
    return {
        "idempotencyKey": key,
        "provider": "MPESA",
        "channelId": outside(Kind.CHANNEL, shop.channel_id),
        "content": base64.b64encode(content).decode(),
        "fileName": "november.csv",
        **changes,
    }


async def imported(context: TenantContext, wanted: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = (await ask(context, IMPORT, input=wanted))["importStatement"]
    return told


async def lines(context: TenantContext, **only: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - arguments
    found: list[dict[str, Any]] = (await ask(context, LINES, **only))["statementLines"]["nodes"]
    return found


async def free(context: TenantContext, shop: Shop) -> list[str]:
    """The transfers that no statement has confirmed."""
    found = await ask(context, FREE, holding=outside(Kind.CHANNEL, shop.channel_id))
    return [node["transfer"]["id"] for node in found["unmatchedTransfers"]["nodes"]]


async def by_hand(
    context: TenantContext, line_ids: list[str], transfer_ids: list[str], key: str = "match"
) -> dict[str, Any]:
    wanted = {
        "idempotencyKey": key,
        "lineIds": line_ids,
        "transferIds": transfer_ids,
        "note": "The till was closed late",
    }
    told: dict[str, Any] = (await ask(context, BY_HAND, input=wanted))["matchStatementLines"]
    return told


async def undone(context: TenantContext, match_id: str, key: str = "undo") -> dict[str, Any]:
    wanted = {"idempotencyKey": key, "matchId": match_id, "note": "It was another customer"}
    told: dict[str, Any] = (await ask(context, UNDO, input=wanted))["unmatchStatement"]
    return told
