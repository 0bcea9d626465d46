"""Removes files whose time is over, and gives up those that will never be made."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from tenancy.sessions import Notice, TenantSession
from tenant_db.exports.machine import EXPIRED, OPEN, READY, require_step
from tenant_db.exports.making import fail
from tenant_db.exports.models import Export, ExportPart
from tenant_db.exports.rules import STUCK_AFTER

STUCK: str = "It could not be made within a day. Ask for it again."


async def expire_export(session: TenantSession, id: UUID, now: datetime) -> datetime | None:
    """Remove a file whose time is over; its order stays, and says so. Gives when to look again, if ever.

    What still waits or runs after STUCK_AFTER has failed: its job has given up, or was lost.
    """
    export = await session.scalar(select(Export).where(Export.id == id).with_for_update())
    if export is None:
        return None
    if export.status in OPEN:
        stuck_at = export.created_at + STUCK_AFTER
        if now < stuck_at:
            return stuck_at
        await fail(session, id, now, STUCK)
    if export.status == READY and export.expires_at is not None:
        if now < export.expires_at:
            return export.expires_at
        require_step(export.status, EXPIRED)
        export.status = EXPIRED.value
        export.version += 1
        session.after.notices.append(Notice(f"export:{id}", {"id": str(id), "version": export.version}))
    if export.status not in OPEN and export.status != READY:
        await session.execute(delete(ExportPart).where(ExportPart.export_id == id))
    return None
