"""Which short codes M-Pesa may mean by the same number: tills of one store number have it in common.

What is paid to one of them may be told as paid to another, so a receipt is looked for at all of them.

Source: M-Pesa Daraja, section 3.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import aliased

from tenancy.sessions import TenantSession
from tenant_db.channels.models import Channel

SHARES: Final = """
    other.environment = ours.environment
    AND (other.short_code IN (ours.short_code, ours.head_office_code)
        OR other.head_office_code IN (ours.short_code, ours.head_office_code))"""
"""SQL: whether channels `ours` and `other`, which may be one, have a number in common."""


def codes_sharing(*channel_ids: UUID | None) -> Select[str]:
    """SQL: the short codes of the channels that share a number with one of these, and their own.

    None is no channel: it has none.
    """
    ours, other = aliased(Channel), aliased(Channel)
    numbers = [ours.short_code, ours.head_office_code]
    is_shared: ColumnElement[bool] = or_(other.short_code.in_(numbers), other.head_office_code.in_(numbers))
    return (
        select(other.short_code)
        .join(ours, and_(other.environment == ours.environment, is_shared))
        .where(ours.id.in_(channel_ids))
    )


async def channels_named(session: TenantSession, told_to: Channel, number: str) -> Sequence[Channel]:
    """The channels that M-Pesa may mean by a number, `told_to` first, if it is one of them."""
    found = await session.scalars(
        select(Channel)
        .where(
            Channel.environment == told_to.environment,
            or_(Channel.short_code == number, Channel.head_office_code == number),
        )
        .order_by(Channel.id != told_to.id, Channel.id)
    )
    return found.all()
