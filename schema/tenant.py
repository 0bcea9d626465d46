"""The tenant schema, at /graphql: what a business, its staff and its API keys can do."""

from typing import Annotated, Final

import strawberry
from strawberry.types import Info

from core.ids import Kind
from schema.base import make_schema
from schema.connections import Node, NodeLoader, load_node
from tenancy.context import TenantContext

NODES: Final[dict[Kind, NodeLoader]] = {}
"""What `node(id)` can read, by the prefix of the id."""


@strawberry.type(description="Everything you can read.")
class Query:
    @strawberry.field(
        description="Reads anything of your business by its id; null if there is no such thing."
    )
    async def node(
        self,
        info: Info[TenantContext, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Any id of this schema.")],
    ) -> Node | None:
        return await load_node(NODES, info.context, id)


def tenant_schema() -> strawberry.Schema:
    """Build it; do so once a process."""
    return make_schema(query=Query)
