"""Rows about a tenant's configuration of providers."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel


class ProviderAccount(Keyed, TenantModel):
    """One provider as this tenant uses it: environment, currencies, keys, and its place in routing."""

    __tablename__ = "provider_accounts"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'production')", name="environment_known"),
        Index("uq_provider_accounts_default", "is_default", unique=True, postgresql_where=text("is_default")),
    )

    provider: Mapped[str]
    """The catalog's code: `mpesa`."""
    name: Mapped[str]
    environment: Mapped[str]
    currencies: Mapped[list[str]]
    configuration: Mapped[dict[str, Any]]
    """What is not secret, by the catalog's JSON Schema."""
    priority: Mapped[int] = mapped_column(default=100)
    """Lower is tried first."""
    is_default: Mapped[bool] = mapped_column(default=False)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    secrets_version: Mapped[int] = mapped_column(default=1)
    """Grows when its secrets are replaced, so that what was proven of the old ones no longer counts."""


class SealedSecret(Keyed, TenantModel):
    """One secret of a provider account, readable only with the tenant's data key."""

    __tablename__ = "sealed_secrets"
    __table_args__ = (Index("uq_sealed_secrets_name", "provider_account_id", "name", unique=True),)

    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"))
    name: Mapped[str]
    """A member of SecretName."""
    sealed: Mapped[str]
    """`v1.{key version}.{nonce}.{ciphertext}`; bound to tenant, table, column and row."""
