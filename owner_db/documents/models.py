"""Rows of the trusted documents."""

from sqlalchemy.orm import Mapped, mapped_column

from tenancy.columns import Keyed, OwnerModel


class PersistedDocument(Keyed, OwnerModel):
    """A GraphQL document that clients name by its hash."""

    __tablename__ = "persisted_documents"

    sha256: Mapped[str] = mapped_column(unique=True)
    """64 lower-case hex digits."""
    audience: Mapped[str]
    """`tenant` or `owner`: the schema it was validated against."""
    text: Mapped[str]
