"""Points of sale."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.types import Info

from core.ids import Kind, inside, outside
from resolvers import loaders, stores
from schema.connections import After, Connection, First, Node, connection, page_request
from schema.errors import Error, ForbiddenError, InvalidInputError, Refusal
from tenancy.context import TenantContext
from tenant_db.stores.creating import NewStore
from tenant_db.stores.errors import StoreCodeTaken
from tenant_db.stores.models import Store as StoreRow


@strawberry.type(description="Another store of this business has this code.")
class StoreCodeTakenError(Error):
    store_code: str = strawberry.field(description="The code that is taken.")


REFUSALS = (Refusal(StoreCodeTaken, StoreCodeTakenError),)


@strawberry.type(description="A shop, branch or practice of the business.")
class Store(Node):
    name: str = strawberry.field(description="What people call it.")
    code: str = strawberry.field(description="Short, chosen by the business, such as `main`.")
    time_zone: str = strawberry.field(description="IANA name of the zone in which its day begins.")
    created_at: datetime = strawberry.field(description="When it was opened here.")
    closed_at: datetime | None = strawberry.field(description="When it closed; null while it is open.")

    @classmethod
    def of(cls, row: StoreRow) -> "Store":
        return cls(
            id=strawberry.ID(outside(Kind.STORE, row.id)),
            name=row.name,
            code=row.code,
            time_zone=row.time_zone,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )


def store_loader(context: TenantContext) -> DataLoader[UUID, StoreRow | None]:
    """Stores that other types name, in one query for each level of a document."""

    async def load(ids: list[UUID]) -> list[StoreRow | None]:
        return await loaders.stores_by_id(context, ids)

    return DataLoader(load_fn=load, max_batch_size=loaders.BATCH_MAX)


async def store_node(context: TenantContext, id: UUID) -> Store | None:
    row = await stores.store(context, id)
    return None if row is None else Store.of(row)


@strawberry.type(description="The store is open.")
class CreateStoreSuccess:
    store: Store = strawberry.field(description="The new store.")


CreateStoreResult = Annotated[
    CreateStoreSuccess | StoreCodeTakenError | InvalidInputError | ForbiddenError,
    strawberry.union("CreateStoreResult", description="Whether the store was opened."),
]


@strawberry.input(description="The store to open.")
class CreateStoreInput:
    name: str = strawberry.field(description="What people call it: 1 to 80 characters.")
    code: str = strawberry.field(
        description="Short and unique in the business: lower-case letters, digits and hyphens."
    )
    time_zone: str = strawberry.field(
        default="Africa/Nairobi", description="IANA name of the zone in which its day begins."
    )

    def to_domain(self) -> NewStore:
        """Raises InvalidInput."""
        return NewStore(self.name, self.code, self.time_zone)


StoreId = Annotated[strawberry.ID, strawberry.argument(description="Starts with store_.")]


@strawberry.type(description="Points of sale.")
class StoreQueries:
    @strawberry.field(description="The stores of your business, newest first. Needs stores:read.")
    async def stores(
        self, info: Info[TenantContext, None], first: First = 20, after: After = None
    ) -> Connection[Store]:
        scope = info.context.tenant.id
        page = await stores.stores(info.context, page_request(first, after, scope))
        return connection(page, Store.of, scope, after=after)

    @strawberry.field(description="One store; null if there is no such store. Needs stores:read.")
    async def store(self, info: Info[TenantContext, None], id: StoreId) -> Store | None:
        return await store_node(info.context, inside(Kind.STORE, id))


@strawberry.type(description="Opening points of sale.")
class StoreMutations:
    @strawberry.mutation(description="Opens a store. Needs stores:write.")
    async def create_store(
        self,
        info: Info[TenantContext, None],
        input: Annotated[CreateStoreInput, strawberry.argument(description="The store to open.")],
    ) -> CreateStoreResult:
        row = await stores.create_store(info.context, input.to_domain())
        return CreateStoreSuccess(store=Store.of(row))
