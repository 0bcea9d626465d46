"""Proof that nobody has rewritten the books."""

from base64 import urlsafe_b64encode
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from owner_db.proofs.errors import HeadNotOurs
from resolvers import ledger_proof
from resolvers.ledger_proof import SignedHead
from schema.connections import Node
from schema.errors import Error, ForbiddenError, Refusal
from schema.scalars import BigInt, api_enum
from tenancy.context import TenantContext
from tenant_db.ledger.errors import VerificationRunning
from tenant_db.ledger.proof_models import LedgerVerification as LedgerVerificationRow
from tenant_db.ledger.verdicts import Break, Broken, Progress


class LedgerVerificationState(StrEnum):
    """How a verification stands."""

    RUNNING = "running"
    SOUND = "sound"
    BROKEN = "broken"


api_enum(
    LedgerVerificationState,
    "LedgerVerificationState",
    "How a verification stands.",
    {
        LedgerVerificationState.RUNNING: "It goes on.",
        LedgerVerificationState.SOUND: "It saw everything, and every row is what was sealed and posted.",
        LedgerVerificationState.BROKEN: "It stopped at the first broken row.",
    },
)
api_enum(
    Break,
    "LedgerBreakKind",
    "What is wrong with a row of the books.",
    {
        Break.TRANSFER_CHANGED: "A transfer was changed after it was sealed.",
        Break.TRANSFER_MISSING: "A transfer that was sealed is gone.",
        Break.TRANSFER_INSERTED: "A transfer was slipped in among sealed ones.",
        Break.ENTRY_CHANGED: "An entry contradicts its transfer or its neighbours.",
        Break.ENTRY_MISSING: "An entry is gone.",
        Break.ENTRY_INSERTED: "An entry belongs to no transfer.",
        Break.COUNTER_DIFFERS: "An account's counters are not the sums of its entries and holds.",
        Break.ACCOUNT_MISSING: "A ledger account with entries is gone.",
        Break.BLOCK_CHANGED: "A block of the chain was changed, or does not follow the one before.",
        Break.BLOCK_MISSING: "A block of the chain is gone.",
        Break.HEAD_DIFFERS: "A block is not the one whose signed head was kept: history was rewritten.",
        Break.HEAD_FORGED: "The platform's own copy of a head is not what it had signed.",
    },
)


@strawberry.type(description="What you sent is no signed head of your ledger.")
class HeadNotOursError(Error):
    pass


@strawberry.type(description="Another verification of your ledger goes on; there is one at a time.")
class VerificationRunningError(Error):
    verification_id: strawberry.ID = strawberry.field(description="The one that runs; starts with lver_.")


REFUSALS = (
    Refusal(HeadNotOurs, HeadNotOursError),
    Refusal(VerificationRunning, VerificationRunningError),
)


@strawberry.type(
    description="The end of the chain of sealed blocks at some moment. Keep it: whatever is rewritten later "
    "before it contradicts it, whoever does it."
)
class LedgerHead:
    height: BigInt = strawberry.field(description="The number of the last block; the first is 1.")
    hash: str = strawberry.field(description="SHA-256 of the last block, 64 hexadecimal digits.")
    transfers: BigInt = strawberry.field(description="How many transfers are sealed in all blocks.")
    sealed_at: datetime = strawberry.field(description="When the last block was sealed.")
    signed: str = strawberry.field(
        description="All of it as a compact JWS (EdDSA, type hazina-ledger-head+jws): what to keep, and to "
        "send to verifyLedger later."
    )
    public_key: str = strawberry.field(
        description="The Ed25519 key that verifies the signature, without asking us: 32 bytes in base64url."
    )

    @classmethod
    def of(cls, head: SignedHead) -> "LedgerHead":
        return cls(
            height=BigInt(head.row.height),
            hash=head.row.hash.hex(),
            transfers=BigInt(head.row.transfers),
            sealed_at=head.row.sealed_at,
            signed=head.row.signed,
            public_key=urlsafe_b64encode(head.public_key).decode().rstrip("="),
        )


