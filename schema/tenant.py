"""The tenant schema, at /graphql: what a business, its staff and its API keys can do."""

from typing import Annotated, Final

import strawberry
from strawberry.types import Info

from core.ids import Kind
from schema import (
    alert_types,
    channel_types,
    checkout_types,
    disputes,
    exports,
    finding_types,
    ledger_posting_types,
    ledger_proof,
    members,
    order_types,
    payment_refusals,
    payment_steps,
    provider_account_types,
    provider_types,
    refund_types,
    registering,
    review_types,
    sessions,
    statement_types,
    stores,
    webhook_types,
)
from schema.alerts import AlertMutations, AlertQueries, AlertSubscriptions, alert_node
from schema.api_keys import ApiKeyMutations, ApiKeyQueries
from schema.audit import AuditQueries
from schema.base import make_schema
from schema.catalog import CatalogQueries
from schema.channel_accounts import ChannelAccountMutations, ChannelAccountQueries
from schema.channel_health import ChannelHealthQueries, ChannelHealthSubscriptions
from schema.channel_lifecycle import ChannelLifecycleMutations
from schema.channels import ChannelMutations, ChannelQueries, ChannelSubscriptions, channel_node
from schema.channels_bulk import ChannelBulkMutations, ChannelBulkQueries
from schema.checkout import CheckoutMutations, CheckoutQueries, CheckoutSubscriptions
from schema.connections import Node, NodeLoader, load_node
from schema.current_tenant import CurrentTenantQueries, tenant_node
from schema.disputes import DisputeMutations, DisputeQueries, DisputeSubscriptions, dispute_node
from schema.exports import ExportMutations, ExportQueries, ExportSubscriptions, export_node
from schema.ledger import LedgerBalanceSubscriptions, LedgerQueries, ledger_account_node, transfer_node
from schema.ledger_accounts import LedgerAccountMutations
from schema.ledger_holds import HoldMutations, HoldQueries, hold_node
from schema.ledger_posting import LedgerPostingMutations
from schema.ledger_posting_bulk import LedgerBulkMutations
from schema.ledger_proof import LedgerProofMutations, LedgerProofQueries, ledger_verification_node
from schema.ledger_statements import LedgerStatementQueries
from schema.members import MemberMutations, MemberQueries
from schema.metrics import MetricQueries
from schema.orders import OrderMutations, OrderQueries, OrderSubscriptions, order_node
from schema.payment_status import PaymentStatusQueries, PaymentStatusSubscriptions
from schema.payment_steps import PaymentStepMutations
from schema.payments import PaymentMutations, PaymentQueries, PaymentSubscriptions, payment_node
from schema.payments_live import StorePaymentSubscriptions
from schema.provider_accounts import ProviderAccountMutations, ProviderAccountQueries, provider_account_node
from schema.provider_imports import ProviderImportMutations
from schema.provider_keys import ProviderKeyMutations
from schema.reconciliation import ReconciliationMutations, ReconciliationQueries, finding_node
from schema.refunds import RefundMutations, RefundQueries, RefundSubscriptions, refund_node
from schema.registering import RegistrationMutations, RegistrationQueries, RegistrationSubscriptions
from schema.reviews import ReviewMutations, ReviewQueries, ReviewSubscriptions, review_node
from schema.routing import RoutingQueries
from schema.sessions import SessionMutations, TenantSessionMutations
from schema.statements import StatementMutations, StatementQueries
from schema.stores import StoreMutations, StoreQueries, store_node
from schema.webhooks import WebhookMutations, WebhookQueries
from tenancy.context import TenantContext

NODES: Final[dict[Kind, NodeLoader]] = {
    Kind.TENANT: tenant_node,
    Kind.STORE: store_node,
    Kind.CHANNEL: channel_node,
    Kind.PROVIDER_ACCOUNT: provider_account_node,
    Kind.PAYMENT: payment_node,
    Kind.ORDER: order_node,
    Kind.LEDGER_ACCOUNT: ledger_account_node,
    Kind.TRANSFER: transfer_node,
    Kind.HOLD: hold_node,
    Kind.EXPORT: export_node,
    Kind.LEDGER_VERIFICATION: ledger_verification_node,
    Kind.FINDING: finding_node,
    Kind.REFUND: refund_node,
    Kind.DISPUTE: dispute_node,
    Kind.ALERT: alert_node,
    Kind.REVIEW: review_node,
}
"""What `node(id)` can read, by the prefix of the id."""


