"""The rows of verifications: asked for by somebody, moved on by jobs."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from core.ids import Kind, new_id, outside
from tenancy.errors import TransactionInterrupted
from tenancy.sessions import TenantSession
from tenant_db.ledger.errors import VerificationRunning
from tenant_db.ledger.proof_models import LedgerVerification
from tenant_db.ledger.verdicts import Progress

RUNNING: Final = "running"
_IS_RUNNING: Final = text("state = 'running'")


async def begin_verification(
    session: TenantSession, kept_head: str, now: datetime
) -> tuple[LedgerVerification, bool]:
    """Make a verification that compares the chain with `kept_head`, or give the one that does so already.

    Says whether it was made now: then somebody has to leave its job.

    Raises:
        VerificationRunning: one with another head goes on.
    """
    made = await session.scalar(
        insert(LedgerVerification)
        .values(id=new_id(), created_at=now, state=RUNNING, kept_head=kept_head, progress={})
        .on_conflict_do_nothing(index_elements=["state"], index_where=_IS_RUNNING)
        .returning(LedgerVerification)
    )
    if made is not None:
        return made, True
    running = (
        await session.scalars(select(LedgerVerification).where(LedgerVerification.state == RUNNING))
    ).one_or_none()
    if running is None:
        raise TransactionInterrupted
    if running.kept_head != kept_head:
        raise VerificationRunning(outside(Kind.LEDGER_VERIFICATION, running.id))
    return running, False


async def verification(session: TenantSession, id: UUID) -> LedgerVerification | None:
    """None: this business has no such verification."""
    return await session.get(LedgerVerification, id)


async def record_progress(session: TenantSession, id: UUID, progress: Progress, now: datetime) -> None:
    """Write down how far a verification has come, and its end if this is it."""
    row = await session.get_one(LedgerVerification, id, with_for_update=True)
    row.progress = progress.to_json()
    if progress.is_over:
        row.state = "sound" if progress.broken is None else "broken"
        row.broken = None if progress.broken is None else progress.broken.to_json()
        row.finished_at = now
