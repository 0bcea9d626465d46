"""Rows about a tenant's configuration of providers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, TenantModel


class ProviderAccount(Keyed, TenantModel):
    """One provider as this tenant uses it: environment, currencies, keys, and its place in routing."""

    __tablename__ = "provider_accounts"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'production')", name="environment_known"),
        Index("uq_provider_accounts_default", "is_default", unique=True, postgresql_where=text("is_default")),
        Index("ix_provider_accounts_page", "created_at", "id"),
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
    last_tested_at: Mapped[datetime | None]
    tested_version: Mapped[int | None]
    """The `secrets_version` that the last test was made with."""
    last_test_error: Mapped[str | None]
    """What the provider, or its silence, said; None where the keys were proven."""
    last_test_summary: Mapped[str | None]
    """What the test proved, in words for the tenant."""
    test_warnings: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    previous_secrets_until: Mapped[datetime | None]
    """Until then webhooks that the replaced secrets sign are still believed."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Grows with every change: what an import finds changed is never rolled back."""
    import_id: Mapped[UUID | None] = mapped_column(ForeignKey("provider_imports.id"), index=True)
    """Of the import that made it."""

    @property
    def is_proven(self) -> bool:
        """Whether a real call was made with the secrets it has now, and they were accepted."""
        return self.tested_version == self.secrets_version and self.last_test_error is None


class SealedSecret(Keyed, TenantModel):
    """One secret of a provider account, readable only with the tenant's data key."""

    __tablename__ = "sealed_secrets"
    __table_args__ = (Index("uq_sealed_secrets_name", "provider_account_id", "name", unique=True),)

    provider_account_id: Mapped[UUID] = mapped_column(ForeignKey("provider_accounts.id"))
    name: Mapped[str]
    """A member of SecretName."""
    sealed: Mapped[str]
    """`v1.{key version}.{nonce}.{ciphertext}`; bound to tenant, table, column and row."""


class ProviderImport(Keyed, TenantModel):
    """An old configuration document that was taken over, and what became of each entry."""

    __tablename__ = "provider_imports"

    entries: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """By entry: `key`, `outcome`, `account_id`, `version`, `errors`; never a secret."""
    rolled_back_at: Mapped[datetime | None]
