"""The owner schema's fields: the registry, the catalog, the audit log, jobs that were given up."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from core.currency import Currency
from core.ids import Kind, inside, outside
from core.tenant import TenantStatus
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.providers import Provider
from owner_db.tenants.errors import StepNotPossible, TenantNotFound
from resolvers import platform
from schema.connections import OWNER_SCOPE, After, Connection, First, connection, page_request
from schema.errors import (
    Error,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    Refusal,
)
from schema.members import AlreadyMemberError, Invitation
from schema.registering import RegisteredTenant
from schema.scalars import BigInt
from schema.sessions import User
from tenancy.context import OwnerContext
from tenancy.errors import TenantUnknown

TenantIdArgument = Annotated[strawberry.ID, strawberry.argument(description="A business; starts with ten_.")]


@strawberry.type(description="There is no such business.")
class TenantUnknownError(Error):
    pass


@strawberry.type(description="The business's status does not allow this.")
class StepNotPossibleError(Error):
    status: str = strawberry.field(description="Its status now.")


REFUSALS = (
    Refusal(TenantUnknown, TenantUnknownError),
    Refusal(TenantNotFound, TenantUnknownError),
    Refusal(StepNotPossible, StepNotPossibleError),
)


@strawberry.type(description="One currency that a provider takes.")
class ProviderCurrency:
    currency: Currency = strawberry.field(description="The currency.")
    min_minor: BigInt = strawberry.field(description="The least of one payment, in minor units.")
    max_minor: BigInt | None = strawberry.field(description="The most of one payment; null is no limit.")


@strawberry.type(description="An outside payment system in the catalog.")
class CatalogProvider:
    code: str = strawberry.field(description="Such as `mpesa`.")
    name: str = strawberry.field(description="What people call it.")
    api_base_url: str = strawberry.field(description="Where its production API is.")
    sandbox_api_base_url: str = strawberry.field(description="Where its sandbox is.")
    methods: list[str] = strawberry.field(description="How payers pay, such as `mobile_money`.")
    features: list[str] = strawberry.field(description="What it can do, such as `collect`.")
    currencies: list[ProviderCurrency] = strawberry.field(description="What it takes, with limits.")
    config_schema: JSON = strawberry.field(
        description="JSON Schema (draft 2020-12) of a tenant's configuration; writeOnly marks secrets."
    )

    @classmethod
    def of(cls, provider: Provider) -> "CatalogProvider":
        return cls(
            code=provider.code,
            name=provider.name,
            api_base_url=provider.api_base_url,
            sandbox_api_base_url=provider.sandbox_api_base_url,
            methods=list(provider.methods),
            features=list(provider.features),
            currencies=[
                ProviderCurrency(
                    currency=currency,
                    min_minor=BigInt(limits.min_minor),
                    max_minor=None if limits.max_minor is None else BigInt(limits.max_minor),
                )
                for currency, limits in provider.currencies.items()
            ],
            config_schema=JSON(dict(provider.config_schema)),
        )


@strawberry.type(description="Who did what on the platform, when, from where and why.")
class PlatformAuditEntry:
    id: strawberry.ID = strawberry.field(description="Starts with audit_.")
    at: datetime = strawberry.field(description="When.")
    actor_kind: str = strawberry.field(description="`user`, `api_key`, `staff`, `operator` or `system`.")
    actor_id: str | None = strawberry.field(description="Who, as far as it has an id.")
    action: str = strawberry.field(description="What, such as `suspend_tenant`.")
    subject: str | None = strawberry.field(description="What it was done to.")
    reason: str | None = strawberry.field(description="Why.")
    ip: str | None = strawberry.field(description="From which network address.")
    request_id: str | None = strawberry.field(description="The request; its log lines have it, too.")

    @classmethod
    def of(cls, row: OwnerAudit) -> "PlatformAuditEntry":
        return cls(
            id=strawberry.ID(outside(Kind.AUDIT, row.id)),
            at=row.created_at,
            actor_kind=row.actor_kind,
            actor_id=None if row.actor_id is None else str(row.actor_id),
            action=row.action,
            subject=row.subject,
            reason=row.reason,
            ip=row.ip,
            request_id=row.request_id,
        )


@strawberry.type(description="A job that was given up; it stays until somebody requeues it.")
class DeadLetter:
    id: strawberry.ID = strawberry.field(description="Starts with job_.")
    tenant_id: strawberry.ID | None = strawberry.field(description="Whose job; null is the platform's own.")
    queue: str = strawberry.field(description="The queue it was on.")
    kind: str = strawberry.field(description="What it was to do, such as `submit_payment`.")
    subjects: JSON = strawberry.field(description="The ids it was about.")
    attempts: int = strawberry.field(description="How often it was tried.")
    last_error: str | None = strawberry.field(description="Why the last try failed.")
    given_up_at: datetime | None = strawberry.field(description="When it was given up.")

    @classmethod
    def of(cls, found: platform.FoundDeadLetter) -> "DeadLetter":
        letter = found.letter
        tenant_id = None if found.tenant_id is None else outside(Kind.TENANT, found.tenant_id)
        return cls(
            id=strawberry.ID(outside(Kind.OUTBOX, letter.id)),
            tenant_id=None if tenant_id is None else strawberry.ID(tenant_id),
            queue=letter.queue,
            kind=letter.kind,
            subjects=JSON(letter.payload),
            attempts=letter.attempts,
            last_error=letter.last_error,
            given_up_at=letter.finished_at,
        )


@strawberry.type(description="The business's database is being made.")
class ApproveTenantSuccess:
    tenant: RegisteredTenant = strawberry.field(description="The business.")


@strawberry.type(description="The business serves no more requests.")
class SuspendTenantSuccess:
    tenant: RegisteredTenant = strawberry.field(description="The business.")


@strawberry.type(description="The business serves requests again.")
class ResumeTenantSuccess:
    tenant: RegisteredTenant = strawberry.field(description="The business.")


@strawberry.type(description="The invitation is on its way.")
class InviteBusinessSuccess:
    invitation: Invitation = strawberry.field(description="The invitation.")


@strawberry.type(description="The job is tried again.")
class RequeueDeadLetterSuccess:
    ok: bool = strawberry.field(default=True, description="Always true.")


ApproveTenantResult = Annotated[
    ApproveTenantSuccess | TenantUnknownError | StepNotPossibleError | InvalidInputError | ForbiddenError,
    strawberry.union("ApproveTenantResult", description="Whether the business was approved."),
]
SuspendTenantResult = Annotated[
    SuspendTenantSuccess | TenantUnknownError | StepNotPossibleError | InvalidInputError | ForbiddenError,
    strawberry.union("SuspendTenantResult", description="Whether the business was suspended."),
]
ResumeTenantResult = Annotated[
    ResumeTenantSuccess | TenantUnknownError | StepNotPossibleError | InvalidInputError | ForbiddenError,
    strawberry.union("ResumeTenantResult", description="Whether the business was resumed."),
]
InviteBusinessResult = Annotated[
    InviteBusinessSuccess | AlreadyMemberError | InvalidInputError | ForbiddenError,
    strawberry.union("InviteBusinessResult", description="Whether the invitation is on its way."),
]
RequeueDeadLetterResult = Annotated[
    RequeueDeadLetterSuccess | NotFoundError | TenantUnknownError | InvalidInputError | ForbiddenError,
    strawberry.union("RequeueDeadLetterResult", description="Whether the job is tried again."),
]


@strawberry.input(description="Which business, and why.")
class TenantStepInput:
    tenant_id: strawberry.ID = strawberry.field(description="The business; starts with ten_.")
    reason: str = strawberry.field(description="Why, for the audit log: 1 to 500 characters.")


@strawberry.input(description="Whom to invite to register a business.")
class InviteBusinessInput:
    email: str = strawberry.field(description="Where the invitation is mailed to.")


@strawberry.input(description="Which job to try again.")
class RequeueDeadLetterInput:
    id: strawberry.ID = strawberry.field(description="The dead letter; starts with job_.")
    tenant_id: strawberry.ID | None = strawberry.field(
        default=None, description="Whose job it is; leave it out for the platform's own."
    )
    reason: str = strawberry.field(description="Why, for the audit log: 1 to 500 characters.")


@strawberry.type(description="What staff read.")
class PlatformQueries:
    @strawberry.field(description="You.")
    async def me(self, info: Info[OwnerContext, None]) -> User:
        return User.of(await platform.me(info.context))

    @strawberry.field(description="Every business, the newest first. Needs platform:read.")
    async def tenants(
        self,
        info: Info[OwnerContext, None],
        first: First = 20,
        after: After = None,
        status: Annotated[
            TenantStatus | None, strawberry.argument(description="Only those with this status.")
        ] = None,
    ) -> Connection[RegisteredTenant]:
        page = await platform.tenants(info.context, page_request(first, after, OWNER_SCOPE), status)
        return connection(page, RegisteredTenant.of, OWNER_SCOPE, after=after)

    @strawberry.field(description="One business; null if there is none. Needs platform:read.")
    async def tenant(self, info: Info[OwnerContext, None], id: TenantIdArgument) -> RegisteredTenant | None:
        row = await platform.tenant(info.context, inside(Kind.TENANT, id))
        return None if row is None else RegisteredTenant.of(row)

    @strawberry.field(description="The catalog, the most recommended first. Needs platform:read.")
    async def payment_providers(self, info: Info[OwnerContext, None]) -> list[CatalogProvider]:
        return [CatalogProvider.of(found) for found in await platform.payment_providers(info.context)]

    @strawberry.field(description="Who did what, the newest first. Needs platform:read.")
    async def audit_log(
        self, info: Info[OwnerContext, None], first: First = 20, after: After = None
    ) -> Connection[PlatformAuditEntry]:
        page = await platform.audit_log(info.context, page_request(first, after, OWNER_SCOPE))
        return connection(page, PlatformAuditEntry.of, OWNER_SCOPE, after=after)

    @strawberry.field(description="Jobs that were given up, the newest first. Needs platform:read.")
    async def dead_letters(
        self,
        info: Info[OwnerContext, None],
        tenant_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Whose jobs; null is the platform's own.")
        ] = None,
        first: First = 20,
    ) -> list[DeadLetter]:
        owner_of = None if tenant_id is None else inside(Kind.TENANT, tenant_id)
        request = page_request(first, None, OWNER_SCOPE)
        found = await platform.list_dead_letters(info.context, owner_of, request.first)
        return [DeadLetter.of(letter) for letter in found]


StepArgument = Annotated[TenantStepInput, strawberry.argument(description="Which business, and why.")]


@strawberry.type(description="What staff do.")
class PlatformMutations:
    @strawberry.mutation(description="Approves a registered business: its database is made. platform:write.")
    async def approve_tenant(
        self, info: Info[OwnerContext, None], input: StepArgument
    ) -> ApproveTenantResult:
        row = await platform.approve_tenant(info.context, inside(Kind.TENANT, input.tenant_id), input.reason)
        return ApproveTenantSuccess(tenant=RegisteredTenant.of(row))

    @strawberry.mutation(description="Stops a business; its payments under way settle. platform:write.")
    async def suspend_tenant(
        self, info: Info[OwnerContext, None], input: StepArgument
    ) -> SuspendTenantResult:
        row = await platform.suspend_tenant(info.context, inside(Kind.TENANT, input.tenant_id), input.reason)
        return SuspendTenantSuccess(tenant=RegisteredTenant.of(row))

    @strawberry.mutation(description="Lets a suspended business go on. Needs platform:write.")
    async def resume_tenant(self, info: Info[OwnerContext, None], input: StepArgument) -> ResumeTenantResult:
        row = await platform.resume_tenant(info.context, inside(Kind.TENANT, input.tenant_id), input.reason)
        return ResumeTenantSuccess(tenant=RegisteredTenant.of(row))

    @strawberry.mutation(description="Mails an invitation to register a business. Needs platform:write.")
    async def invite_business(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[InviteBusinessInput, strawberry.argument(description="Whom to invite.")],
    ) -> InviteBusinessResult:
        row = await platform.invite_business(info.context, input.email)
        return InviteBusinessSuccess(invitation=Invitation.of(row))

    @strawberry.mutation(description="Tries a job again that was given up. Needs platform:write.")
    async def requeue_dead_letter(
        self,
        info: Info[OwnerContext, None],
        input: Annotated[RequeueDeadLetterInput, strawberry.argument(description="Which job.")],
    ) -> RequeueDeadLetterResult:
        owner_of = None if input.tenant_id is None else inside(Kind.TENANT, input.tenant_id)
        await platform.requeue_dead_letter(
            info.context, owner_of, inside(Kind.OUTBOX, input.id), input.reason
        )
        return RequeueDeadLetterSuccess()
