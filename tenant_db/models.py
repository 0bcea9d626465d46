"""Every table of a tenant database, imported so that the metadata is complete."""

from tenant_db.alerts.models import Alert
from tenant_db.audit.models import TenantAudit
from tenant_db.calls.models import ProviderCall
from tenant_db.channels.models import Channel, ChannelAccount, ProviderRequest
from tenant_db.credentials.models import ProviderAccount, ProviderImport, SealedSecret
from tenant_db.customers.models import Customer
from tenant_db.disputes.models import Dispute
from tenant_db.exports.models import Export, ExportPart
from tenant_db.idempotency.models import TenantIdempotency
from tenant_db.identity.models import Identity
from tenant_db.inbox.models import TenantInbox
from tenant_db.ledger.models import Entry, Hold, LedgerAccount, Transfer
from tenant_db.ledger.proof_models import Block, LedgerVerification
from tenant_db.orders.models import Order, OrderItem
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.models import Confirmation, PayerStep, Payment, PaymentEvent
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.refunds.models import Refund, RefundEvent
from tenant_db.reviews.models import Review
from tenant_db.statements.models import MatchedTransfer, StatementImport, StatementLine, StatementMatch
from tenant_db.stores.models import Store
from tenant_db.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Alert",
    "Block",
    "Channel",
    "ChannelAccount",
    "Confirmation",
    "Customer",
    "Dispute",
    "Entry",
    "Export",
    "ExportPart",
    "Finding",
    "Hold",
    "Identity",
    "LedgerAccount",
    "LedgerVerification",
    "MatchedTransfer",
    "Order",
    "OrderItem",
    "PayerStep",
    "Payment",
    "PaymentEvent",
    "ProviderAccount",
    "ProviderCall",
    "ProviderImport",
    "ProviderRequest",
    "Reconciliation",
    "Refund",
    "RefundEvent",
    "Review",
    "SealedSecret",
    "StatementImport",
    "StatementLine",
    "StatementMatch",
    "Store",
    "TenantAudit",
    "TenantIdempotency",
    "TenantInbox",
    "TenantOutbox",
    "Transfer",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]

INSERT_ONLY = frozenset(
    {
        "audit_log",
        "payment_events",
        "refund_events",
        "ledger_transfers",
        "ledger_entries",
        "ledger_blocks",
        "order_items",
    }
)
"""Tables in which the application's role may neither update nor delete."""
