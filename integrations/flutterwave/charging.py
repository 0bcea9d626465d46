"""What a charge and a hosted page are asked with, and what they answer.

Source: Flutterwave v3, sections 2 and 3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from core.collecting import ActionKind, CaptureMode, Method, NextAction
from core.currency import Currency
from core.money import Money
from core.phone import Phone
from integrations.account import NotConfigured
from integrations.errors import FailureReason, OutcomeUnknown, ProviderRejected
from integrations.flutterwave.messages import Envelope, id_of, major, meta_of, text_of, url_of
from integrations.protocol import Accepted, Intent, StillPending
from integrations.wire_json import Json

MPESA: Final = "mpesa"
KENYA: Final = "254"
DIRECT: Final = "direct"
HOSTED: Final = "hosted"
SESSION_MINUTES: Final = 30
SESSION_MINUTES_MAX: Final = 1_440
RETRIES_MAX: Final = 3
_DOMAIN: Final = re.compile(r"([a-z0-9-]{1,63}\.)+[a-z]{2,63}")

MOBILE_MONEY: Final[Mapping[Currency, tuple[str, str]]] = {
    Currency.GHS: ("mobile_money_ghana", "233"),
    Currency.UGX: ("mobile_money_uganda", "256"),
    Currency.RWF: ("mobile_money_rwanda", "250"),
    Currency.ZMW: ("mobile_money_zambia", "260"),
    Currency.TZS: ("mobile_money_tanzania", "255"),
    Currency.XOF: ("mobile_money_franco", ""),
    Currency.XAF: ("mobile_money_franco", ""),
}
"""Direct charges besides M-Pesa, and where their phones are; they want the name of a network."""

HOSTED_MOBILE_MONEY: Final[Mapping[Currency, str]] = {
    Currency.KES: "mpesa",
    Currency.GHS: "mobilemoneyghana",
    Currency.UGX: "mobilemoneyuganda",
    Currency.RWF: "mobilemoneyrwanda",
    Currency.ZMW: "mobilemoneyzambia",
    Currency.XOF: "mobilemoneyfranco",
    Currency.XAF: "mobilemoneyfranco",
}


@dataclass(frozen=True, slots=True)
class Habits:
    """How one account collects: from the catalog's settings and the tenant's details."""

    networks: Mapping[str, str] = field(default_factory=dict)
    """Which mobile-money network a number belongs to, by its first digits: `{"23324": "MTN"}`."""
    session_minutes: int = SESSION_MINUTES
    """How long a hosted page can be paid."""
    alias_domain: str | None = None
    """Of the e-mail addresses that stand in for payers who gave none: Flutterwave wants one."""

    @classmethod
    def of(cls, settings: Mapping[str, object], details: Mapping[str, str | None]) -> "Habits":
        """Read `mobile_money_networks`, `session_minutes` and `alias_email_domain`.

        Raises:
            NotConfigured: the domain is none.
        """
        networks, minutes = settings.get("mobile_money_networks"), settings.get("session_minutes")
        domain = str(details.get("alias_email_domain") or settings.get("alias_email_domain") or "")
        if domain and _DOMAIN.fullmatch(domain) is None:
            raise NotConfigured("alias_email_domain is no domain")
        return cls(
            {str(key): str(name) for key, name in networks.items()} if isinstance(networks, dict) else {},
            min(minutes, SESSION_MINUTES_MAX)
            if isinstance(minutes, int) and minutes > 0
            else SESSION_MINUTES,
            domain or None,
        )

    def network_of(self, phone: Phone) -> str | None:
        """By the longest beginning that fits; None where none does."""
        fitting = [start for start in self.networks if phone.digits.startswith(start)]
        return self.networks[max(fitting, key=len)] if fitting else None


def charge_type(intent: Intent, habits: Habits) -> str | None:
    """The `type` of a direct charge; None where the payer is sent to a hosted page."""
    phone, currency = intent.phone, intent.amount.currency
    if intent.method is not Method.MOBILE_MONEY or phone is None:
        return None
    if currency is Currency.KES:
        return MPESA if phone.digits.startswith(KENYA) else None
    name, country = MOBILE_MONEY.get(currency, ("", ""))
    is_served = phone.digits.startswith(country) and habits.network_of(phone) is not None
    return name if name and is_served else None


def charge_body(intent: Intent, kind: str, habits: Habits) -> dict[str, Json]:
    """A direct charge. Raises ProviderRejected where Flutterwave would refuse it; nothing was sent."""
    assert intent.phone is not None, "a direct charge has a phone"  # noqa: S101 - by charge_type
    if kind == MPESA:
        require_whole(intent.amount)
    body: dict[str, Json] = {
        **_common(intent, DIRECT),
        "email": require_email(intent, habits),
        "phone_number": intent.phone.digits,
    }
    if intent.payer_name:
        body["fullname"] = intent.payer_name
    if kind != MPESA:
        body["network"] = habits.network_of(intent.phone)
    return body


def page_body(intent: Intent, habits: Habits) -> dict[str, Json]:
    """A hosted page. Raises ProviderRejected where Flutterwave would refuse it; nothing was sent."""
    options = _options(intent)
    if options == MPESA:
        require_whole(intent.amount)
    if url_of(intent.return_url) is None:
        raise _refused("return_url", "A payer who is sent to a page needs an https address to come back to.")
    return {
        **_common(intent, HOSTED),
        "redirect_url": intent.return_url,
        "payment_options": options,
        "customer": _customer(intent.phone, intent.payer_name, require_email(intent, habits)),
        "customizations": {"title": intent.reference, "description": intent.description},
        "configurations": {"session_duration": habits.session_minutes, "max_retry_attempt": RETRIES_MAX},
    }


def read_charge(envelope: Envelope, intent: Intent) -> Accepted:
    """What a direct charge was answered: the prompt went out, or the payer is sent somewhere.

    "Successful" in it is no payment: only a verify call says that.

    Raises:
        OutcomeUnknown: it names another reference, or no transaction.
    """
    data, url = meta_of(envelope.data), _redirect(envelope)
    tx_ref, id_ = text_of(data.get("tx_ref")), id_of(data.get("id"))
    if tx_ref not in ("", intent.attempt_key) or (id_ is None and url is None):
        raise OutcomeUnknown(intent.attempt_key, "an answer without the expected keys")
    if url is None:
        return Accepted(intent.attempt_key, id_, StillPending(_prompted()))
    return Accepted(intent.attempt_key, id_, StillPending(_sent_to(url)))


def read_page(envelope: Envelope, intent: Intent) -> Accepted:
    """Where the payer can pay. The link is kept as the second reference until there is a transaction.

    Raises:
        OutcomeUnknown: it holds no link.
    """
    link = url_of(meta_of(envelope.data).get("link"))
    if link is None:
        raise OutcomeUnknown(intent.attempt_key, "an answer without a link")
    return Accepted(intent.attempt_key, link, StillPending(_sent_to(link)))


def require_whole(amount: Money) -> None:
    """M-Pesa moves whole shillings; nothing is ever rounded on the payer's behalf."""
    if amount.minor % 10**amount.currency.exponent:
        raise _refused("amount", "M-Pesa takes whole shillings.", FailureReason.DECLINED)


