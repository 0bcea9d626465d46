"""Words about what people must look at, which both databases keep."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    """Good to know."""
    WARNING = "warning"
    """Today."""
    CRITICAL = "critical"
    """Now: money or its proof is in doubt."""


class AlertState(StrEnum):
    """Whether somebody deals with it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has taken it on."""
    RESOLVED = "resolved"
    """It is dealt with; the same trouble later is a new alert."""


class AlertKind(StrEnum):
    """What sort of trouble it is."""

    OVERDRAFT = "overdraft"
    MESSAGE_QUARANTINED = "message_quarantined"
    MONEY_IN_SUSPENSE = "money_in_suspense"
    BOOKS_DISAGREE = "books_disagree"
    PROOF_BROKEN = "proof_broken"
    HISTORY_REWRITTEN = "history_rewritten"
    REVIEW_NEEDED = "review_needed"
    REFUND_FAILED = "refund_failed"
    REFUND_UNREQUESTED = "refund_unrequested"
    REFUND_NEEDS_ATTENTION = "refund_needs_attention"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_LOST = "dispute_lost"
    CHANNEL_UNHEALTHY = "channel_unhealthy"
    PROVIDER_UNHEALTHY = "provider_unhealthy"
    CREDENTIALS_REFUSED = "credentials_refused"
    WEBHOOK_DISABLED = "webhook_disabled"


SEVERITIES: Final[Mapping[AlertKind, Severity]] = {
    AlertKind.OVERDRAFT: Severity.CRITICAL,
    AlertKind.MESSAGE_QUARANTINED: Severity.WARNING,
    AlertKind.MONEY_IN_SUSPENSE: Severity.WARNING,
    AlertKind.BOOKS_DISAGREE: Severity.CRITICAL,
    AlertKind.PROOF_BROKEN: Severity.CRITICAL,
    AlertKind.HISTORY_REWRITTEN: Severity.CRITICAL,
    AlertKind.REVIEW_NEEDED: Severity.WARNING,
    AlertKind.REFUND_FAILED: Severity.WARNING,
    AlertKind.REFUND_UNREQUESTED: Severity.WARNING,
    AlertKind.REFUND_NEEDS_ATTENTION: Severity.WARNING,
    AlertKind.DISPUTE_OPENED: Severity.CRITICAL,
    AlertKind.DISPUTE_LOST: Severity.WARNING,
    AlertKind.CHANNEL_UNHEALTHY: Severity.WARNING,
    AlertKind.PROVIDER_UNHEALTHY: Severity.WARNING,
    AlertKind.CREDENTIALS_REFUSED: Severity.CRITICAL,
    AlertKind.WEBHOOK_DISABLED: Severity.WARNING,
}
"""How grave each kind is, unless whoever raises it knows better."""
