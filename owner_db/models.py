"""Every table of the owner database, imported so that the metadata is complete."""

from owner_db.alerts.models import PlatformAlert
from owner_db.audit.models import OwnerAudit
from owner_db.catalog.models import CatalogRelease, PaymentProvider, ProviderCurrencySupport
from owner_db.documents.models import PersistedDocument
from owner_db.idempotency.models import OwnerIdempotency
from owner_db.inbox.models import OwnerInbox
from owner_db.metrics.models import CallFigure, PaymentFigure
from owner_db.outbox.models import OwnerOutbox
from owner_db.proofs.models import LedgerHead
from owner_db.tenants.models import (
    DatabaseServer,
    DirtyTenant,
    HookEndpoint,
    MigrationItem,
    MigrationRun,
    ShortCode,
    Tenant,
    TenantKey,
)
from owner_db.tiers.models import Tier
from owner_db.users.models import (
    ApiKey,
    Invitation,
    MailToken,
    Membership,
    RefreshToken,
    SigningKey,
    User,
)

__all__ = [
    "ApiKey",
    "CallFigure",
    "CatalogRelease",
    "DatabaseServer",
    "DirtyTenant",
    "HookEndpoint",
    "Invitation",
    "LedgerHead",
    "MailToken",
    "Membership",
    "MigrationItem",
    "MigrationRun",
    "OwnerAudit",
    "OwnerIdempotency",
    "OwnerInbox",
    "OwnerOutbox",
    "PaymentFigure",
    "PaymentProvider",
    "PersistedDocument",
    "PlatformAlert",
    "ProviderCurrencySupport",
    "RefreshToken",
    "ShortCode",
    "SigningKey",
    "Tenant",
    "TenantKey",
    "Tier",
    "User",
]
