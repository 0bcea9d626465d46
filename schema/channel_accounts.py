"""Which store the money belongs to that is paid to an account of a channel; and common set-ups."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import channel_accounts
from schema.channel_types import AccountTakenError, MappingFullError, shown_store
from schema.channels import ChannelId
from schema.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.scalars import api_enum
from schema.stores import Store
from tenancy.context import TenantContext
from tenancy.roles import Scope
from tenant_db.channels.machine import AccountMatch, ChannelKind
from tenant_db.channels.mapping import AccountPattern, NewAccount, pattern_of
from tenant_db.channels.models import ChannelAccount as ChannelAccountRow
from tenant_db.channels.templates import TEMPLATES
from tenant_db.channels.templates import ChannelTemplate as Template

api_enum(
    AccountMatch,
    "AccountMatch",
    "How an entry of an account mapping fits. The most exact one wins.",
    {
        AccountMatch.EXACT: "The whole account.",
        AccountMatch.PREFIX: "All accounts that begin so; the longest that fits wins.",
        AccountMatch.DEFAULT: "Every account that nothing else fits.",
    },
)


@strawberry.type(description="One entry of a channel's account mapping.")
class ChannelAccount:
    id: strawberry.ID = strawberry.field(description="Starts with amap_.")
    pattern: str = strawberry.field(description="As it was given, in capitals: VIP001, VIP* or *.")
    match: AccountMatch = strawberry.field(description="How it fits.")
    label: str | None = strawberry.field(description="What people call it.")
    created_at: datetime = strawberry.field(description="When it was added.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance grows.")
    _store_id: strawberry.Private[UUID]

    @strawberry.field(description="The store of `storeId`; null without the scope stores:read.")
    async def store(self, info: Info[TenantContext, None]) -> Store | None:
        return await shown_store(info.context, self._store_id)

    @classmethod
    def of(cls, row: ChannelAccountRow) -> "ChannelAccount":
        return cls(
            id=strawberry.ID(outside(Kind.MAPPING, row.id)),
            pattern=str(pattern_of(row)),
            match=AccountMatch(row.match),
            label=row.label,
            created_at=row.created_at,
            store_id=strawberry.ID(outside(Kind.STORE, row.store_id)),
            _store_id=row.store_id,
        )


@strawberry.type(description="Where money would go that is paid by hand to an account.")
class AccountPreview:
    account: str = strawberry.field(description="The account as it is compared: in capitals, trimmed.")
    entry: ChannelAccount | None = strawberry.field(description="The entry that wins; null if none fits.")
    order_id: strawberry.ID | None = strawberry.field(
        description="An open order of this reference, which wins over every entry; null without the scope "
        "payments:read."
    )


@strawberry.type(description="A common way to set a channel up.")
class ChannelTemplate:
    code: str = strawberry.field(description="A stable name, for programs.")
    name: str = strawberry.field(description="For people.")
    summary: str = strawberry.field(description="Whom it suits.")
    kind: ChannelKind = strawberry.field(description="For addChannel.")
    needs_head_office_code: bool = strawberry.field(description="Whether addChannel needs headOfficeCode.")
    account_patterns: list[str] = strawberry.field(description="For mapAccount; prefixes are examples.")
    refuses_unknown_accounts: bool = strawberry.field(description="For updateChannel.")
    steps: list[str] = strawberry.field(description="What to do, in order, for people.")

    @classmethod
    def of(cls, template: Template) -> "ChannelTemplate":
        return cls(
            code=template.code,
            name=template.name,
            summary=template.summary,
            kind=template.kind,
            needs_head_office_code=template.needs_head_office_code,
            account_patterns=list(template.account_patterns),
            refuses_unknown_accounts=template.refuses_unknown_accounts,
            steps=list(template.steps),
        )


@strawberry.input(description="The entry to add.")
class MapAccountInput:
    channel_id: strawberry.ID = strawberry.field(description="Starts with chan_.")
    pattern: str = strawberry.field(description="VIP001, VIP*, or * for every other account.")
    store_id: strawberry.ID = strawberry.field(description="Whose balance is to grow.")
    label: str | None = strawberry.field(default=None, description="What people call it.")

    def to_domain(self) -> NewAccount:
        """Raises InvalidInput."""
        return NewAccount(AccountPattern.of(self.pattern), inside(Kind.STORE, self.store_id), self.label)


@strawberry.input(description="The entry to take out.")
class UnmapAccountInput:
    id: strawberry.ID = strawberry.field(description="The entry's id; starts with amap_.")


@strawberry.type(description="The entry is added.")
class MapAccountSuccess:
    entry: ChannelAccount = strawberry.field(description="The new entry.")


@strawberry.type(description="The entry is gone.")
class UnmapAccountSuccess:
    channel_id: strawberry.ID = strawberry.field(description="The channel it belonged to.")


MapAccountResult = Annotated[
    MapAccountSuccess
    | AccountTakenError
    | MappingFullError
    | NotFoundError
    | InvalidInputError
    | ForbiddenError,
    strawberry.union("MapAccountResult", description="Whether the entry was added."),
]
UnmapAccountResult = Annotated[
    UnmapAccountSuccess | NotFoundError | InvalidInputError | ForbiddenError,
    strawberry.union("UnmapAccountResult", description="Whether the entry was taken out."),
]


@strawberry.type(description="Account mappings.")
class ChannelAccountQueries:
    @strawberry.field(description="A channel's account mapping, at most 500 entries. Needs channels:read.")
    async def channel_accounts(
        self, info: Info[TenantContext, None], channel_id: ChannelId
    ) -> list[ChannelAccount]:
        rows = await channel_accounts.channel_accounts(info.context, inside(Kind.CHANNEL, channel_id))
        return [ChannelAccount.of(row) for row in rows]

    @strawberry.field(
        description="Where money would go that is paid by hand to an account; null if there is no such "
        "channel. Needs channels:read."
    )
    async def preview_account_mapping(
        self,
        info: Info[TenantContext, None],
        channel_id: ChannelId,
        account: Annotated[str, strawberry.argument(description="As a payer might type it.")],
    ) -> AccountPreview | None:
        found = await channel_accounts.preview_account(
            info.context, inside(Kind.CHANNEL, channel_id), account
        )
        if found is None:
            return None
        entry, order = found
        may_see = Scope.PAYMENTS_READ in info.context.signed_in().scopes
        return AccountPreview(
            account=account.strip().upper()[:20],
            entry=None if entry is None else ChannelAccount.of(entry),
            order_id=strawberry.ID(outside(Kind.ORDER, order.id)) if order and may_see else None,
        )

    @strawberry.field(description="Common ways to set a channel up, for guides.")
    async def channel_templates(self) -> list[ChannelTemplate]:
        return [ChannelTemplate.of(template) for template in TEMPLATES]


@strawberry.type(description="Changing account mappings.")
class ChannelAccountMutations:
    @strawberry.mutation(description="Adds an entry to a channel's account mapping. Needs channels:write.")
    async def map_account(
        self,
        info: Info[TenantContext, None],
        input: Annotated[MapAccountInput, strawberry.argument(description="The entry.")],
    ) -> MapAccountResult:
        channel_id = inside(Kind.CHANNEL, input.channel_id)
        row = await channel_accounts.map_account(info.context, channel_id, input.to_domain())
        return MapAccountSuccess(entry=ChannelAccount.of(row))

    @strawberry.mutation(
        description="Takes an entry out of a channel's account mapping. Needs channels:write."
    )
    async def unmap_account(
        self,
        info: Info[TenantContext, None],
        input: Annotated[UnmapAccountInput, strawberry.argument(description="Which entry.")],
    ) -> UnmapAccountResult:
        channel_id = await channel_accounts.unmap_account(info.context, inside(Kind.MAPPING, input.id))
        return UnmapAccountSuccess(channel_id=strawberry.ID(outside(Kind.CHANNEL, channel_id)))
