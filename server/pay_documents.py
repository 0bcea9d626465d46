"""The operations of the page where an order is paid.

They are trusted as they stand here, so that the page works where only registered documents may run.
"""

from hashlib import sha256
from typing import Final

_MONEY: Final = "{ amountMinor currency }"
_STATE: Final = f"""
  version status expiresAt paidAt
  total {_MONEY} paid {_MONEY} due {_MONEY}
  methods {{ method label hint needsPhone needsEmail }}
  byHand {{ shortCode account amount {_MONEY} }}
  attempt {{
    id status method instructions estimatedCompletionAt failure receipt
    nextAction {{ kind instructions url data {{ name value }} }}
  }}
"""

SHOW: Final = f"""query Show {{ checkout {{
  businessName storeName reference description items {{ name quantity total {_MONEY} }}
{_STATE} }} }}"""
"""What the page is made from; the server asks it itself."""
WATCH: Final = f"subscription Watch {{ checkoutUpdated {{ {_STATE} }} }}"
PAY: Final = f"""mutation Pay($input: PayCheckoutInput!) {{
  payCheckout(input: $input) {{
    __typename
    ... on PayCheckoutSuccess {{ checkout {{ {_STATE} }} }}
    ... on Error {{ code message }}
    ... on InvalidInputError {{ field }}
  }}
}}"""


def document_id(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


TRUSTED: Final = {sha256(text.encode()).hexdigest(): text for text in (SHOW, WATCH, PAY)}
"""By the SHA-256 of their text, in hex."""
