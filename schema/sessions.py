"""Signing in and out, on both schemas."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from owner_db.users.errors import (
    LinkInvalid,
    NotAMember,
    SessionEnded,
    WeakPassword,
    WrongCredentials,
)
from owner_db.users.models import User as UserRow
from resolvers import recovering, sessions
from schema.errors import Error, InvalidInputError, NotSignedInError, RateLimitedError, Refusal
from tenancy.context import OwnerContext, TenantContext

AnyContext = TenantContext | OwnerContext


@strawberry.type(description="E-mail address and password do not match.")
class WrongCredentialsError(Error):
    pass


@strawberry.type(description="The session has ended: sign in again.")
class SessionEndedError(Error):
    pass


@strawberry.type(description="The password is too short or too easy to guess.")
class WeakPasswordError(Error):
    pass


@strawberry.type(description="The mailed link is unknown, used or too old.")
class LinkInvalidError(Error):
    pass


@strawberry.type(description="You have no role in that business.")
class NotAMemberError(Error):
    pass


REFUSALS = (
    Refusal(WrongCredentials, WrongCredentialsError),
    Refusal(SessionEnded, SessionEndedError),
    Refusal(WeakPassword, WeakPasswordError),
    Refusal(LinkInvalid, LinkInvalidError),
    Refusal(NotAMember, NotAMemberError),
)


@strawberry.type(description="Someone who signs in.")
class User:
    id: strawberry.ID = strawberry.field(description="Starts with usr_.")
    email: str = strawberry.field(description="The address they sign in with.")
    name: str = strawberry.field(description="How they are shown to others.")
    email_verified: bool = strawberry.field(description="Whether the address was proved by a mailed link.")

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(
            id=strawberry.ID(outside(Kind.USER, row.id)),
            email=row.email,
            name=row.name,
            email_verified=row.email_verified_at is not None,
        )


@strawberry.type(description="What a client keeps after signing in.")
class SessionTokens:
    access_token: str = strawberry.field(
        description="Send it as `Authorization: Bearer …`. It lives for 15 minutes."
    )
    access_token_expires_at: datetime = strawberry.field(description="Refresh the session before this.")
    refresh_token: str = strawberry.field(
        description="Good once, for 30 days: refreshSession gives the next. Keep it as safe as a password."
    )
    tenant_id: strawberry.ID | None = strawberry.field(
        description="The business the access token speaks for; null until one is chosen."
    )

    @classmethod
    def of(cls, signed: sessions.SignedIn) -> "SessionTokens":
        tenant_id = None if signed.tenant_id is None else outside(Kind.TENANT, signed.tenant_id)
        return cls(
            access_token=signed.access.text,
            access_token_expires_at=signed.access.expires_at,
            refresh_token=signed.refresh_token,
            tenant_id=None if tenant_id is None else strawberry.ID(tenant_id),
        )


@strawberry.type(description="You are signed in.")
class SignInSuccess:
    session: SessionTokens = strawberry.field(description="The tokens to keep.")


@strawberry.type(description="The session goes on with new tokens.")
class RefreshSessionSuccess:
    session: SessionTokens = strawberry.field(description="The tokens to keep in place of the old ones.")


@strawberry.type(description="The session has ended.")
class SignOutSuccess:
    ok: bool = strawberry.field(default=True, description="Always true.")


@strawberry.type(description="If the address is known, a link is on its way to it.")
class RequestPasswordResetSuccess:
    ok: bool = strawberry.field(default=True, description="Always true: it does not tell who is known.")


@strawberry.type(description="The password is replaced and every session has ended.")
class ResetPasswordSuccess:
    ok: bool = strawberry.field(default=True, description="Always true.")


@strawberry.type(description="The address is proved.")
class VerifyEmailSuccess:
    user: User = strawberry.field(description="Whose address it is.")


@strawberry.type(description="The session now speaks for the other business.")
class SwitchTenantSuccess:
    session: SessionTokens = strawberry.field(description="The tokens to keep in place of the old ones.")


SignInResult = Annotated[
    SignInSuccess | WrongCredentialsError | RateLimitedError | NotSignedInError,
    strawberry.union("SignInResult", description="Whether you are signed in."),
]
RefreshSessionResult = Annotated[
    RefreshSessionSuccess | SessionEndedError | RateLimitedError,
    strawberry.union("RefreshSessionResult", description="Whether the session goes on."),
]
SignOutResult = Annotated[
    SignOutSuccess | NotSignedInError,
    strawberry.union("SignOutResult", description="Whether the session has ended."),
]
RequestPasswordResetResult = Annotated[
    RequestPasswordResetSuccess | InvalidInputError | RateLimitedError,
    strawberry.union("RequestPasswordResetResult", description="Whether the request was taken."),
]
ResetPasswordResult = Annotated[
    ResetPasswordSuccess | LinkInvalidError | WeakPasswordError | RateLimitedError,
    strawberry.union("ResetPasswordResult", description="Whether the password was replaced."),
]
VerifyEmailResult = Annotated[
    VerifyEmailSuccess | LinkInvalidError | RateLimitedError,
    strawberry.union("VerifyEmailResult", description="Whether the address is proved."),
]
SwitchTenantResult = Annotated[
    SwitchTenantSuccess | NotAMemberError | NotSignedInError | InvalidInputError,
    strawberry.union("SwitchTenantResult", description="Whether the session speaks for the other business."),
]


@strawberry.input(description="Who signs in.")
class SignInInput:
    email: str = strawberry.field(description="The address you registered with.")
    password: str = strawberry.field(description="Your password.")


@strawberry.input(description="Which session goes on.")
class RefreshSessionInput:
    refresh_token: str = strawberry.field(description="The refresh token you got last.")


@strawberry.input(description="Whose password is forgotten.")
class RequestPasswordResetInput:
    email: str = strawberry.field(description="The address the link is mailed to.")


@strawberry.input(description="The new password.")
class ResetPasswordInput:
    secret: str = strawberry.field(description="The secret in the mailed link.")
    password: str = strawberry.field(description="The new password: 10 characters or more.")


@strawberry.input(description="Which address is proved.")
class VerifyEmailInput:
    secret: str = strawberry.field(description="The secret in the mailed link.")


@strawberry.input(description="Which business the session speaks for.")
class SwitchTenantInput:
    tenant_id: strawberry.ID = strawberry.field(description="A business of yours: see myTenants.")


@strawberry.type(description="Signing in and out.")
class SessionMutations:
    @strawberry.mutation(description="Starts a session, in the business you used last.")
    async def sign_in(
        self,
        info: Info[AnyContext, None],
        input: Annotated[SignInInput, strawberry.argument(description="Who signs in.")],
    ) -> SignInResult:
        signed = await sessions.sign_in(info.context, input.email, input.password)
        return SignInSuccess(session=SessionTokens.of(signed))

    @strawberry.mutation(description="Gives new tokens for a refresh token, which is used up.")
    async def refresh_session(
        self,
        info: Info[AnyContext, None],
        input: Annotated[RefreshSessionInput, strawberry.argument(description="Which session.")],
    ) -> RefreshSessionResult:
        signed = await sessions.refresh_session(info.context, input.refresh_token)
        return RefreshSessionSuccess(session=SessionTokens.of(signed))

    @strawberry.mutation(description="Ends the session of this token; its open sockets close within 10 s.")
    async def sign_out(self, info: Info[AnyContext, None]) -> SignOutResult:
        await sessions.sign_out(info.context)
        return SignOutSuccess()

    @strawberry.mutation(description="Mails a link to set a new password, if the address is known.")
    async def request_password_reset(
        self,
        info: Info[AnyContext, None],
        input: Annotated[RequestPasswordResetInput, strawberry.argument(description="Whose password.")],
    ) -> RequestPasswordResetResult:
        await recovering.request_password_reset(info.context, input.email)
        return RequestPasswordResetSuccess()

    @strawberry.mutation(description="Sets a new password by a mailed link and ends every session.")
    async def reset_password(
        self,
        info: Info[AnyContext, None],
        input: Annotated[ResetPasswordInput, strawberry.argument(description="The new password.")],
    ) -> ResetPasswordResult:
        await recovering.reset_password(info.context, input.secret, input.password)
        return ResetPasswordSuccess()


@strawberry.type(description="Signing in to a business.")
class TenantSessionMutations:
    @strawberry.mutation(description="Proves your e-mail address by the secret in the mailed link.")
    async def verify_email(
        self,
        info: Info[TenantContext, None],
        input: Annotated[VerifyEmailInput, strawberry.argument(description="Which address.")],
    ) -> VerifyEmailResult:
        return VerifyEmailSuccess(user=User.of(await recovering.verify_email(info.context, input.secret)))

    @strawberry.mutation(description="Lets this session speak for another business of yours.")
    async def switch_tenant(
        self,
        info: Info[TenantContext, None],
        input: Annotated[SwitchTenantInput, strawberry.argument(description="Which business.")],
    ) -> SwitchTenantResult:
        signed = await sessions.switch_tenant(info.context, inside(Kind.TENANT, input.tenant_id))
        return SwitchTenantSuccess(session=SessionTokens.of(signed))
