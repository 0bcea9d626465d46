"""What does not agree in the books, as clients see it."""

from datetime import datetime
from uuid import UUID

import strawberry

from core.ids import Kind, outside
from resolvers.reconciliation import Reconciled
from schema.connections import Node
from schema.errors import Error, Refusal
from schema.scalars import BigInt, Money, api_enum
from tenant_db.reconciliation.errors import FindingNotOpen
from tenant_db.reconciliation.models import Finding as FindingRow
from tenant_db.reconciliation.rules import AskedBy, FindingKind, FindingState

api_enum(
    FindingState,
    "FindingState",
    "Where a finding is.",
    {
        FindingState.OPEN: "The last check still saw it; a person should look.",
        FindingState.RESOLVED: "A person has dealt with it. Being seen again does not open it.",
        FindingState.VANISHED: "A later check no longer saw it.",
    },
)
api_enum(
    FindingKind,
    "FindingKind",
    "What does not agree with what.",
    {
        FindingKind.ACCOUNT_BALANCE: "A ledger account's balance and the sum of its entries.",
        FindingKind.ENTRY_GAP: "A ledger account's entries are not numbered without a gap.",
        FindingKind.RUNNING_BALANCE: "An entry's balances and those of the entry before it.",
        FindingKind.ENTRY_MISMATCH: "A transfer and its entry: other amounts, or one is missing.",
        FindingKind.HOLD_TOTAL: "What is shown as reserved and the sum of the pending holds.",
        FindingKind.SALE_MISSING: "A payment succeeded; its store was never credited.",
        FindingKind.SALE_SET_ASIDE: "A payment succeeded; its store's account refused it: see suspense.",
        FindingKind.SALE_WRONG: "A payment and the sale posted for it: another amount, store or channel.",
        FindingKind.SALE_DUPLICATE: "A payment was credited twice.",
        FindingKind.SALE_UNFOUNDED: "A sale was posted without a successful payment.",
        FindingKind.REFUND_EXCESS: "More was refunded than the payment brought in.",
        FindingKind.REFUND_WRONG: "A refund and what is posted for it: another amount, or only one of them.",
        FindingKind.PAYOUT_DUPLICATE: "One payout was taken from the store more than once.",
        FindingKind.HOLDING_TOTAL: "What lies at a place and whose it is.",
        FindingKind.HOLDINGS_MIXED: "Money moved between two places in the books alone.",
        FindingKind.BOOKS_UNBALANCED: "All debits and all credits of a currency.",
    },
)
api_enum(
    AskedBy,
    "ReconciliationAskedBy",
    "Who wanted the books checked.",
    {
        AskedBy.NIGHT: "The nightly check.",
        AskedBy.TENANT: "Somebody of the business.",
        AskedBy.STAFF: "The platform's staff.",
    },
)


@strawberry.type(description="The finding was resolved before, or a later check no longer saw it.")
class FindingNotOpenError(Error):
    finding_state: str = strawberry.field(description="Where it is: `resolved` or `vanished`.")


REFUSALS = (Refusal(FindingNotOpen, FindingNotOpenError),)


def maybe_id(kind: Kind, id: UUID | None) -> strawberry.ID | None:
    return None if id is None else strawberry.ID(outside(kind, id))


def maybe_actor(actor: str | None) -> strawberry.ID | None:
    """`{kind}:{id}` as the id of a user or of an API key."""
    if actor is None or ":" not in actor:
        return None
    kind, _, id_ = actor.partition(":")
    return maybe_id(Kind.API_KEY if kind == "api_key" else Kind.USER, UUID(id_))


