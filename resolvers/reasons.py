"""Why somebody did something, as the audit log wants it."""

from core.errors import InvalidInput

REASON_CHARACTERS_MAX = 500


def required_reason(reason: str) -> str:
    """What people give as the reason of what they do.

    Raises:
        InvalidInput: it is empty or too long.
    """
    if not 1 <= len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise InvalidInput("reason", f"Say why, in 1 to {REASON_CHARACTERS_MAX} characters.")
    return reason.strip()