@strawberry.type(description="The first broken row of the books; of the ids those that name it.")
class LedgerBreak:
    kind: Break = strawberry.field(description="What is wrong with it.")
    message: str = strawberry.field(description="The same for people, in English.")
    transfer_id: strawberry.ID | None = strawberry.field(description="The transfer; starts with txr_.")
    ledger_account_id: strawberry.ID | None = strawberry.field(
        description="The ledger account, or the one whose entry it is; starts with lacc_."
    )
    sequence: BigInt | None = strawberry.field(description="Which of the account's entries it is, from 1.")
    height: BigInt | None = strawberry.field(description="The number of the block.")

    @classmethod
    def of(cls, broken: Broken) -> "LedgerBreak":
        return cls(
            kind=broken.what,
            message=broken.message,
            transfer_id=_maybe(Kind.TRANSFER, broken.transfer_id),
            ledger_account_id=_maybe(Kind.LEDGER_ACCOUNT, broken.account_id),
            sequence=None if broken.sequence is None else BigInt(broken.sequence),
            height=None if broken.height is None else BigInt(broken.height),
        )


@strawberry.type(description="One verification of the whole ledger, row by row.")
class LedgerVerification(Node):
    state: LedgerVerificationState = strawberry.field(description="How it stands.")
    blocks: BigInt = strawberry.field(description="Sealed blocks it has found good so far.")
    transfers: BigInt = strawberry.field(description="Transfers it has looked at so far.")
    transfers_total: BigInt = strawberry.field(description="Sealed transfers when it began.")
    entries: BigInt = strawberry.field(description="Entries it has looked at so far: two for each transfer.")
    broken: LedgerBreak | None = strawberry.field(description="The first broken row, where state is BROKEN.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it ended; null while it goes on.")

    @classmethod
    def of(cls, row: LedgerVerificationRow) -> "LedgerVerification":
        progress = Progress.from_json(row.progress)
        return cls(
            id=strawberry.ID(outside(Kind.LEDGER_VERIFICATION, row.id)),
            state=LedgerVerificationState(row.state),
            blocks=BigInt(progress.height),
            transfers=BigInt(progress.transfers),
            transfers_total=BigInt(progress.transfers_total),
            entries=BigInt(progress.entries),
            broken=None if row.broken is None else LedgerBreak.of(Broken.from_json(row.broken)),
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


@strawberry.input(description="What to compare the books with.")
class VerifyLedgerInput:
    kept_head: str | None = strawberry.field(
        default=None,
        description="A signed head that you have kept, as ledgerHead gave it: it has to be in the chain.",
    )


@strawberry.type(description="The verification goes on; ask ledgerVerification how it stands.")
class VerifyLedgerSuccess:
    verification: LedgerVerification = strawberry.field(
        description="The new one, or the one that was running with the same head."
    )


VerifyLedgerResult = Annotated[
    VerifyLedgerSuccess | HeadNotOursError | VerificationRunningError | ForbiddenError,
    strawberry.union("VerifyLedgerResult", description="Whether the verification has begun."),
]
VerificationId = Annotated[strawberry.ID, strawberry.argument(description="Starts with lver_.")]


async def ledger_verification_node(context: TenantContext, id: UUID) -> LedgerVerification | None:
    row = await ledger_proof.ledger_verification(context, id)
    return None if row is None else LedgerVerification.of(row)


@strawberry.type(description="Proof of the books.")
class LedgerProofQueries:
    @strawberry.field(
        description="The newest signed head of your ledger; null until something was sealed, some seconds "
        "after it was posted. Needs ledger:read."
    )
    async def ledger_head(self, info: Info[TenantContext, None]) -> LedgerHead | None:
        head = await ledger_proof.ledger_head(info.context)
        return None if head is None else LedgerHead.of(head)

    @strawberry.field(
        description="How a verification stands; null if there is no such thing. Needs ledger:read."
    )
    async def ledger_verification(
        self, info: Info[TenantContext, None], id: VerificationId
    ) -> LedgerVerification | None:
        return await ledger_verification_node(info.context, inside(Kind.LEDGER_VERIFICATION, id))


@strawberry.type(description="Proving the books.")
class LedgerProofMutations:
    @strawberry.mutation(
        description="Goes over the whole ledger in the background: every digest, entry and counter. A "
        "million transfers take about half a minute. Needs ledger:read."
    )
    async def verify_ledger(
        self,
        info: Info[TenantContext, None],
        input: Annotated[
            VerifyLedgerInput, strawberry.argument(description="What to compare the books with.")
        ],
    ) -> VerifyLedgerResult:
        row = await ledger_proof.verify_ledger(info.context, input.kept_head)
        return VerifyLedgerSuccess(verification=LedgerVerification.of(row))


def _maybe(kind: Kind, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(outside(kind, id))
