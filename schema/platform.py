"""The owner schema's fields: the registry, the catalog, the audit log, jobs that were given up."""

from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside
from core.tenant import TenantStatus
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
from schema.platform_types import CatalogProvider, DeadLetter, PlatformAuditEntry
from schema.registering import RegisteredTenant
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
