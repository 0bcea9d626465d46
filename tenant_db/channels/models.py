"""Rows about M-Pesa short codes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.currency import Currency
from core.money import Money
from tenancy.columns import Keyed, MinorUnits, TenantModel, one_of
from tenant_db.channels.machine import (
    NEXT,
    AccountMatch,
    ChannelKind,
    ChannelStatus,
    RequestKind,
    RequestState,
    UrlsState,
)


class Channel(Keyed, TenantModel):
    """One M-Pesa PayBill or till of the tenant; money paid to it is in the tenant's own custody."""

    __tablename__ = "channels"
    __table_args__ = (
        one_of("status", ChannelStatus),
        one_of("kind", ChannelKind),
        one_of("urls_state", UrlsState),
        CheckConstraint(
            "least_minor > 0 AND (least_minor IS NULL OR most_minor IS NULL OR least_minor <= most_minor)",
            name="limits_ordered",
        ),
        UniqueConstraint("environment", "short_code"),
        Index("uq_channels_primary", "store_id", unique=True, postgresql_where=text("is_primary")),
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
    """What verification proved: `keys` or `balance`."""
    refusal: Mapped[str | None]
    """Why the last verification failed, in words for the tenant."""
    verified_at: Mapped[datetime | None]
    initiator_name: Mapped[str | None]
    """Of the API operator, for reversals, statuses and balances; its password is sealed."""
    is_primary: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The one its store is shown first."""
    activates_itself: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """It collects as soon as it is verified."""
    refuses_unknown_accounts: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Payments by hand to an account that nothing fits are turned away, where M-Pesa asks us first."""
    least_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """Of a payment by hand; None is no limit."""
    most_minor: Mapped[int | None] = mapped_column(MinorUnits)
    suspended_why: Mapped[str | None]
    """In the words of who suspended it."""
    balance_minor: Mapped[int | None] = mapped_column(MinorUnits)
    """Available in all accounts of the short code, as M-Pesa told at `balance_at`."""
    balance_at: Mapped[datetime | None]
    urls_state: Mapped[str] = mapped_column(default=UrlsState.NONE.value, server_default=text("'none'"))
    urls_digest: Mapped[bytes | None]
    """SHA-256 of the URLs that M-Pesa took from us last."""
    urls_note: Mapped[str | None]
    """Why they are not registered, in words for the tenant."""
    urls_at: Mapped[datetime | None]
    pull_phone: Mapped[str | None]
    """The number nominated for Pull, in E.164: M-Pesa lists its payments, and a nightly job reads them."""

    @property
    def numbers(self) -> frozenset[str]:
        """What M-Pesa may call it: a till's own number, or its store number."""
        return frozenset(filter(None, (self.short_code, self.head_office_code)))

    @property
    def balance(self) -> Money | None:
        return None if self.balance_minor is None else Money(self.balance_minor, self.currency)

    def advance(self, to: ChannelStatus) -> None:
        """Take one step of the machine: the only writer of `status`. The caller holds the row's lock."""
        if to not in NEXT[ChannelStatus(self.status)]:
            raise ValueError(f"a channel never goes from {self.status} to {to}")
        self.status = to.value


class ChannelAccount(Keyed, TenantModel):
    """Where money typed to one account, or to all that begin alike, belongs."""

    __tablename__ = "channel_accounts"
    __table_args__ = (
        one_of("match", AccountMatch),
        UniqueConstraint(
            "channel_id", "match", "pattern", name="uq_channel_accounts_channel_id_match_pattern"
        ),
    )

    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"))
    match: Mapped[str]
    pattern: Mapped[str]
    """In capitals; without the star of a prefix, and empty for the default."""
    store_id: Mapped[UUID] = mapped_column(ForeignKey("stores.id"), index=True)
    label: Mapped[str | None]
    """What people call it."""


class ProviderRequest(Keyed, TenantModel):
    """One request of an operator that M-Pesa answers later, at a URL of its own."""

    __tablename__ = "provider_requests"
    __table_args__ = (
        one_of("kind", RequestKind),
        one_of("state", RequestState),
        UniqueConstraint("item_hash"),
        Index("ix_provider_requests_channel", "channel_id", "created_at"),
    )

    kind: Mapped[str]
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("channels.id"))
    subject_id: Mapped[UUID]
    """The channel, or the payment whose receipt is looked up."""
    item_hash: Mapped[bytes]
    """SHA-256 of the secret part of its result URL."""
    state: Mapped[str]
    conversation_id: Mapped[str | None]
    originator_conversation_id: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was asked, by ids and names; no secret."""
    code: Mapped[str | None]
    """The provider's own, of the result."""
    message: Mapped[str | None]
    deadline_at: Mapped[datetime]
    """From then on nobody waits for the answer."""
    answered_at: Mapped[datetime | None]
