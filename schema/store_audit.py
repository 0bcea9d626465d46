"""The owner schema's look at one store of one business."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from core.tenant import TenantStatus
from resolvers import store_audit
from resolvers.reconciliation import Reconciled
from resolvers.store_audit import AuditedStore
from schema.errors import (
    ForbiddenError,
    IdempotencyInProgressError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from schema.finding_types import Finding, Reconciliation
from schema.platform import TenantIdArgument, TenantUnknownError
from schema.scalars import Money, api_enum
from tenancy.context import OwnerContext
from tenant_db.reconciliation.flagging import Flag, PlaceBalance, Raised

api_enum(
    Flag,
    "StoreFlag",
    "One thing about a store that somebody should look at.",
    {
        Flag.NEGATIVE_BALANCE: "Less than nothing is available at one of its places.",
        Flag.OPEN_FINDINGS: "A check found what does not agree, and nobody has dealt with it.",
        Flag.SUSPENSE_NOT_EMPTY: "Where it collects, money waits whose owner is not known.",
        Flag.HOLDS_OVERDUE: "A hold is still pending after its time.",
        Flag.NOT_RECONCILED: "Its books were not checked for 36 hours.",
        Flag.PROOF_BEHIND: "Transfers of the business wait for more than ten minutes to be sealed.",
        Flag.PROOF_BROKEN: "The last verification of the business's chain of proof failed.",
    },
)


@strawberry.type(description="A flag, and why it is raised.")
class RaisedStoreFlag:
    flag: Flag = strawberry.field(description="Which.")
    message: str = strawberry.field(description="Why, in English.")

    @classmethod
    def of(cls, raised: Raised) -> "RaisedStoreFlag":
        return cls(flag=raised.flag, message=raised.message)


@strawberry.type(description="What a store has at one place where money can be.")
class AuditedBalance:
    holding: str = strawberry.field(description="The place: a channel's id, such as chan_….")
    custody: str = strawberry.field(description="Who holds the money: `tenant` or `platform`.")
    total: Money = strawberry.field(description="What is posted.")
    reserved: Money = strawberry.field(description="What pending holds will take.")
    available: Money = strawberry.field(description="total less reserved.")
    suspense: Money = strawberry.field(description="What waits at the whole place for an owner.")

    @classmethod
    def of(cls, balance: PlaceBalance) -> "AuditedBalance":
        return cls(
            holding=balance.holding,
            custody=balance.custody,
            total=Money.of(balance.total),
            reserved=Money.of(balance.reserved),
            available=Money.of(balance.available),
            suspense=Money.of(balance.suspense),
        )


@strawberry.type(description="One store of one business, as the platform's staff sees it.")
class StoreAudit:
    tenant_id: strawberry.ID = strawberry.field(description="The business.")
    tenant_status: TenantStatus = strawberry.field(description="Where the business is in its life.")
    store_id: strawberry.ID = strawberry.field(description="The store.")
    store_name: str = strawberry.field(description="What people call it.")
    store_code: str = strawberry.field(description="Its short name in the business.")
    closed_at: datetime | None = strawberry.field(description="When it closed; null while it is open.")
    balances: list[AuditedBalance] = strawberry.field(description="What it has, by currency and place.")
    last_reconciliation: Reconciliation | None = strawberry.field(
        description="The last check of its books, without its findings; null if there was none."
    )
    open_finding_count: int = strawberry.field(
        description="Findings that nobody has dealt with, of the store and of the places where its money is."
    )
    open_findings: list[Finding] = strawberry.field(description="The first 20 of them, the oldest first.")
    flags: list[RaisedStoreFlag] = strawberry.field(description="What deserves a look, the gravest first.")

    @classmethod
    def of(cls, audited: AuditedStore) -> "StoreAudit":
        standing = audited.standing
        last = None if standing.last is None else Reconciled(standing.last, ())
        return cls(
            tenant_id=strawberry.ID(outside(Kind.TENANT, audited.tenant_id)),
            tenant_status=audited.tenant_status,
            store_id=strawberry.ID(outside(Kind.STORE, standing.store.id)),
            store_name=standing.store.name,
            store_code=standing.store.code,
            closed_at=standing.store.closed_at,
            balances=[AuditedBalance.of(each) for each in standing.balances],
            last_reconciliation=None if last is None else Reconciliation.of(last),
            open_finding_count=standing.open_findings,
            open_findings=[Finding.of(each) for each in standing.findings],
            flags=[RaisedStoreFlag.of(each) for each in standing.flags],
        )


@strawberry.input(description="Which store's books to check, and why.")
class ReconcileTenantStoreInput:
    idempotency_key: str = strawberry.field(
        description="Your own unique name of this request; the same again gives the same check."
    )
    tenant_id: strawberry.ID = strawberry.field(description="The business; starts with ten_.")
    store_id: strawberry.ID = strawberry.field(description="Its store; starts with store_.")
    reason: str = strawberry.field(description="Why, for both audit logs: 1 to 500 characters.")


@strawberry.type(description="The books were checked.")
class ReconcileTenantStoreSuccess:
    reconciliation: Reconciliation = strawberry.field(description="What the check saw.")


ReconcileTenantStoreResult = Annotated[
    ReconcileTenantStoreSuccess
    | TenantUnknownError
    | IdempotencyKeyReusedError
    | IdempotencyInProgressError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ReconcileTenantStoreResult", description="What the check saw."),
]


@strawberry.type(description="Looking at stores.")
class StoreAuditQueries:
    @strawberry.field(
        description="How a business's store stands; null if it has no such store. Works for suspended "
        "businesses, too. The look stands in the audit log. Needs platform:read."
    )
    async def store_audit(
        self,
        info: Info[OwnerContext, None],
        tenant_id: TenantIdArgument,
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Its store; starts with store_.")],
    ) -> StoreAudit | None:
        found = await store_audit.store_audit(
            info.context, inside(Kind.TENANT, tenant_id), inside(Kind.STORE, store_id)
        )
        return None if found is None else StoreAudit.of(found)


@strawberry.type(description="Checking the books of stores.")
class StoreAuditMutations:
    @strawberry.mutation(
        description="Checks the books of a business's store now. It stands in both audit logs. "
        "Needs platform:money."
    )
    async def reconcile_tenant_store(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[ReconcileTenantStoreInput, strawberry.argument(description="Which, and why.")],
    ) -> ReconcileTenantStoreResult:
        done = await store_audit.reconcile_tenant_store(
            info.context,
            inside(Kind.TENANT, input.tenant_id),
            inside(Kind.STORE, input.store_id),
            input.reason,
            input.idempotency_key,
        )
        return ReconcileTenantStoreSuccess(reconciliation=Reconciliation.of(done))
