"""The certificate under which operators' passwords are sealed, one for each environment."""

from sqlalchemy import select

from owner_db.catalog.errors import ProviderUnknown
from owner_db.catalog.models import PaymentProvider
from tenancy.sessions import OwnerSession


async def trust_certificate(session: OwnerSession, code: str, environment: str, certificate: str) -> None:
    """Put an X.509 certificate (PEM, or DER in base64) in place of the one before.

    Raises:
        ProviderUnknown: the catalog has no such provider.
    """
    row = await session.scalar(select(PaymentProvider).where(PaymentProvider.code == code).with_for_update())
    if row is None:
        raise ProviderUnknown(code)
    known = row.settings.get("certificates") or {}
    row.settings = {**row.settings, "certificates": {**known, environment: certificate}}
    await session.flush()