@strawberry.type(description="Everything you can read.")
class Query(
    CurrentTenantQueries,
    StoreQueries,
    ChannelQueries,
    ChannelAccountQueries,
    ChannelBulkQueries,
    ChannelHealthQueries,
    PaymentQueries,
    PaymentStatusQueries,
    RefundQueries,
    DisputeQueries,
    AlertQueries,
    ReviewQueries,
    OrderQueries,
    CheckoutQueries,
    LedgerQueries,
    HoldQueries,
    LedgerStatementQueries,
    ExportQueries,
    LedgerProofQueries,
    ReconciliationQueries,
    StatementQueries,
    CatalogQueries,
    ProviderAccountQueries,
    RoutingQueries,
    AuditQueries,
    ApiKeyQueries,
    MemberQueries,
    WebhookQueries,
    MetricQueries,
    RegistrationQueries,
):
    @strawberry.field(
        description="Reads anything of your business by its id; null if there is no such thing."
    )
    async def node(
        self,
        info: Info[TenantContext, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Any id of this schema.")],
    ) -> Node | None:
        return await load_node(NODES, info.context, id)


@strawberry.type(description="Everything you can do. Each field is one transaction.")
class Mutation(
    StoreMutations,
    ChannelMutations,
    ChannelLifecycleMutations,
    ChannelAccountMutations,
    ChannelBulkMutations,
    ProviderKeyMutations,
    ProviderAccountMutations,
    ProviderImportMutations,
    PaymentMutations,
    PaymentStepMutations,
    RefundMutations,
    DisputeMutations,
    AlertMutations,
    ReviewMutations,
    OrderMutations,
    CheckoutMutations,
    LedgerPostingMutations,
    LedgerBulkMutations,
    HoldMutations,
    LedgerAccountMutations,
    ExportMutations,
    LedgerProofMutations,
    ReconciliationMutations,
    StatementMutations,
    ApiKeyMutations,
    MemberMutations,
    WebhookMutations,
    RegistrationMutations,
    SessionMutations,
    TenantSessionMutations,
):
    pass


@strawberry.type(description="Everything you can watch. The present state comes first, then changes.")
class Subscription(
    ChannelSubscriptions,
    ChannelHealthSubscriptions,
    PaymentSubscriptions,
    PaymentStatusSubscriptions,
    StorePaymentSubscriptions,
    RefundSubscriptions,
    DisputeSubscriptions,
    AlertSubscriptions,
    ReviewSubscriptions,
    OrderSubscriptions,
    CheckoutSubscriptions,
    LedgerBalanceSubscriptions,
    RegistrationSubscriptions,
    ExportSubscriptions,
):
    pass


def tenant_schema() -> strawberry.Schema:
    """Build it; do so once a process."""
    return make_schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        refusals=[
            *stores.REFUSALS,
            *channel_types.REFUSALS,
            *provider_types.REFUSALS,
            *provider_account_types.REFUSALS,
            *payment_refusals.REFUSALS,
            *payment_steps.REFUSALS,
            *refund_types.REFUSALS,
            *disputes.REFUSALS,
            *alert_types.REFUSALS,
            *review_types.REFUSALS,
            *order_types.REFUSALS,
            *checkout_types.REFUSALS,
            *ledger_posting_types.REFUSALS,
            *exports.REFUSALS,
            *ledger_proof.REFUSALS,
            *finding_types.REFUSALS,
            *statement_types.REFUSALS,
            *members.REFUSALS,
            *registering.REFUSALS,
            *sessions.REFUSALS,
            *webhook_types.REFUSALS,
        ],
    )
