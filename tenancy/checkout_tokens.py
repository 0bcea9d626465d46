"""Links to the page where an order is paid: each names one order, and grants nothing but paying it.

A link is `/pay/{token}`; its page sends `Authorization: Bearer hzp_{token}`. A token is the tenant's and
the order's id, the second in which it expires, and the first half of the HMAC-SHA256 of those under a
key of the order's own. So links need no table and no key that is rotated under them: they last as long
as they say, and lead nowhere once their order is cancelled.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from tenancy.errors import NotSignedIn

BEARER_PREFIX: Final = "hzp_"
PROOF_BYTES: Final = 16
_ID_BYTES: Final = 16
_SECOND_BYTES: Final = 5
_NAMED_BYTES: Final = 2 * _ID_BYTES + _SECOND_BYTES
TOKEN_CHARACTERS: Final = -(-(_NAMED_BYTES + PROOF_BYTES) * 4 // 3)


@dataclass(frozen=True, slots=True)
class CheckoutToken:
    """What a link says; `proof` tells whether we have said it."""

    tenant_id: UUID
    order_id: UUID
    expires_at: datetime
    """Whole seconds."""
    proof: bytes

    @classmethod
    def written(cls, tenant_id: UUID, order_id: UUID, expires_at: datetime, key: bytes) -> "CheckoutToken":
        """A token under the order's key; it expires in the last second before `expires_at`."""
        whole = expires_at.replace(microsecond=0)
        return cls(tenant_id, order_id, whole, _proof(_named(tenant_id, order_id, whole), key))

    @classmethod
    def read(cls, text: str) -> "CheckoutToken":
        """Raises NotSignedIn where it can be no token; whether it is one only `is_proven` says."""
        if len(text) != TOKEN_CHARACTERS or not text.isascii():
            raise NotSignedIn
        try:
            raw = base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", altchars=b"-_", validate=True)
            seconds = int.from_bytes(raw[2 * _ID_BYTES : _NAMED_BYTES])
            expires_at = datetime.fromtimestamp(seconds, UTC)
        except (binascii.Error, ValueError, OverflowError, OSError) as error:
            raise NotSignedIn from error
        ids = [UUID(bytes=raw[start : start + _ID_BYTES]) for start in (0, _ID_BYTES)]
        return cls(ids[0], ids[1], expires_at, raw[_NAMED_BYTES:])

    def is_proven(self, key: bytes) -> bool:
        """Whether it was written under this order's key."""
        return hmac.compare_digest(
            self.proof, _proof(_named(self.tenant_id, self.order_id, self.expires_at), key)
        )

    def __str__(self) -> str:
        """As it stands in a link."""
        raw = _named(self.tenant_id, self.order_id, self.expires_at) + self.proof
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def __repr__(self) -> str:
        return "CheckoutToken(<sealed>)"


def _named(tenant_id: UUID, order_id: UUID, expires_at: datetime) -> bytes:
    return tenant_id.bytes + order_id.bytes + int(expires_at.timestamp()).to_bytes(_SECOND_BYTES)


def _proof(named: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"hazina checkout v1|" + named, sha256)[:PROOF_BYTES]
