"""Keeping signed heads, and finding out whether a head is one of ours."""

from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.clock import utc_now
from owner_db.proofs.errors import HeadNotOurs
from owner_db.proofs.models import LedgerHead
from owner_db.users.models import SigningKey
from tenancy.heads import LENGTH_MAX, Head, NotOurSignature, key_id_of, open_head
from tenancy.sessions import OwnerDatabase, OwnerSession
from tenancy.tokens import TokenIssuer


@dataclass(frozen=True, slots=True)
class KeptHeads:
    """What the platform knows of a ledger's history."""

    hashes: dict[int, bytes]
    """By height, as they were signed."""
    forged_height: int | None
    """The first whose row is not what was signed."""


async def keep_head(session: OwnerSession, head: Head, signed: str) -> None:
    """Keep a head for good; one of the same height stays as it is."""
    await session.execute(
        insert(LedgerHead)
        .values(
            tenant_id=head.tenant_id,
            height=head.height,
            created_at=utc_now(),
            hash=head.hash,
            transfers=head.transfers,
            sealed_at=head.sealed_at,
            signed=signed,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "height"])
    )


async def newest_head(session: OwnerSession, tenant_id: UUID) -> LedgerHead | None:
    """The last head that was kept of this tenant's ledger; None where nothing was sealed yet."""
    return await session.scalar(
        select(LedgerHead)
        .where(LedgerHead.tenant_id == tenant_id)
        .order_by(LedgerHead.height.desc())
        .limit(1)
    )


class HeadKeys:
    """Public keys of ours, those included that retired years ago: a head is kept for long."""

    def __init__(self, owner: OwnerDatabase, tokens: TokenIssuer) -> None:
        self._owner = owner
        self._tokens = tokens
        self._found: dict[str, Ed25519PublicKey] = {}

    async def open(self, signed: str) -> Head:
        """What was signed. Raises NotOurSignature."""
        return open_head(signed, await self.key_of(signed))

    async def key_of(self, signed: str) -> Ed25519PublicKey:
        """Raises NotOurSignature."""
        id_ = key_id_of(signed)
        if id_ not in self._found:
            key = await self._tokens.public_key(id_) or await self._retired(id_)
            if key is None:
                raise NotOurSignature
            self._found[id_] = key
        return self._found[id_]

    async def _retired(self, id: str) -> Ed25519PublicKey | None:
        try:
            key_id = UUID(id)
        except ValueError:
            return None
        async with self._owner.reading() as session:
            row = await session.get(SigningKey, key_id)
        return None if row is None else Ed25519PublicKey.from_public_bytes(row.public_key)


async def head_given(keys: HeadKeys, tenant_id: UUID, signed: str) -> Head:
    """The head that somebody has kept of this tenant's ledger.

    Raises:
        HeadNotOurs: we have not signed it, or for another tenant.
    """
    if len(signed) > LENGTH_MAX:
        raise HeadNotOurs
    try:
        head = await keys.open(signed)
    except NotOurSignature as error:
        raise HeadNotOurs from error
    if head.tenant_id != tenant_id:
        raise HeadNotOurs
    return head


async def kept_heads(owner: OwnerDatabase, keys: HeadKeys, tenant_id: UUID, *, above: int) -> KeptHeads:
    """The heads that were kept of this tenant's ledger above some height, each signature proven."""
    async with owner.reading() as session:
        rows = await session.scalars(
            select(LedgerHead)
            .where(LedgerHead.tenant_id == tenant_id, LedgerHead.height > above)
            .order_by(LedgerHead.height)
        )
        known = rows.all()
    hashes: dict[int, bytes] = {}
    for row in known:
        try:
            is_signed = await keys.open(row.signed) == row.head
        except NotOurSignature:
            is_signed = False
        if not is_signed:
            return KeptHeads(hashes, row.height)
        hashes[row.height] = row.hash
    return KeptHeads(hashes, None)