def require_email(intent: Intent, habits: Habits) -> str:
    """The payer's address, or one of ours that is this payment's alone."""
    if intent.email:
        return intent.email
    if habits.alias_domain is None:
        raise _refused("email", "Flutterwave wants an e-mail address; the account has no domain for aliases.")
    return f"{intent.payment_id}@{habits.alias_domain}"


def require_automatic(intent: Intent) -> None:
    if intent.capture is not CaptureMode.AUTOMATIC:
        raise _refused("not_supported", "Flutterwave takes the money at once.")


def _common(intent: Intent, flow: str) -> dict[str, Json]:
    return {
        "tx_ref": intent.attempt_key,
        "amount": major(intent.amount),
        # Left out, it would be naira.
        "currency": intent.amount.currency.value,
        "meta": {"payment_id": intent.payment_id, "tenant": intent.tenant, "flow": flow},
    }


def _options(intent: Intent) -> str:
    match intent.method:
        case Method.CARD:
            return "card"
        case Method.BANK_TRANSFER:
            return "banktransfer, account"
    options = HOSTED_MOBILE_MONEY.get(intent.amount.currency)
    if options is None:
        raise _refused("method", f"Flutterwave's page has no mobile money in {intent.amount.currency}.")
    return options


def _customer(phone: Phone | None, name: str | None, email: str) -> Json:
    customer: dict[str, Json] = {"email": email}
    if name:
        customer["name"] = name
    if phone is not None:
        customer["phonenumber"] = phone.digits
    return customer


def _redirect(envelope: Envelope) -> str | None:
    authorization = meta_of(envelope.meta.get("authorization"))
    if text_of(authorization.get("mode")).lower() != "redirect":
        return None
    return url_of(authorization.get("redirect"))


def _prompted() -> NextAction:
    return NextAction(ActionKind.APPROVE_PROMPT, "Approve the payment on your phone.")


def _sent_to(url: str) -> NextAction:
    return NextAction(ActionKind.REDIRECT, "Pay on Flutterwave's page.", url=url)


def _refused(
    code: str, message: str, reason: FailureReason = FailureReason.CONFIGURATION
) -> ProviderRejected:
    return ProviderRejected(code, message, reason)
