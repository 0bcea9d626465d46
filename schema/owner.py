"""The owner schema, at /owner/graphql: what platform staff can do."""

import strawberry

from schema import members, platform, sessions
from schema.base import make_schema
from schema.platform import PlatformMutations, PlatformQueries
from schema.platform_metrics import PlatformMetricQueries
from schema.sessions import SessionMutations
from schema.store_audit import StoreAuditMutations, StoreAuditQueries


@strawberry.type(description="Everything you can read.")
class Query(PlatformQueries, StoreAuditQueries, PlatformMetricQueries):
    pass


@strawberry.type(description="Everything you can change.")
class Mutation(SessionMutations, PlatformMutations, StoreAuditMutations):
    pass


def owner_schema() -> strawberry.Schema:
    """Build it; do so once a process."""
    return make_schema(
        query=Query,
        mutation=Mutation,
        refusals=[*sessions.REFUSALS, *members.REFUSALS, *platform.REFUSALS],
    )
