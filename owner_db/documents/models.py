"""Rows of the trusted documents."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from tenancy.columns import Keyed, OwnerModel


class PersistedDocument(Keyed, OwnerModel):
    """A GraphQL document that clients name by its hash."""

    __tablename__ = "persisted_documents"
    __table_args__ = (UniqueConstraint("audience", "sha256"),)

    sha256: Mapped[str]
    """64 lower-case hex digits."""
    audience: Mapped[str]
    """`tenant` or `owner`: the schema it was validated against."""
    text: Mapped[str]
