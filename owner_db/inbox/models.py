"""Rows of the owner's inbox."""

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import InboxColumns, OwnerModel


class OwnerInbox(InboxColumns, OwnerModel):
    """A provider's message that waits until its tenant can be reached: money told of once is never lost."""

    tenant_id: Mapped[UUID] = mapped_column(index=True)
