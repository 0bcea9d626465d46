"""Proves that Stripe sent a webhook.

Source: Stripe sheet, section 6, "Signature".
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from integrations.webhooks import BadSignature

HEADER: Final = "stripe-signature"
TOLERANCE_S: Final = 300
HEADER_CHARACTERS_MAX: Final = 4_000
SIGNATURES_MAX: Final = 16
TIME_DIGITS_MAX: Final = 12


def require_signature(body: bytes, header: str, secrets: Sequence[str], now: datetime) -> None:
    """Prove `body`, exactly as received, with any of the secrets, whole with their `whsec_`.

    `header` is `t=…,v1=…[,v1=…]`: while a secret is rolled, Stripe signs with both. A message
    more than TOLERANCE_S old, or as far ahead, is refused: it may be a replay.

    Raises:
        BadSignature: none fits.
    """
    signed_at, signatures = _parts(header)
    if abs(now.timestamp() - signed_at) > TOLERANCE_S:
        raise BadSignature("The message is too old, or from the future.")
    content = str(signed_at).encode() + b"." + body
    is_proven = False
    # A secret that is empty is everybody's.
    for secret in filter(None, secrets):
        expected = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            # Every pair is compared, so that the time taken tells nothing.
            is_proven |= hmac.compare_digest(expected, signature)
    if not is_proven:
        raise BadSignature("No signature fits.")


def _parts(header: str) -> tuple[int, list[bytes]]:
    """The time and every v1; other schemes prove nothing."""
    if len(header) > HEADER_CHARACTERS_MAX:
        raise BadSignature("The signature is absurdly long.")
    pairs = [item.strip().partition("=") for item in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode(errors="replace") for name, _, value in pairs if name == "v1"]
    is_time = len(times) == 1 and times[0].isascii() and times[0].isdigit()
    if not is_time or len(times[0]) > TIME_DIGITS_MAX or not 0 < len(signatures) <= SIGNATURES_MAX:
        raise BadSignature("This is no signature of Stripe's.")
    # Signed as written: a leading zero would be signed as well.
    if str(int(times[0])) != times[0]:
        raise BadSignature("This is no signature of Stripe's.")
    return int(times[0]), signatures
