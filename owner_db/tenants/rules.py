"""Codes and slugs of tenants."""

import re
import unicodedata
from typing import Final

from core.errors import InvalidInput

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""
PREFIX: Final = "HZ-"
BODY_CHARACTERS: Final = 5
NUMBERS_MAX: Final = 32**BODY_CHARACTERS
_SCRAMBLE: Final = 20_338_969
"""Odd, so that multiplying modulo 2^25 maps numbers one to one: codes don't tell how many there are."""
_FIELD: Final = 0b100101
"""x^5 + x^2 + 1, which makes the 32 characters a field."""
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})

SLUG_CHARACTERS_MIN: Final = 3
SLUG_CHARACTERS_MAX: Final = 40
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,38}[a-z0-9])")
RESERVED_SLUGS: Final = frozenset(
    [
        "about",
        "account",
        "accounts",
        "admin",
        "api",
        "app",
        "assets",
        "auth",
        "billing",
        "blog",
        "cdn",
        "checkout",
        "console",
        "dashboard",
        "dev",
        "developer",
        "developers",
        "docs",
        "download",
        "email",
        "ftp",
        "git",
        "graphql",
        "hazina",
        "help",
        "hooks",
        "host",
        "http",
        "https",
        "imap",
        "info",
        "invoice",
        "invoices",
        "legal",
        "login",
        "logout",
        "mail",
        "metrics",
        "mpesa",
        "news",
        "ns1",
        "ns2",
        "owner",
        "partner",
        "partners",
        "pay",
        "payment",
        "payments",
        "platform",
        "pop",
        "pricing",
        "privacy",
        "public",
        "root",
        "safaricom",
        "sandbox",
        "secure",
        "security",
        "server",
        "shop",
        "signin",
        "signup",
        "smtp",
        "ssl",
        "staff",
        "staging",
        "static",
        "status",
        "store",
        "stripe",
        "support",
        "swypt",
        "sys",
        "system",
        "team",
        "tenant",
        "tenants",
        "terms",
        "test",
        "undefined",
        "user",
        "users",
        "webhook",
        "webhooks",
        "well-known",
        "www",
    ]
)
"""What could pass for the platform itself, or for a provider, as a subdomain."""


def code_of(number: int) -> str:
    """The code that people read out for a tenant's number, such as HZ-4F7K2M.

    Raises:
        ValueError: the number has no code; there are 33,554,432.
    """
    if not 0 <= number < NUMBERS_MAX:
        raise ValueError(f"{number} has no code of {BODY_CHARACTERS} characters")
    scrambled = number * _SCRAMBLE % NUMBERS_MAX
    body = "".join(ALPHABET[scrambled >> shift & 31] for shift in range(5 * (BODY_CHARACTERS - 1), -1, -5))
    return f"{PREFIX}{body}{_check(body)}"


def parse_code(text: str) -> str:
    """Read a code as people type it: any case, with or without HZ-, O for 0, I or L for 1.

    Raises:
        InvalidInput: it is none; one wrong character or two swapped neighbours are always noticed.
    """
    body = text.strip().upper().removeprefix(PREFIX).translate(_MISREAD)
    known = len(body) == BODY_CHARACTERS + 1 and set(body) <= set(ALPHABET)
    if not known or _check(body[:-1]) != body[-1]:
        raise InvalidInput(
            "code", "This is no tenant's code. Codes look like HZ-4F7K2M; check each character."
        )
    return f"{PREFIX}{body}"


def require_slug(slug: str) -> str:
    """Raises InvalidInput where it can't be a subdomain, or could pass for the platform itself."""
    if _SLUG.fullmatch(slug) is None or "--" in slug:
        raise InvalidInput(
            "slug", "A slug has 3 to 40 lower-case letters, digits and single hyphens, none at its ends."
        )
    if slug in RESERVED_SLUGS:
        raise InvalidInput("slug", f"The slug {slug} is reserved. Choose another.")
    return slug


def slug_from(name: str) -> str:
    """A slug made from a business's name; it may be taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", ""))[: SLUG_CHARACTERS_MAX - 8].strip("-")
    return (
        slug
        if len(slug) >= SLUG_CHARACTERS_MIN and slug not in RESERVED_SLUGS
        else f"shop-{slug}".rstrip("-")
    )


def _check(body: str) -> str:
    """The sum of the characters, each times its own power of x, in the field of 32."""
    total = 0
    for character in body:
        total = _times_x(total ^ ALPHABET.index(character))
    return ALPHABET[total]


def _times_x(element: int) -> int:
    doubled = element << 1
    return doubled ^ _FIELD if doubled & 32 else doubled