@strawberry.type(description="Two things in the books that should agree and do not.")
class Finding(Node):
    kind: FindingKind = strawberry.field(description="What does not agree with what.")
    state: FindingState = strawberry.field(description="Where it is.")
    subject: str = strawberry.field(description="What it is about: an account's code, a payment's id.")
    likely_cause: str = strawberry.field(description="What probably happened and what to do, in English.")
    expected: Money | None = strawberry.field(description="What it should be; null for what is no amount.")
    found: Money | None = strawberry.field(description="What it is.")
    difference: Money | None = strawberry.field(description="found less expected.")
    store_id: strawberry.ID | None = strawberry.field(description="The store it is about; null if shared.")
    account_ids: list[strawberry.ID] = strawberry.field(description="The ledger accounts it is about.")
    transfer_id: strawberry.ID | None = strawberry.field(description="The transfer it is about.")
    payment_id: strawberry.ID | None = strawberry.field(description="The payment it is about.")
    created_at: datetime = strawberry.field(description="When it was first seen.")
    seen_at: datetime = strawberry.field(description="When it was last seen.")
    vanished_at: datetime | None = strawberry.field(description="Since when it is no longer seen.")
    resolved_at: datetime | None = strawberry.field(description="When a person resolved it.")
    resolved_by_id: strawberry.ID | None = strawberry.field(description="Who did: a user or an API key.")
    note: str | None = strawberry.field(description="What was done about it.")
    adjustment_id: strawberry.ID | None = strawberry.field(description="The transfer that corrected it.")

    @classmethod
    def of(cls, row: FindingRow) -> "Finding":
        return cls(
            id=strawberry.ID(outside(Kind.FINDING, row.id)),
            kind=FindingKind(row.kind),
            state=FindingState(row.state),
            subject=row.subject,
            likely_cause=row.cause,
            expected=None if row.expected is None else Money.of(row.expected),
            found=None if row.found is None else Money.of(row.found),
            difference=None if row.difference is None else Money.of(row.difference),
            store_id=maybe_id(Kind.STORE, row.store_id),
            account_ids=[strawberry.ID(id_) for id_ in row.account_ids],
            transfer_id=maybe_id(Kind.TRANSFER, row.transfer_id),
            payment_id=maybe_id(Kind.PAYMENT, row.payment_id),
            created_at=row.created_at,
            seen_at=row.seen_at,
            vanished_at=row.vanished_at,
            resolved_at=row.resolved_at,
            resolved_by_id=maybe_actor(row.resolved_by),
            note=row.note,
            adjustment_id=maybe_id(Kind.TRANSFER, row.adjustment_id),
        )


@strawberry.type(description="One check of a store's books.")
class Reconciliation:
    id: strawberry.ID = strawberry.field(description="Starts with rec_.")
    store_id: strawberry.ID | None = strawberry.field(description="The store; null: what all stores share.")
    asked_by: AskedBy = strawberry.field(description="Who wanted it.")
    finished_at: datetime | None = strawberry.field(description="When it was done; null while it waits.")
    is_balanced: bool = strawberry.field(description="Whether it left no open finding.")
    account_count: int = strawberry.field(description="Ledger accounts checked.")
    entry_count: BigInt = strawberry.field(description="Entries added up again.")
    payment_count: BigInt = strawberry.field(description="Successful payments compared.")
    finding_count: int = strawberry.field(description="Open findings when it was done.")
    is_cut_off: bool = strawberry.field(
        description="There was more of a kind than one check writes down: resolve some, and check again."
    )
    findings: list[Finding] = strawberry.field(
        description="The first 100 open findings that this check was the last to see."
    )

    @classmethod
    def of(cls, reconciled: Reconciled) -> "Reconciliation":
        row = reconciled.row
        return cls(
            id=strawberry.ID(outside(Kind.RECONCILIATION, row.id)),
            store_id=maybe_id(Kind.STORE, row.store_id),
            asked_by=AskedBy(row.asked_by),
            finished_at=row.finished_at,
            is_balanced=row.finding_count == 0,
            account_count=row.account_count,
            entry_count=BigInt(row.entry_count),
            payment_count=BigInt(row.payment_count),
            finding_count=row.finding_count,
            is_cut_off=row.is_cut_off,
            findings=[Finding.of(each) for each in reconciled.findings],
        )
