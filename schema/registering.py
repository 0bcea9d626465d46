"""Registering a business, and who one is."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from core.tenant import TenantKind, TenantStatus
from owner_db.tenants.errors import NoServerHasRoom, SlugTaken
from owner_db.tenants.models import Tenant as TenantRow
from owner_db.users.errors import EmailNotVerified, EmailTaken, RegistrationClosed, TooManyTenants
from resolvers import registering
from schema.errors import Error, InvalidInputError, NotSignedInError, RateLimitedError, Refusal
from schema.scalars import api_enum
from schema.sessions import LinkInvalidError, SessionTokens, User, WeakPasswordError
from tenancy.context import TenantContext
from tenancy.roles import Role

TenantKindEnum = api_enum(
    TenantKind,
    "TenantKind",
    "What sort of business it is.",
    {
        TenantKind.INDIVIDUAL: "One person.",
        TenantKind.HOUSEHOLD: "A family.",
        TenantKind.SMALL_BUSINESS: "A shop, practice or restaurant.",
        TenantKind.ENTERPRISE: "A company with many stores.",
        TenantKind.HOLDING: "The head of a group of businesses.",
    },
)
TenantStatusEnum = api_enum(
    TenantStatus,
    "TenantStatus",
    "Where a business is in its life. Only an ACTIVE one serves requests.",
    {
        TenantStatus.REQUESTED: "Registered; its database is not made yet, or staff must approve it first.",
        TenantStatus.DATABASE_CREATED: "Its database exists.",
        TenantStatus.GRANTED: "Its database admits the platform's server.",
        TenantStatus.VERIFIED: "Its database was checked.",
        TenantStatus.ACTIVE: "It serves requests.",
        TenantStatus.SUSPENDED: "Stopped by the platform; money under way still settles.",
        TenantStatus.MOVING: "Moving to another database server.",
        TenantStatus.CLOSING: "Being closed.",
        TenantStatus.DELETED: "Gone.",
        TenantStatus.FAILED: "Its database could not be made; contact support.",
    },
)


@strawberry.type(description="The address has an account.")
class EmailTakenError(Error):
    pass


@strawberry.type(description="The address must be proved first.")
class EmailNotVerifiedError(Error):
    pass


@strawberry.type(description="Registration needs an invitation.")
class RegistrationClosedError(Error):
    pass


@strawberry.type(description="You have as many businesses as one person may have.")
class TooManyTenantsError(Error):
    limit: int = strawberry.field(description="How many that is.")


@strawberry.type(description="Another business has this slug.")
class SlugTakenError(Error):
    slug: str = strawberry.field(description="The slug.")


@strawberry.type(description="The platform can't take another business now.")
class NoServerHasRoomError(Error):
    pass


REFUSALS = (
    Refusal(EmailTaken, EmailTakenError),
    Refusal(EmailNotVerified, EmailNotVerifiedError),
    Refusal(RegistrationClosed, RegistrationClosedError),
    Refusal(TooManyTenants, TooManyTenantsError),
    Refusal(SlugTaken, SlugTakenError),
    Refusal(NoServerHasRoom, NoServerHasRoomError),
)


@strawberry.type(description="A business as the platform's registry knows it.")
class RegisteredTenant:
    id: strawberry.ID = strawberry.field(description="Starts with ten_.")
    code: str = strawberry.field(description="What people call it on the phone, such as HZ-4F7K2M.")
    slug: str = strawberry.field(description="Its name in addresses.")
    name: str = strawberry.field(description="Its name.")
    kind: TenantKind = strawberry.field(description="What sort of business it is.")
    country: str = strawberry.field(description="ISO 3166 alpha-2.")
    status: TenantStatus = strawberry.field(description="Where it is in its life.")
    status_reason: str | None = strawberry.field(description="Why, where it is suspended or failed.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    activated_at: datetime | None = strawberry.field(description="When it became active.")

    @classmethod
    def of(cls, row: TenantRow) -> "RegisteredTenant":
        return cls(
            id=strawberry.ID(outside(Kind.TENANT, row.id)),
            code=row.code,
            slug=row.slug,
            name=row.name,
            kind=TenantKind(row.kind),
            country=row.country,
            status=TenantStatus(row.status),
            status_reason=row.status_reason,
            created_at=row.created_at,
            activated_at=row.activated_at,
        )


@strawberry.type(description="A business of yours, and your role in it.")
class MyTenant:
    tenant: RegisteredTenant = strawberry.field(description="The business.")
    role: Role = strawberry.field(description="What you are to it.")


@strawberry.type(description="Your account is open and your business is being made.")
class RegisterBusinessSuccess:
    session: SessionTokens = strawberry.field(description="The tokens to keep: you are signed in.")
    tenant: RegisteredTenant = strawberry.field(
        description="The business. Subscribe to tenantStatus to see it become ACTIVE."
    )


@strawberry.type(description="Your business is being made.")
class CreateBusinessSuccess:
    tenant: RegisteredTenant = strawberry.field(
        description="The business. Subscribe to tenantStatus, then switchTenant to it."
    )


RegisterBusinessResult = Annotated[
    RegisterBusinessSuccess
    | EmailTakenError
    | WeakPasswordError
    | SlugTakenError
    | RegistrationClosedError
    | LinkInvalidError
    | NoServerHasRoomError
    | InvalidInputError
    | RateLimitedError,
    strawberry.union("RegisterBusinessResult", description="Whether the business is registered."),
]
CreateBusinessResult = Annotated[
    CreateBusinessSuccess
    | EmailNotVerifiedError
    | TooManyTenantsError
    | SlugTakenError
    | RegistrationClosedError
    | NoServerHasRoomError
    | InvalidInputError
    | NotSignedInError
    | RateLimitedError,
    strawberry.union("CreateBusinessResult", description="Whether the business is registered."),
]


@strawberry.input(description="A business to register.")
class BusinessInput:
    name: str = strawberry.field(description="Its name: 1 to 100 characters.")
    kind: TenantKind = strawberry.field(description="What sort of business it is.")
    country: str = strawberry.field(default="KE", description="ISO 3166 alpha-2.")
    slug: str | None = strawberry.field(
        default=None, description="Its name in addresses; made from the name if left out."
    )

    def to_domain(self) -> registering.NewBusiness:
        return registering.NewBusiness(self.name, self.kind, self.country, self.slug)


@strawberry.input(description="Someone new, and their business.")
class RegisterBusinessInput:
    email: str = strawberry.field(description="The address to sign in with; a link is mailed to it.")
    password: str = strawberry.field(description="10 characters or more.")
    name: str = strawberry.field(description="Your name.")
    business: BusinessInput = strawberry.field(description="The business.")
    invitation: str | None = strawberry.field(
        default=None, description="The secret of a mailed invitation, where registration needs one."
    )

    def to_domain(self) -> registering.Registration:
        return registering.Registration(
            self.email, self.password, self.name, self.business.to_domain(), self.invitation
        )


@strawberry.input(description="Another business of yours.")
class CreateBusinessInput:
    business: BusinessInput = strawberry.field(description="The business.")


@strawberry.type(description="Who you are.")
class RegistrationQueries:
    @strawberry.field(description="The signed-in user; null for an API key. Needs a token of any kind.")
    async def me(self, info: Info[TenantContext, None]) -> User | None:
        row = await registering.me(info.context)
        return None if row is None else User.of(row)

    @strawberry.field(description="Every business you have a role in. Works whatever business is chosen.")
    async def my_tenants(self, info: Info[TenantContext, None]) -> list[MyTenant]:
        return [
            MyTenant(tenant=RegisteredTenant.of(mine.tenant), role=mine.role)
            for mine in await registering.my_tenants(info.context)
        ]


@strawberry.type(description="Registering a business.")
class RegistrationMutations:
    @strawberry.mutation(description="Opens an account and registers a business. Works without a token.")
    async def register_business(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RegisterBusinessInput, strawberry.argument(description="You and your business.")],
    ) -> RegisterBusinessResult:
        signed, row = await registering.register_business(info.context, input.to_domain())
        return RegisterBusinessSuccess(session=SessionTokens.of(signed), tenant=RegisteredTenant.of(row))

    @strawberry.mutation(description="Registers another business of yours.")
    async def create_business(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreateBusinessInput, strawberry.argument(description="The business.")],
    ) -> CreateBusinessResult:
        row = await registering.create_business(info.context, input.business.to_domain())
        return CreateBusinessSuccess(tenant=RegisteredTenant.of(row))


@strawberry.type(description="Watching a business.")
class RegistrationSubscriptions:
    @strawberry.subscription(
        description="A business of yours: its state now, then again at every change of status."
    )
    async def tenant_status(
        self,
        info: Info[TenantContext, None],
        tenant_id: Annotated[strawberry.ID, strawberry.argument(description="One of myTenants.")],
    ) -> AsyncIterator[RegisteredTenant]:
        async for row in registering.watch_tenant(info.context, inside(Kind.TENANT, tenant_id)):
            yield RegisteredTenant.of(row)
