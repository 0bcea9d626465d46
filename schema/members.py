"""Who works in a business, and who is invited."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from owner_db.users.errors import AlreadyMember, LastOwner, ScopeTooWide
from owner_db.users.models import Invitation as InvitationRow
from resolvers import members
from schema.errors import (
    Error,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSignedInError,
    RateLimitedError,
    Refusal,
)
from schema.scalars import api_enum
from schema.sessions import LinkInvalidError, NotAMemberError, SessionTokens, WeakPasswordError
from tenancy.context import TenantContext
from tenancy.roles import Role

RoleEnum = api_enum(
    Role,
    "Role",
    "What someone is to a business.",
    {
        Role.OWNER: "May do everything.",
        Role.ADMIN: "Everything but posting to the ledger.",
        Role.FINANCE: "Payments, balances and adjustments.",
        Role.DEVELOPER: "Channels, API keys and payments.",
        Role.CASHIER: "Takes payments.",
        Role.VIEWER: "Reads.",
    },
)


@strawberry.type(description="The address belongs to a member already.")
class AlreadyMemberError(Error):
    pass


@strawberry.type(description="A business keeps at least one owner.")
class LastOwnerError(Error):
    pass


@strawberry.type(description="You can't grant what you may not do yourself.")
class ScopeTooWideError(Error):
    scope: str = strawberry.field(description="The scope you lack.")


REFUSALS = (
    Refusal(AlreadyMember, AlreadyMemberError),
    Refusal(LastOwner, LastOwnerError),
    Refusal(ScopeTooWide, ScopeTooWideError),
)


@strawberry.type(description="A person with a role in the business.")
class Member:
    user_id: strawberry.ID = strawberry.field(description="The person's id; starts with usr_.")
    email: str = strawberry.field(description="The address they sign in with.")
    name: str = strawberry.field(description="How they are shown to others.")
    role: Role = strawberry.field(description="What they may do.")
    since: datetime = strawberry.field(description="When they joined.")

    @classmethod
    def of(cls, member: members.Member) -> "Member":
        return cls(
            user_id=strawberry.ID(outside(Kind.USER, member.user_id)),
            email=member.email,
            name=member.name,
            role=member.role,
            since=member.since,
        )


@strawberry.type(description="An open offer to join the business.")
class Invitation:
    id: strawberry.ID = strawberry.field(description="Starts with inv_.")
    email: str = strawberry.field(description="Whom it was mailed to.")
    role: Role = strawberry.field(description="The role it offers.")
    expires_at: datetime = strawberry.field(description="When it stops being good.")

    @classmethod
    def of(cls, row: InvitationRow) -> "Invitation":
        return cls(
            id=strawberry.ID(outside(Kind.INVITATION, row.id)),
            email=row.email,
            role=Role(row.role),
            expires_at=row.expires_at,
        )


@strawberry.type(description="The invitation is on its way.")
class InviteMemberSuccess:
    invitation: Invitation = strawberry.field(description="The invitation.")


@strawberry.type(description="The invitation no longer counts.")
class RevokeInvitationSuccess:
    invitation: Invitation = strawberry.field(description="The invitation.")


@strawberry.type(description="You have joined the business and are signed in to it.")
class AcceptInvitationSuccess:
    session: SessionTokens = strawberry.field(description="The tokens to keep.")


@strawberry.type(description="The role is changed.")
class ChangeMemberRoleSuccess:
    member: Member = strawberry.field(description="The member with the new role.")


@strawberry.type(description="The person has no role here any more.")
class RemoveMemberSuccess:
    ok: bool = strawberry.field(default=True, description="Always true.")


InviteMemberResult = Annotated[
    InviteMemberSuccess
    | AlreadyMemberError
    | ScopeTooWideError
    | InvalidInputError
    | ForbiddenError
    | RateLimitedError,
    strawberry.union("InviteMemberResult", description="Whether the invitation is on its way."),
]
RevokeInvitationResult = Annotated[
    RevokeInvitationSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RevokeInvitationResult", description="Whether the invitation was revoked."),
]
AcceptInvitationResult = Annotated[
    AcceptInvitationSuccess
    | LinkInvalidError
    | NotSignedInError
    | AlreadyMemberError
    | WeakPasswordError
    | InvalidInputError
    | RateLimitedError,
    strawberry.union("AcceptInvitationResult", description="Whether you have joined."),
]
ChangeMemberRoleResult = Annotated[
    ChangeMemberRoleSuccess
    | NotAMemberError
    | LastOwnerError
    | ScopeTooWideError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("ChangeMemberRoleResult", description="Whether the role was changed."),
]
RemoveMemberResult = Annotated[
    RemoveMemberSuccess
    | NotAMemberError
    | LastOwnerError
    | ScopeTooWideError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("RemoveMemberResult", description="Whether the person was removed."),
]


@strawberry.input(description="Whom to invite.")
class InviteMemberInput:
    email: str = strawberry.field(description="Where the invitation is mailed to.")
    role: Role = strawberry.field(description="The role to offer: none that may do more than yours.")


@strawberry.input(description="Which invitation to revoke.")
class RevokeInvitationInput:
    id: strawberry.ID = strawberry.field(description="The invitation's id.")


@strawberry.input(description="Which invitation to accept.")
class AcceptInvitationInput:
    secret: str = strawberry.field(description="The secret in the mailed link.")
    name: str | None = strawberry.field(default=None, description="Your name, if you have no account yet.")
    password: str | None = strawberry.field(
        default=None, description="Your password, if you have no account yet."
    )


@strawberry.input(description="Whose role to change.")
class ChangeMemberRoleInput:
    user_id: strawberry.ID = strawberry.field(description="The member's user id.")
    role: Role = strawberry.field(description="The new role.")
    reason: str = strawberry.field(description="Why, for the audit log.")


@strawberry.input(description="Whom to remove.")
class RemoveMemberInput:
    user_id: strawberry.ID = strawberry.field(description="The member's user id.")
    reason: str = strawberry.field(description="Why, for the audit log.")


@strawberry.type(description="Who works in the business.")
class MemberQueries:
    @strawberry.field(description="Everyone with a role in this business. Needs members:read.")
    async def members(self, info: Info[TenantContext, None]) -> list[Member]:
        return [Member.of(member) for member in await members.list_members(info.context)]

    @strawberry.field(description="Open invitations of this business. Needs members:read.")
    async def invitations(self, info: Info[TenantContext, None]) -> list[Invitation]:
        return [Invitation.of(row) for row in await members.list_invitations(info.context)]


@strawberry.type(description="Changing who works in the business.")
class MemberMutations:
    @strawberry.mutation(description="Mails an invitation to join this business. Needs members:write.")
    async def invite_member(
        self,
        info: Info[TenantContext, None],
        input: Annotated[InviteMemberInput, strawberry.argument(description="Whom to invite.")],
    ) -> InviteMemberResult:
        row = await members.invite_member(info.context, input.email, input.role)
        return InviteMemberSuccess(invitation=Invitation.of(row))

    @strawberry.mutation(description="Takes an open invitation back. Needs members:write.")
    async def revoke_invitation(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RevokeInvitationInput, strawberry.argument(description="Which invitation.")],
    ) -> RevokeInvitationResult:
        row = await members.revoke_invitation(info.context, inside(Kind.INVITATION, input.id))
        return RevokeInvitationSuccess(invitation=Invitation.of(row))

    @strawberry.mutation(description="Joins the business that invited you. Works without a token.")
    async def accept_invitation(
        self,
        info: Info[TenantContext, None],
        input: Annotated[AcceptInvitationInput, strawberry.argument(description="Which invitation.")],
    ) -> AcceptInvitationResult:
        signed = await members.accept_invitation(info.context, input.secret, input.name, input.password)
        return AcceptInvitationSuccess(session=SessionTokens.of(signed))

    @strawberry.mutation(
        description="Gives another role; keys of the member's that exceed it end. Needs members:write."
    )
    async def change_member_role(
        self,
        info: Info[TenantContext, None],
        input: Annotated[ChangeMemberRoleInput, strawberry.argument(description="Whose role.")],
    ) -> ChangeMemberRoleResult:
        member = await members.change_member_role(
            info.context, inside(Kind.USER, input.user_id), input.role, input.reason
        )
        return ChangeMemberRoleSuccess(member=Member.of(member))

    @strawberry.mutation(
        description="Takes a member's role, API keys and open invitations away. Needs members:write."
    )
    async def remove_member(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RemoveMemberInput, strawberry.argument(description="Whom to remove.")],
    ) -> RemoveMemberResult:
        await members.remove_member(info.context, inside(Kind.USER, input.user_id), input.reason)
        return RemoveMemberSuccess()
