"""Rows about M-Pesa short codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from tenancy.columns import Keyed, TenantModel, one_of
from tenant_db.channels.machine import NEXT, ChannelKind, ChannelStatus


class Channel(Keyed, TenantModel):
    """One M-Pesa PayBill or till of the tenant; money paid to it is in the tenant's own custody."""

    __tablename__ = "channels"
    __table_args__ = (
        one_of("status", ChannelStatus),
        one_of("kind", ChannelKind),
        UniqueConstraint("environment", "short_code"),
        Index("ix_channels_page", "created_at", "id"),
    )

    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"), index=True)
    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"), index=True)
    """Whose balance grows by what is paid here, unless a payment names another store."""
    name: Mapped[str]
    kind: Mapped[str]
    environment: Mapped[str]
    """That of its provider account."""
    short_code: Mapped[str]
    """What the payer pays to: the PayBill, or the till number (PartyB)."""
    head_office_code: Mapped[str | None]
    """For a till, the store number that goes into BusinessShortCode; None for a PayBill."""
    currency: Mapped[Currency] = mapped_column(default=Currency.KES)
    status: Mapped[str]
    proof: Mapped[str | None]
    """What verification proved: `keys`."""
    refusal: Mapped[str | None]
    """Why the last verification failed, in words for the tenant."""
    verified_at: Mapped[datetime | None]

    def advance(self, to: ChannelStatus) -> None:
        """Take one step of the machine: the only writer of `status`. The caller holds the row's lock."""
        if to not in NEXT[ChannelStatus(self.status)]:
            raise ValueError(f"a channel never goes from {self.status} to {to}")
        self.status = to.value
