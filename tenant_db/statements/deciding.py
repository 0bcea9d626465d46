"""What people decide: lines and transfers that belong together, and matches that were wrong."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update

from core.errors import InvalidInput, NotFound
from tenancy.sessions import TenantSession
from tenant_db.ledger.models import LedgerAccount, Transfer
from tenant_db.statements.errors import MatchRefused
from tenant_db.statements.matching import Matched, take_turn, write_matches
from tenant_db.statements.models import MatchedTransfer, StatementLine, StatementMatch
from tenant_db.statements.pairing import Pair, Rule
from tenant_db.statements.rules import MATCH_ITEMS_MAX


async def match_by_hand(
    session: TenantSession,
    line_ids: Sequence[UUID],
    transfer_ids: Sequence[UUID],
    matched: Matched,
    now: datetime,
    *,
    id: UUID,
) -> StatementMatch:
    """Match lines of one place with transfers that moved what lies there, whatever their sums are.

    The difference is kept with the match.

    Raises:
        InvalidInput: one side is empty, or too long.
        NotFound: a line or transfer is not known.
        MatchRefused: they are of several places or currencies, or one is matched already.
    """
    for name, ids in (("lineIds", line_ids), ("transferIds", transfer_ids)):
        if not 1 <= len(set(ids)) <= MATCH_ITEMS_MAX:
            raise InvalidInput(name, f"Name 1 to {MATCH_ITEMS_MAX} of each.")
    lines = await _lines(session, line_ids)
    if len({(line.holding, line.currency) for line in lines}) != 1:
        raise MatchRefused("These lines are of several places or currencies: match each place alone.")
    if any(line.match_id is not None for line in lines):
        raise MatchRefused("One of these lines is matched already: undo that match first.")
    holding, currency = lines[0].holding, lines[0].currency
    amounts = await _amounts(session, transfer_ids, holding)
    if any(transfer.currency is not currency for transfer, _ in amounts):
        raise MatchRefused(f"These lines are in {currency}, and one of the transfers is not.")
    together = Pair(
        Rule.BY_HAND,
        tuple(line.id for line in lines),
        tuple(transfer.id for transfer, _ in amounts),
        sum(line.amount_minor for line in lines) - sum(amount for _, amount in amounts),
        currency,
    )
    await write_matches(session, [together], matched, now, ids=[id])
    return await session.get_one(StatementMatch, id)


async def undo_match(
    session: TenantSession, match_id: UUID, undone: Matched, now: datetime
) -> StatementMatch:
    """Free a match's lines and transfers; the match stays as history.

    Raises:
        NotFound: no such match.
        MatchRefused: it was undone before.
    """
    match = await session.get(StatementMatch, match_id, with_for_update=True, populate_existing=True)
    if match is None:
        raise NotFound("match")
    if match.undone_at is not None:
        raise MatchRefused("This match was undone before.")
    match.undone_at = now
    match.undone_by = undone.by
    match.undone_note = undone.note
    await session.execute(
        update(StatementLine)
        .where(StatementLine.match_id == match_id)
        .values(match_id=None)
        .execution_options(synchronize_session=False)
    )
    await session.execute(delete(MatchedTransfer).where(MatchedTransfer.match_id == match_id))
    return match


async def _lines(session: TenantSession, ids: Sequence[UUID]) -> Sequence[StatementLine]:
    """Under the turn of their place, in the order of their ids."""
    wanted = select(StatementLine).where(StatementLine.id.in_(ids)).order_by(StatementLine.id)
    for holding in sorted({line.holding for line in await session.scalars(wanted)}):
        await take_turn(session, holding)
    # Read again: whoever had the turn before may have matched them.
    found = (await session.scalars(wanted.execution_options(populate_existing=True))).all()
    if len(found) != len(set(ids)):
        raise NotFound("statement line")
    return found


async def _amounts(session: TenantSession, ids: Sequence[UUID], holding: str) -> list[tuple[Transfer, int]]:
    """The transfers with what they brought to the place or took from it, in minor units."""
    found = (await session.scalars(select(Transfer).where(Transfer.id.in_(ids)).order_by(Transfer.id))).all()
    if len(found) != len(set(ids)):
        raise NotFound("transfer")
    codes = select(LedgerAccount.id).where(LedgerAccount.code == f"holding:{holding}")
    places = set(await session.scalars(codes))
    taken = select(MatchedTransfer.transfer_id).where(MatchedTransfer.transfer_id.in_(ids))
    if (await session.scalars(taken)).first() is not None:
        raise MatchRefused("One of these transfers is matched already: undo that match first.")
    signs = [(each.source_id in places) - (each.destination_id in places) for each in found]
    if not all(signs):
        raise MatchRefused("One of these transfers moved nothing of what lies at the lines' place.")
    return [(each, sign * each.amount_minor) for each, sign in zip(found, signs, strict=True)]
