"""Signed heads of ledgers: whoever keeps one can prove later that the history before it is the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core.errors import InvalidInput
from core.ids import Kind, inside, outside
from tenancy.tokens import ALGORITHM, TokenIssuer

TYPE: Final = "hazina-ledger-head+jws"
LENGTH_MAX: Final = 2_048


class NotOurSignature(Exception):
    """A text is not a head that this key has signed."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last block of a ledger at some moment, and with it all that stood before it."""

    tenant_id: UUID
    height: int
    hash: bytes
    """SHA-256 of the block."""
    transfers: int
    """In this block and all before it."""
    sealed_at: datetime


async def sign_head(tokens: TokenIssuer, head: Head) -> str:
    """A compact JWS (RFC 7515, EdDSA) of the head; it never expires."""
    facts = {
        "tenant": outside(Kind.TENANT, head.tenant_id),
        "height": head.height,
        "hash": head.hash.hex(),
        "transfers": head.transfers,
        "sealedAt": head.sealed_at.isoformat(),
    }
    return await tokens.sign_statement(TYPE, facts)


def key_id_of(text: str) -> str:
    """Which key has signed the text, as it says itself. Raises NotOurSignature."""
    try:
        return str(jwt.get_unverified_header(text).get("kid"))
    except jwt.PyJWTError as error:
        raise NotOurSignature from error


def open_head(text: str, key: Ed25519PublicKey) -> Head:
    """What was signed. Raises NotOurSignature."""
    try:
        whole = jwt.decode_complete(text, key, algorithms=[ALGORITHM])
        if whole["header"].get("typ") != TYPE:
            raise NotOurSignature
        return _head(whole["payload"])
    except (jwt.PyJWTError, InvalidInput, KeyError, ValueError) as error:
        raise NotOurSignature from error


def _head(facts: dict[str, Any]) -> Head:
    return Head(
        tenant_id=inside(Kind.TENANT, facts["tenant"]),
        height=int(facts["height"]),
        hash=bytes.fromhex(facts["hash"]),
        transfers=int(facts["transfers"]),
        sealed_at=datetime.fromisoformat(facts["sealedAt"]),
    )
