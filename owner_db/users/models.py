"""Rows about people and keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, OwnerModel, one_of
from tenancy.roles import Role


class User(Keyed, OwnerModel):
    """Someone who signs in."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint(
            "platform_role IN ('platform_admin', 'platform_finance', 'platform_support')",
            name="platform_role_known",
        ),
    )

    email: Mapped[str] = mapped_column(unique=True)
    """Lower case, normalised."""
    name: Mapped[str]
    password_hash: Mapped[str]
    """argon2id, in its own encoded form."""
    email_verified_at: Mapped[datetime | None]
    platform_role: Mapped[str | None]
    """A member of PlatformRole for the platform's own staff."""
    disabled_at: Mapped[datetime | None]
    last_tenant_id: Mapped[UUID | None]
    """Where the next sign-in goes."""


class Membership(Keyed, OwnerModel):
    """What one user is to one tenant."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_id", "tenant_id"), one_of("role", Role))

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    role: Mapped[str]


class RefreshToken(Keyed, OwnerModel):
    """One link of a rotating chain; using a link twice ends the whole family."""

    __tablename__ = "refresh_tokens"

    family_id: Mapped[UUID] = mapped_column(index=True)
    """All tokens that descend from one sign-in."""
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    tenant_id: Mapped[UUID | None]
    audience: Mapped[str]
    """`tenant` or `owner`: the schema its access tokens are for."""
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class MailToken(Keyed, OwnerModel):
    """A link sent by e-mail, good once: to verify an address or to reset a password."""

    __tablename__ = "mail_tokens"
    __table_args__ = (CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="purpose_known"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str]
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    """Set by the job that sends it: the token itself is never stored."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Invitation(Keyed, OwnerModel):
    """An offer to join a tenant, by e-mail; or, without a tenant, to register one."""

    __tablename__ = "invitations"
    __table_args__ = (
        one_of("role", Role),
        Index(
            "uq_invitations_open",
            "tenant_id",
            "email",
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    email: Mapped[str]
    role: Mapped[str]
    invited_by: Mapped[UUID | None]
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    """Set by the job that sends it."""
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiKey(Keyed, OwnerModel):
    """A key for a tenant's own systems. Only its SHA-256 is stored."""

    __tablename__ = "api_keys"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str]
    secret_hash: Mapped[bytes]
    """SHA-256 of the whole key."""
    hint: Mapped[str]
    """Its last four characters, to tell keys apart."""
    scopes: Mapped[list[str]]
    created_by: Mapped[UUID]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class SigningKey(Keyed, OwnerModel):
    """An Ed25519 key that signs access tokens; its id is the `kid`."""

    __tablename__ = "signing_keys"

    public_key: Mapped[bytes]
    """32 raw bytes."""
    sealed_private_key: Mapped[bytes]
    """Sealed by the master key."""
    retires_at: Mapped[datetime | None]
    """From then on it signs nothing, but is published until its last token has expired."""
