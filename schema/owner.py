"""The owner schema, at /owner/graphql: what platform staff can do."""

import strawberry

from schema import (
    alert_types,
    ledger_posting_types,
    members,
    platform,
    platform_alerts,
    provider_types,
    refund_types,
    review_types,
    sessions,
)
from schema.base import make_schema
from schema.catalog_owner import CatalogMutations
from schema.platform import PlatformMutations, PlatformQueries
from schema.platform_alerts import PlatformAlertMutations, PlatformAlertQueries
from schema.platform_metrics import PlatformMetricQueries
from schema.platform_reviews import PlatformReviewMutations, PlatformReviewQueries
from schema.sessions import SessionMutations
from schema.store_audit import StoreAuditMutations, StoreAuditQueries


@strawberry.type(description="Everything you can read.")
class Query(
    PlatformQueries,
    StoreAuditQueries,
    PlatformMetricQueries,
    PlatformAlertQueries,
    PlatformReviewQueries,
):
    pass


@strawberry.type(description="Everything you can change.")
class Mutation(
    SessionMutations,
    PlatformMutations,
    CatalogMutations,
    StoreAuditMutations,
    PlatformAlertMutations,
    PlatformReviewMutations,
):
    pass


def owner_schema() -> strawberry.Schema:
    """Build it; do so once a process."""
    return make_schema(
        query=Query,
        mutation=Mutation,
        refusals=[
            *sessions.REFUSALS,
            *members.REFUSALS,
            *platform.REFUSALS,
            *provider_types.REFUSALS,
            *ledger_posting_types.REFUSALS,
            *refund_types.REFUSALS,
            *review_types.REFUSALS,
            *alert_types.REFUSALS,
            *platform_alerts.REFUSALS,
        ],
    )
