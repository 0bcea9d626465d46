"""Which store the money belongs to that was paid to an account of a channel.

Compared without regard to capitals and outer spaces; an exact entry wins, then the longest prefix,
then the default.

Source: M-Pesa Daraja, section 3, `BillRefNumber`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import new_id
from tenancy.sessions import TenantSession
from tenant_db.channels.errors import AccountTaken, MappingFull
from tenant_db.channels.locking import lock_channel, tell
from tenant_db.channels.machine import AccountMatch
from tenant_db.channels.models import ChannelAccount
from tenant_db.stores.models import Store

ACCOUNT_CHARACTERS_MAX: Final = 20
"""What M-Pesa lets a payer type."""
LABEL_CHARACTERS_MAX: Final = 80
ACCOUNTS_MAX: Final = 500
STAR: Final = "*"


@dataclass(frozen=True, slots=True)
class AccountPattern:
    """An entry as people write it: `VIP001`, `VIP*`, or `*` for all others."""

    match: AccountMatch
    text: str
    """In capitals, without the star."""

    @classmethod
    def of(cls, written: str) -> "AccountPattern":
        """Raises InvalidInput where no payer could have typed it, or a star stands before the end."""
        trimmed = written.strip().upper()
        text = trimmed.removesuffix(STAR)
        if not trimmed or STAR in text or len(text) > ACCOUNT_CHARACTERS_MAX or not text.isprintable():
            raise InvalidInput(
                "pattern", f"A pattern is an account of up to {ACCOUNT_CHARACTERS_MAX} signs, VIP*, or *."
            )
        if text == trimmed:
            return cls(AccountMatch.EXACT, text)
        return cls(AccountMatch.PREFIX if text else AccountMatch.DEFAULT, text)

    def __str__(self) -> str:
        return self.text if self.match is AccountMatch.EXACT else f"{self.text}{STAR}"

    def fits(self, account: str) -> bool:
        """Whether what a payer typed is meant."""
        typed = account.strip().upper()
        if self.match is AccountMatch.EXACT:
            return typed == self.text
        return typed.startswith(self.text)

    @property
    def rank(self) -> tuple[bool, int]:
        """The greatest of those that fit is the one that counts."""
        return self.match is AccountMatch.EXACT, len(self.text)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An entry to add.

    Raises:
        InvalidInput: the label is too long or not printable.
    """

    pattern: AccountPattern
    store_id: UUID
    label: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None and (
            not 1 <= len(self.label) <= LABEL_CHARACTERS_MAX or not self.label.isprintable()
        ):
            raise InvalidInput("label", f"A label has 1 to {LABEL_CHARACTERS_MAX} printable characters.")


def pattern_of(entry: ChannelAccount) -> AccountPattern:
    """A row's pattern."""
    return AccountPattern(AccountMatch(entry.match), entry.pattern)


def best_fit(entries: Iterable[ChannelAccount], account: str) -> ChannelAccount | None:
    """The entry that an account belongs to; None where nothing fits, not even a default."""
    fitting = [entry for entry in entries if pattern_of(entry).fits(account)]
    return max(fitting, key=lambda entry: pattern_of(entry).rank, default=None)


async def accounts_of(session: TenantSession, channel_id: UUID) -> Sequence[ChannelAccount]:
    """A channel's mapping, in the order of its patterns; empty where all belongs to the channel's store."""
    found = await session.scalars(
        select(ChannelAccount)
        .where(ChannelAccount.channel_id == channel_id)
        .order_by(ChannelAccount.pattern, ChannelAccount.id)
    )
    return found.all()


async def map_account(session: TenantSession, channel_id: UUID, new: NewAccount) -> ChannelAccount:
    """Add an entry to a channel's mapping.

    Raises:
        NotFound: no such channel or store.
        AccountTaken: the mapping has this pattern.
        MappingFull: it is full.
    """
    channel = await lock_channel(session, channel_id)
    if not await session.scalar(select(exists().where(Store.id == new.store_id))):
        raise NotFound("store")
    count = select(func.count()).where(ChannelAccount.channel_id == channel_id)
    if (await session.scalar(count) or 0) >= ACCOUNTS_MAX:
        raise MappingFull(ACCOUNTS_MAX)
    id_ = await session.scalar(
        insert(ChannelAccount)
        .values(
            id=new_id(),
            created_at=utc_now(),
            channel_id=channel_id,
            match=new.pattern.match.value,
            pattern=new.pattern.text,
            store_id=new.store_id,
            label=new.label,
        )
        .on_conflict_do_nothing(index_elements=["channel_id", "match", "pattern"])
        .returning(ChannelAccount.id)
    )
    if id_ is None:
        raise AccountTaken(str(new.pattern))
    tell(session, channel)
    return await session.get_one(ChannelAccount, id_)


async def unmap_account(session: TenantSession, entry_id: UUID) -> UUID:
    """Take an entry out of its channel's mapping; gives the channel's id.

    Raises:
        NotFound: no such entry.
    """
    channel_id: UUID | None = await session.scalar(
        delete(ChannelAccount).where(ChannelAccount.id == entry_id).returning(ChannelAccount.channel_id)
    )
    if channel_id is None:
        raise NotFound("account")
    tell(session, await lock_channel(session, channel_id))
    return channel_id
