"""API keys of a business."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from owner_db.users.models import ApiKey as ApiKeyRow
from resolvers import api_keys
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.members import ScopeTooWideError
from tenancy.context import TenantContext
from tenancy.roles import Scope


@strawberry.type(description="A key for the business's own systems.")
class ApiKey:
    id: strawberry.ID = strawberry.field(description="Starts with key_.")
    name: str = strawberry.field(description="What it is for.")
    hint: str = strawberry.field(description="The last four characters of the key, to tell keys apart.")
    scopes: list[str] = strawberry.field(description="What it may do, such as `payments:write`.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it stops working; null is never.")
    last_used_at: datetime | None = strawberry.field(description="When it was used last, to the minute.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked; null if it works.")

    @classmethod
    def of(cls, row: ApiKeyRow) -> "ApiKey":
        return cls(
            id=strawberry.ID(outside(Kind.API_KEY, row.id)),
            name=row.name,
            hint=row.hint,
            scopes=row.scopes,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )


@strawberry.type(description="The key is made.")
class CreateApiKeySuccess:
    api_key: ApiKey = strawberry.field(description="What is stored of it.")
    secret: str = strawberry.field(
        description="The key itself, shown this once. Send it as `Authorization: Bearer …`."
    )


@strawberry.type(description="The key stops working within 10 s.")
class RevokeApiKeySuccess:
    api_key: ApiKey = strawberry.field(description="The revoked key.")


CreateApiKeyResult = Annotated[
    CreateApiKeySuccess | ScopeTooWideError | InvalidInputError | ForbiddenError,
    strawberry.union("CreateApiKeyResult", description="Whether the key was made."),
]
RevokeApiKeyResult = Annotated[
    RevokeApiKeySuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("RevokeApiKeyResult", description="Whether the key was revoked."),
]


@strawberry.input(description="The key to make.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="What it is for, such as `Till 3`.")
    scopes: list[str] = strawberry.field(
        description="What it may do, such as `payments:write`; nothing that you may not do yourself."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When it stops working.")

    def parsed_scopes(self) -> set[Scope]:
        """Raises InvalidInput."""
        try:
            return {Scope(scope) for scope in self.scopes}
        except ValueError as error:
            known = ", ".join(scope for scope in Scope if not scope.startswith("platform:"))
            raise InvalidInput("scopes", f"{error}. Scopes are {known}.") from error


@strawberry.input(description="The key to revoke.")
class RevokeApiKeyInput:
    id: strawberry.ID = strawberry.field(description="The key's id; starts with key_.")
    reason: str = strawberry.field(description="Why, for the audit log.")


@strawberry.type(description="API keys.")
class ApiKeyQueries:
    @strawberry.field(description="Keys of this business, the newest first. Needs keys:read.")
    async def api_keys(self, info: Info[TenantContext, None]) -> list[ApiKey]:
        return [ApiKey.of(row) for row in await api_keys.list_api_keys(info.context)]


@strawberry.type(description="Making and revoking API keys.")
class ApiKeyMutations:
    @strawberry.mutation(description="Makes an API key; its text is shown this once. Needs keys:write.")
    async def create_api_key(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreateApiKeyInput, strawberry.argument(description="The key to make.")],
    ) -> CreateApiKeyResult:
        row, secret = await api_keys.create_api_key(
            info.context, input.name, input.parsed_scopes(), input.expires_at
        )
        return CreateApiKeySuccess(api_key=ApiKey.of(row), secret=secret)

    @strawberry.mutation(
        description="Ends a key and those it made, on sockets too, within 10 s. Needs keys:write."
    )
    async def revoke_api_key(
        self,
        info: Info[TenantContext, None],
        input: Annotated[RevokeApiKeyInput, strawberry.argument(description="The key to revoke.")],
    ) -> RevokeApiKeyResult:
        row = await api_keys.revoke_api_key(info.context, inside(Kind.API_KEY, input.id), input.reason)
        return RevokeApiKeySuccess(api_key=ApiKey.of(row))
