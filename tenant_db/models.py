"""Every table of a tenant database, imported so that the metadata is complete."""

from tenant_db.audit.models import TenantAudit
from tenant_db.calls.models import ProviderCall
from tenant_db.channels.models import Channel
from tenant_db.credentials.models import ProviderAccount, SealedSecret
from tenant_db.customers.models import Customer
from tenant_db.exports.models import Export, ExportPart
from tenant_db.idempotency.models import TenantIdempotency
from tenant_db.identity.models import Identity
from tenant_db.inbox.models import TenantInbox
from tenant_db.ledger.models import Entry, Hold, LedgerAccount, Transfer
from tenant_db.ledger.proof_models import Block, LedgerVerification
from tenant_db.outbox.models import TenantOutbox
from tenant_db.payments.models import Confirmation, Payment, PaymentEvent
from tenant_db.reconciliation.models import Finding, Reconciliation
from tenant_db.statements.models import MatchedTransfer, StatementImport, StatementLine, StatementMatch
from tenant_db.stores.models import Store

__all__ = [
    "Block",
    "Channel",
    "Confirmation",
    "Customer",
    "Entry",
    "Export",
    "ExportPart",
    "Finding",
    "Hold",
    "Identity",
    "LedgerAccount",
    "LedgerVerification",
    "MatchedTransfer",
    "Payment",
    "PaymentEvent",
    "ProviderAccount",
    "ProviderCall",
    "Reconciliation",
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
]

INSERT_ONLY = frozenset(
    {"audit_log", "payment_events", "ledger_transfers", "ledger_entries", "ledger_blocks"}
)
"""Tables in which the application's role may neither update nor delete."""
