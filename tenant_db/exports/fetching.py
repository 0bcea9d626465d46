"""Reads a file that is ready, part by part."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from core.errors import NotFound
from tenancy.sessions import Tenant, TenantSession
from tenant_db.exports.errors import ExportNotReady
from tenant_db.exports.machine import EXPIRED, READY
from tenant_db.exports.models import Export, ExportPart


async def ready_export(session: TenantSession, id: UUID, now: datetime) -> Export:
    """An export whose file can be fetched.

    Raises:
        NotFound: there is no such export.
        ExportNotReady: its file is not made yet, or not there any more.
    """
    export = await session.get(Export, id)
    if export is None:
        raise NotFound("export")
    if export.status != READY:
        raise ExportNotReady(export.status)
    if export.expires_at is None or export.expires_at <= now:
        raise ExportNotReady(EXPIRED)
    return export


async def parts(tenant: Tenant, export: Export) -> AsyncIterator[bytes]:
    """The content, a part at a time; no connection is held while the reader is slow.

    Raises:
        ExportNotReady: the file was removed meanwhile.
    """
    for number in range(1, export.part_count + 1):
        async with tenant.reading() as session:
            content = await session.scalar(
                select(ExportPart.content).where(
                    ExportPart.export_id == export.id, ExportPart.number == number
                )
            )
        if content is None:
            raise ExportNotReady(EXPIRED)
        yield content
