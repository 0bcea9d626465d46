"""Proof of the books: the signed head of their chain, and verifications of all of it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.ids import Kind, outside
from owner_db.proofs.heads import HeadKeys, head_given, newest_head
from owner_db.proofs.models import LedgerHead
from tenancy.audit import acting, record_audit
from tenancy.context import TenantContext
from tenancy.heads import NotOurSignature
from tenancy.outbox import announce
from tenancy.roles import Scope
from tenant_db.ledger import verifications
from tenant_db.ledger.proof_models import LedgerVerification

QUEUE: Final = "platform"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head, and what proves it to somebody who has not us to ask."""

    row: LedgerHead
    public_key: bytes
    """32 raw bytes."""


async def ledger_head(context: TenantContext) -> SignedHead | None:
    """The newest signed head of the chain. Needs ledger:read. None: nothing was sealed yet."""
    context.require(Scope.LEDGER_READ)
    services = context.services
    async with services.owner.reading() as session:
        row = await newest_head(session, context.tenant.id)
    if row is None:
        return None
    try:
        key = await HeadKeys(services.owner, services.tokens).key_of(row.signed)
    except NotOurSignature:
        # It was tampered with where it is kept; a verification says so.
        return None
    return SignedHead(row, key.public_bytes_raw())


async def verify_ledger(context: TenantContext, kept_head: str | None) -> LedgerVerification:
    """Have a job go over the whole ledger; while one does, gives that one. Needs ledger:read.

    `kept_head` is a signed head from earlier, to be found in the chain unchanged.

    Raises:
        HeadNotOurs: we have not signed it for this business.
        VerificationRunning: one with another head goes on.
    """
    context.require(Scope.LEDGER_READ)
    services, tenant = context.services, context.tenant
    if kept_head is not None:
        await head_given(HeadKeys(services.owner, services.tokens), tenant.id, kept_head)
    async with tenant.transaction() as session:
        row, is_new = await verifications.begin_verification(session, kept_head or "", services.clock())
        if is_new:
            announce(session, "verify_ledger", queue=QUEUE, verification_id=str(row.id))
            subject = outside(Kind.LEDGER_VERIFICATION, row.id)
            record_audit(session, acting(context), "verify_ledger", subject=subject)
    return row


async def ledger_verification(context: TenantContext, id: UUID) -> LedgerVerification | None:
    """Needs ledger:read. None: this business has no such verification."""
    context.require(Scope.LEDGER_READ)
    async with context.tenant.reading() as session:
        return await verifications.verification(session, id)
