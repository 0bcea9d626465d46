"""What Stripe's answers say of a tenant's keys.

Source: Stripe sheet, section 5.
"""

from typing import Final

from integrations.errors import FailureReason, ProviderRejected
from integrations.protocol import KeyProof
from integrations.stripe.api import FORBIDDEN, Answered, Fault, raise_rejected
from integrations.stripe.intents import Mode

WORDS: Final = {True: "live", False: "test"}
RESTRICTED: Final = "The key is restricted: it may not read the balance, so only its mode is proven."
RESTRICTED_FEES: Final = (
    "Let it read PaymentIntents, Charges, Refunds and Balance, and write PaymentIntents and Refunds."
)
CLOSED: Final = "Stripe does not let this account charge yet. Complete it in Stripe's dashboard."


def mode_of(key: str) -> bool | None:
    """Whether a key is a live one, from its prefix; None for none of Stripe's."""
    kind, _, rest = key.partition("_")
    if kind not in ("sk", "rk", "pk"):
        return None
    return {"live": True, "test": False}.get(rest.partition("_")[0])


def require_mode(is_live: bool | None, mode: Mode) -> None:  # noqa: FBT001 - what Stripe or a key says of itself
    """Raises ProviderRejected where a key or an answer is of the other mode than the account."""
    if is_live is not mode.is_live:
        wanted = WORDS[mode.is_live]
        raise ProviderRejected(
            "livemode",
            f"This configuration needs Stripe's {wanted} keys: sk_{wanted}_… and pk_{wanted}_….",
            FailureReason.CONFIGURATION,
        )


def judge_keys(balance: Answered, account: Answered, mode: Mode) -> KeyProof:
    """What `GET /v1/balance` and `GET /v1/account` prove; the second may be refused.

    Raises:
        ProviderRejected: the key is wrong, or of the other mode.
    """
    warnings: list[str] = []
    if not isinstance(balance, Fault):
        require_mode(balance.get("livemode") is True, mode)
    elif balance.status == FORBIDDEN:
        warnings += [RESTRICTED, RESTRICTED_FEES]
    else:
        raise_rejected(balance)
    if not isinstance(account, Fault) and account.get("charges_enabled") is False:
        warnings.append(CLOSED)
    if mode.publishable_key is None:
        warnings.append("There is no publishable key: a checkout page needs one.")
    elif mode_of(mode.publishable_key) is not mode.is_live:
        warnings.append(f"The publishable key is not a {WORDS[mode.is_live]} one.")
    return KeyProof(f"Stripe accepts the {WORDS[mode.is_live]} secret key.", tuple(warnings))
