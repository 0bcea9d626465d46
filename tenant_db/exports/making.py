"""Makes a file part by part. A run that died is taken up by the next one, after the last part it stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from tenancy.sessions import Notice, TenantSession
from tenant_db.exports.machine import FAILED, OPEN, QUEUED, READY, RUNNING, require_step
from tenant_db.exports.models import Export, ExportPart
from tenant_db.exports.rules import KEPT


async def claim(session: TenantSession, id: UUID, now: datetime) -> Export | None:
    """Begin or go on with an export. None: there is none, or nothing is left to do."""
    export = await session.scalar(select(Export).where(Export.id == id).with_for_update())
    if export is None or export.status not in OPEN:
        return None
    if export.status == QUEUED:
        require_step(export.status, RUNNING)
        export.status = RUNNING.value
        export.started_at = now
        _tell(session, export)
    return export


async def add_part(
    session: TenantSession,
    id: UUID,
    part_count: int,
    content: bytes,
    *,
    row_count: int,
    place: Mapping[str, Any],
) -> bool:
    """Store the part after the first `part_count`, and where to go on after it.

    False: another run has stored it, and this one has to stop.
    """
    version = await session.scalar(
        update(Export)
        .where(Export.id == id, Export.status == RUNNING, Export.part_count == part_count)
        .values(
            part_count=Export.part_count + 1,
            row_count=Export.row_count + row_count,
            size_bytes=Export.size_bytes + len(content),
            place=dict(place),
            version=Export.version + 1,
        )
        .returning(Export.version)
        .execution_options(synchronize_session=False)
    )
    if version is None:
        return False
    await session.execute(insert(ExportPart).values(export_id=id, number=part_count + 1, content=content))
    _notice(session, id, version)
    return True


async def finish(session: TenantSession, id: UUID, part_count: int, now: datetime) -> None:
    """Declare the file whole: it has `part_count` parts. Nothing happens where another run went on."""
    export = await session.scalar(
        select(Export).where(Export.id == id, Export.part_count == part_count).with_for_update()
    )
    if export is None or export.status != RUNNING:
        return
    require_step(export.status, READY)
    export.status = READY.value
    export.place = {}
    export.finished_at = now
    export.expires_at = now + KEPT
    _tell(session, export)


async def fail(session: TenantSession, id: UUID, now: datetime, failure: str) -> None:
    """Give up; `failure` tells people why. An export that is made or gone stays as it is."""
    export = await session.scalar(select(Export).where(Export.id == id).with_for_update())
    if export is None or export.status not in OPEN:
        return
    require_step(export.status, FAILED)
    export.status = FAILED.value
    export.place = {}
    export.finished_at = now
    export.failure = failure
    _tell(session, export)


def _tell(session: TenantSession, export: Export) -> None:
    export.version += 1
    _notice(session, export.id, export.version)


def _notice(session: TenantSession, id: UUID, version: int) -> None:
    session.after.notices.append(Notice(f"export:{id}", {"id": str(id), "version": version}))
