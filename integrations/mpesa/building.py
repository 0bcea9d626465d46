"""Makes the M-Pesa adapter of one tenant's account."""

from collections.abc import Mapping
from typing import Final

from core.collecting import Feature
from integrations.account import Account, Integration, Outside
from integrations.http import CallLog
from integrations.mpesa.client import MpesaClient
from integrations.mpesa.messages import MpesaCredentials, MpesaPaths, ShortCode
from integrations.mpesa.operating import Operator

CERTIFICATES: Final = "certificates"
"""In the catalog's settings: by environment, PEM text or DER in base64. Safaricom renews them."""


def mpesa_client(account: Account, outside: Outside, log: CallLog) -> MpesaClient:
    """As the registry's `adapter_for`, for callers that do more than the protocol's calls."""
    return MpesaClient(
        MpesaCredentials(
            account.secret("consumer_key"), account.secret("consumer_secret"), account.secret("passkey")
        ),
        _short_code(account),
        base_url=account.base_url,
        paths=MpesaPaths.of(account.paths),
        http=outside.http,
        tokens=outside.tokens,
        clock=outside.clock,
        log=log,
        operator=_operator(account),
    )


def _short_code(account: Account) -> ShortCode:
    number, kind = account.detail("short_code"), account.details.get("kind")
    if kind == "till":
        return ShortCode.till(number, account.detail("head_office_code"))
    if kind == "buygoods":
        return ShortCode.till(number, account.details.get("head_office_code") or number)
    return ShortCode.paybill(number)


def certificate_of(settings: Mapping[str, object], environment: str) -> str | None:
    """The catalog's certificate of an environment; None where it has none."""
    certificates = settings.get(CERTIFICATES)
    found = certificates.get(environment) if isinstance(certificates, dict) else None
    return found if isinstance(found, str) and found.strip() else None


def _operator(account: Account) -> Operator | None:
    name = account.details.get("initiator_name") or account.secrets.get("initiator_name")
    password = account.secrets.get("initiator_password")
    certificate = certificate_of(account.settings, account.environment)
    if not name or not password or certificate is None:
        return None
    return Operator(name, password, certificate)


MPESA: Final = Integration(
    "mpesa",
    frozenset({Feature.COLLECT, Feature.QUERY, Feature.REFUND, Feature.WEBHOOK}),
    mpesa_client,
)
"""Without PARTIAL_REFUND: M-Pesa reverses whole payments."""
