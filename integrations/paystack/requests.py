"""What we send to Paystack to collect.

Source: Paystack, sections 2 and 4.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Self

from core.collecting import CaptureMode, Method
from core.currency import Currency
from integrations.account import Account, NotConfigured
from integrations.errors import FailureReason, ProviderRejected
from integrations.paystack.units import require_whole_shillings, to_subunits
from integrations.protocol import Intent
from integrations.wire_json import Json

CHANNELS: Final[Mapping[Method, str]] = {
    Method.CARD: "card",
    Method.MOBILE_MONEY: "mobile_money",
    Method.BANK_TRANSFER: "bank_transfer",
}
MPESA: Final = "mpesa"
MPESA_OFFLINE: Final = "mpesa_offline"
"""No prompt: the payer is told a PayBill and an account."""
MPESA_TILL: Final = "mptill"
MPESA_PROVIDERS: Final = (MPESA, MPESA_OFFLINE, MPESA_TILL)
GHANA: Final = "233"

_REFERENCE: Final = re.compile(r"[A-Za-z0-9.=-]{1,100}")
_KENYAN: Final = re.compile(r"254[17][0-9]{8}")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Collecting:
    """How one account collects."""

    alias_domain: str | None = None
    """Of the e-mail addresses that stand in for payers who gave none."""
    mpesa_provider: str = MPESA
    mpesa_phone_prefix: str = "+"
    """What stands before `254…`: a plus, or nothing. [ASSUMED] Most clients send it, some don't."""
    till: str | None = None
    page_open: timedelta = timedelta(hours=1)
    """How long a payer may take over a page before leaving it counts; money that comes later still does."""
    ghana_networks: Mapping[str, str] = field(default_factory=dict)
    """Which wallet a number belongs to, by its first digits without the plus: `{"23324": "mtn"}`."""

    @classmethod
    def of(cls, account: Account) -> Self:
        """Read what the account's details and the catalog's settings say; the details come first.

        Of both: `alias_email_domain`, `mpesa_provider`, `till_number`.
        Of the settings alone: `mpesa_phone_prefix`, `page_open_minutes`, `ghana_networks`.

        Raises:
            NotConfigured: one of them can't be used.
        """
        networks = account.settings.get("ghana_networks", {})
        minutes = account.settings.get("page_open_minutes")
        domain = _text(account, "alias_email_domain").lower().removeprefix("@")
        made = cls(
            alias_domain=domain or None,
            mpesa_provider=_text(account, "mpesa_provider") or MPESA,
            mpesa_phone_prefix=str(account.settings.get("mpesa_phone_prefix", "+")),
            till=_text(account, "till_number") or None,
            page_open=timedelta(minutes=minutes) if isinstance(minutes, int) else timedelta(hours=1),
            ghana_networks={str(start): str(code) for start, code in networks.items()}
            if isinstance(networks, dict)
            else {},
        )
        if domain and _DOMAIN.fullmatch(domain) is None:
            raise NotConfigured("alias_email_domain is no domain")
        if made.mpesa_provider not in MPESA_PROVIDERS:
            raise NotConfigured(f"mpesa_provider is one of {', '.join(MPESA_PROVIDERS)}")
        if made.mpesa_phone_prefix not in ("+", ""):
            raise NotConfigured("mpesa_phone_prefix is + or nothing")
        if made.mpesa_provider == MPESA_TILL and made.till is None:
            raise NotConfigured("till_number is missing")
        return made

    def wallet(self, intent: Intent) -> dict[str, Json] | None:
        """The wallet that can be charged without a page; None where the payer needs one."""
        phone = intent.phone
        if intent.method is not Method.MOBILE_MONEY or phone is None:
            return None
        if intent.amount.currency is Currency.KES and _KENYAN.fullmatch(phone.digits):
            return self._mpesa(phone.digits)
        if intent.amount.currency is Currency.GHS and phone.digits.startswith(GHANA):
            fitting = [start for start in self.ghana_networks if phone.digits.startswith(start)]
            network = self.ghana_networks.get(max(fitting, key=len, default=""))
            local = f"0{phone.digits.removeprefix(GHANA)}"
            return {"phone": local, "provider": network} if network else None
        return None

    def email(self, intent: Intent) -> str:
        """The payer's address, or one of ours that is this payment's alone: Paystack requires one.

        Raises:
            ProviderRejected: there is neither.
        """
        if intent.email:
            return intent.email
        if self.alias_domain is None:
            message = "Paystack wants an e-mail address, and the account has no domain for aliases."
            raise ProviderRejected("email", message, FailureReason.CONFIGURATION)
        return f"{intent.payment_id}@{self.alias_domain}"

    def _mpesa(self, digits: str) -> dict[str, Json]:
        if self.mpesa_provider == MPESA_TILL:
            # [ASSUMED] Answered like the prompt.
            return {"account": self.till, "provider": MPESA_TILL}
        prefix = "" if self.mpesa_provider == MPESA_OFFLINE else self.mpesa_phone_prefix
        return {"phone": f"{prefix}{digits}", "provider": self.mpesa_provider}


def charge_body(intent: Intent, collecting: Collecting, wallet: dict[str, Json]) -> dict[str, Json]:
    """`POST /charge` for a wallet.

    Raises:
        ProviderRejected: Paystack takes no such amount or reference; nothing was sent.
    """
    return {**_common(intent, collecting), "mobile_money": wallet}


def page_body(intent: Intent, collecting: Collecting) -> dict[str, Json]:
    """`POST /transaction/initialize`.

    Raises:
        ProviderRejected: Paystack takes no such amount or reference; nothing was sent.
    """
    body: dict[str, Json] = {**_common(intent, collecting), "channels": [CHANNELS[intent.method]]}
    return {**body, **({"callback_url": intent.return_url} if intent.return_url else {})}


def _common(intent: Intent, collecting: Collecting) -> dict[str, Json]:
    if intent.capture is CaptureMode.MANUAL:
        message = "Paystack takes the money at once, it can't be captured later."
        raise ProviderRejected("not_supported", message, FailureReason.CONFIGURATION)
    if _REFERENCE.fullmatch(intent.attempt_key) is None:
        message = "A reference holds letters, digits and - . = only."
        raise ProviderRejected("reference", message, FailureReason.DECLINED)
    if intent.method is Method.MOBILE_MONEY:
        require_whole_shillings(intent.amount)
    return {
        "email": collecting.email(intent),
        "amount": to_subunits(intent.amount),
        "currency": intent.amount.currency.value,
        "reference": intent.attempt_key,
        "metadata": {"payment_id": intent.payment_id, "tenant": intent.tenant},
    }


def _text(account: Account, name: str) -> str:
    return str(account.details.get(name) or account.settings.get(name) or "").strip()
