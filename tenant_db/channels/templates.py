"""Common ways to set channels up, for front ends that guide people."""

from dataclasses import dataclass
from typing import Final

from tenant_db.channels.machine import ChannelKind


@dataclass(frozen=True, slots=True)
class ChannelTemplate:
    """One common set-up; what it leaves out is asked of the person."""

    code: str
    name: str
    summary: str
    kind: ChannelKind
    needs_head_office_code: bool
    account_patterns: tuple[str, ...]
    """To map first: `*` is whatever payers type; a prefix stands for a branch."""
    refuses_unknown_accounts: bool
    steps: tuple[str, ...]
    """What to do, in order."""


_KEYS: Final = "Create an app on the Daraja portal with M-Pesa Express, and copy its keys and the passkey."
_VERIFY: Final = "Verify the channel; with the operator's name and password the balance proves all of it."
_URLS: Final = "In production, register the channel's URLs, so that payments made by hand are told."

TEMPLATES: Final = (
    ChannelTemplate(
        "shop_paybill",
        "A shop with a PayBill",
        "All money belongs to one store, whatever account payers type.",
        ChannelKind.PAYBILL,
        needs_head_office_code=False,
        account_patterns=("*",),
        refuses_unknown_accounts=False,
        steps=(_KEYS, "Add the PayBill, and map * to the store.", _VERIFY, _URLS),
    ),
    ChannelTemplate(
        "shop_till",
        "A shop with a till",
        "Payers type no account: all money belongs to the till's store.",
        ChannelKind.TILL,
        needs_head_office_code=True,
        account_patterns=(),
        refuses_unknown_accounts=False,
        steps=(_KEYS, "Add the till with the store number it was given at go-live.", _VERIFY, _URLS),
    ),
    ChannelTemplate(
        "branches_paybill",
        "Several branches on one PayBill",
        "Each branch has a prefix; what fits no branch is turned away, or waits for people.",
        ChannelKind.PAYBILL,
        needs_head_office_code=False,
        account_patterns=("NBI*", "MSA*"),
        refuses_unknown_accounts=True,
        steps=(
            _KEYS,
            "Add the PayBill, and map a prefix to each branch's store.",
            "Have Safaricom activate external validation, so that wrong accounts are turned away.",
            _VERIFY,
            _URLS,
        ),
    ),
    ChannelTemplate(
        "invoices_paybill",
        "Invoices paid to a PayBill",
        "Payers type the invoice: it is an order's reference, and no other account is taken.",
        ChannelKind.PAYBILL,
        needs_head_office_code=False,
        account_patterns=(),
        refuses_unknown_accounts=True,
        steps=(
            _KEYS,
            "Add the PayBill, and create an order with the invoice's number as its reference.",
            "Have Safaricom activate external validation, so that wrong invoices are turned away.",
            _VERIFY,
            _URLS,
        ),
    ),
    ChannelTemplate(
        "buy_goods",
        "A Buy Goods number without a store number",
        "As a till, where Safaricom gave one number for everything.",
        ChannelKind.BUYGOODS,
        needs_head_office_code=False,
        account_patterns=(),
        refuses_unknown_accounts=False,
        steps=(_KEYS, "Add the number.", _VERIFY, _URLS),
    ),
)
