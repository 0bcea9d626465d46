"""Keyset pages of rows: newest first, by (created_at, id)."""

from typing import TypeVar

from sqlalchemy import Select, tuple_

from core.pages import Page, PageRequest
from tenancy.columns import Keyed
from tenancy.sessions import OwnerSession, TenantSession

Row = TypeVar("Row", bound=Keyed)


async def page_of(
    session: OwnerSession | TenantSession, rows: Select[Row], model: type[Row], request: PageRequest
) -> Page[Row]:
    """Read one page; one row more than wanted tells whether there is a next one."""
    wanted = rows.order_by(model.created_at.desc(), model.id.desc()).limit(request.first + 1)
    if request.after is not None:
        place = tuple_(request.after.created_at, request.after.id)
        wanted = wanted.where(tuple_(model.created_at, model.id) < place)
    found = (await session.scalars(wanted)).all()
    return Page(found[: request.first], has_next=len(found) > request.first)
