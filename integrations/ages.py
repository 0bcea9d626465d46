"""How old a payment or refund of ours is: a provider's answer alone can't say.

A payment is told by its id. A refund is tried for a day, so only the time it was sent tells.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from typeid import TypeID
from typeid.errors import TypeIDException

UUID_VERSION: Final = 7
TIME_SHIFT_BITS: Final = 80

SENT_WITHIN: Final = timedelta(minutes=15)
"""From a payment's id to the last call that could send it: five minutes of tries, and a job's own time.

Longer than a refund takes to be listed once it was sent.
"""


def made_at(type_id: str) -> datetime | None:
    """When an id such as `pay_01h4…` was made; None where it holds no time.

    Our ids are UUIDv7: their first 48 bits count the milliseconds since 1970 (RFC 9562, 5.7).
    """
    try:
        id_ = UUID(bytes=TypeID.from_string(type_id).uuid_bytes)
    except (TypeIDException, ValueError):
        return None
    if id_.version != UUID_VERSION:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=id_.int >> TIME_SHIFT_BITS)


def is_older(type_id: str, age: timedelta, now: datetime) -> bool:
    """Whether it surely was made longer ago than `age`; False where nobody can tell."""
    made = made_at(type_id)
    return made is not None and now - made > age


def is_missed(sent_at: datetime | None, now: datetime) -> bool:
    """Whether a refund that nobody lists surely never arrived; False where nobody knows when it was sent."""
    return sent_at is not None and now - sent_at > SENT_WITHIN
