"""Rows of the proof."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.clock import utc_now
from tenancy.columns import OwnerModel
from tenancy.heads import Head


class LedgerHead(OwnerModel):
    """A block of a tenant's ledger as it was when it was the last. Nobody may change or delete one."""

    __tablename__ = "ledger_heads"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    height: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    hash: Mapped[bytes]
    transfers: Mapped[int] = mapped_column(BigInteger)
    sealed_at: Mapped[datetime]
    signed: Mapped[str]
    """The compact JWS that the tenant gets."""

    @property
    def head(self) -> Head:
        """What the row says, signed or not."""
        return Head(self.tenant_id, self.height, self.hash, self.transfers, self.sealed_at)
