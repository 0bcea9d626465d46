"""What the payer has to do next, from an intent's status and `next_action`.

Source: Stripe sheet, section 3.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from core.collecting import ActionKind, NextAction
from integrations.http import is_loopback
from integrations.wire_json import Json

SHOWN_SUFFIXES: Final = ("_display_details", "_display_qr_code")
SHOWN_TYPES: Final = frozenset(
    {"display_bank_transfer_instructions", "card_await_notification", "verify_with_microdeposits"}
)
SHOWN_ENTRIES_MAX: Final = 30
SHOWN_CHARACTERS_MAX: Final = 500
SHOWN_DEPTH_MAX: Final = 4
URL_CHARACTERS_MAX: Final = 2_000

ENTER: Final = "Enter how you want to pay."
CONFIRM: Final = "Your bank wants you to confirm this payment."


def next_action(intent: Mapping[str, Json], publishable_key: str | None) -> NextAction | None:
    """The payer's step, or None where there is none, or none we know: the intent then stays pending."""
    match intent.get("status"):
        case "requires_payment_method" | "requires_confirmation":
            return _script(intent, publishable_key, ENTER)
        case "requires_action":
            return _action(intent, publishable_key)
    return None


def _action(intent: Mapping[str, Json], publishable_key: str | None) -> NextAction | None:
    action = intent.get("next_action")
    if not isinstance(action, dict) or not isinstance(kind := action.get("type"), str):
        return None
    details = action.get(kind)
    if kind == "redirect_to_url":
        url = details.get("url") if isinstance(details, dict) else None
        return _redirect(url) if isinstance(url, str) else None
    if kind == "use_stripe_sdk":
        return _script(intent, publishable_key, CONFIRM)
    if kind.endswith(SHOWN_SUFFIXES) or kind in SHOWN_TYPES:
        shown = dict(islice(_flat(kind, details, 0), SHOWN_ENTRIES_MAX))
        return NextAction(ActionKind.SHOW, "Follow these instructions to pay.", data=shown)
    return None


def _script(intent: Mapping[str, Json], publishable_key: str | None, instructions: str) -> NextAction | None:
    secret = intent.get("client_secret")
    if not isinstance(secret, str) or not publishable_key:
        return None
    data = {"client_secret": secret, "publishable_key": publishable_key}
    return NextAction(ActionKind.CLIENT_SDK, instructions, data=data)


def _redirect(url: str) -> NextAction | None:
    return NextAction(ActionKind.REDIRECT, CONFIRM, url=url) if _is_safe(url) else None


def _is_safe(url: str) -> bool:
    """Whether a payer's browser may be sent there: https, or this machine."""
    if len(url) > URL_CHARACTERS_MAX or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _flat(name: str, value: Json, depth: int) -> Iterator[tuple[str, str]]:
    """What is nested, by names with dots: `boleto_display_details.number`."""
    match value:
        case dict() if depth < SHOWN_DEPTH_MAX:
            for key, item in value.items():
                yield from _flat(f"{name}.{key[:80]}", item, depth + 1)
        case list() if depth < SHOWN_DEPTH_MAX:
            for position, item in enumerate(value):
                yield from _flat(f"{name}.{position}", item, depth + 1)
        case None | dict() | list():
            return
        case _:
            yield name, str(value)[:SHOWN_CHARACTERS_MAX]
