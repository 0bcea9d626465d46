"""What people must look at, in words that both schemas share."""

import strawberry

from core.alerts import AlertKind, AlertState, Severity
from schema.errors import Error, Refusal
from schema.scalars import api_enum
from tenant_db.alerts.errors import AlertResolved

api_enum(
    Severity,
    "AlertSeverity",
    "How soon somebody should look.",
    {
        Severity.INFO: "Good to know.",
        Severity.WARNING: "Today.",
        Severity.CRITICAL: "Now: money or its proof is in doubt.",
    },
)
api_enum(
    AlertState,
    "AlertState",
    "Whether somebody deals with it.",
    {
        AlertState.OPEN: "Nobody has taken it on yet.",
        AlertState.ACKNOWLEDGED: "Somebody has taken it on.",
        AlertState.RESOLVED: "It is dealt with. The same trouble later is a new alert.",
    },
)
api_enum(
    AlertKind,
    "AlertKind",
    "What sort of trouble it is. New ones may be added.",
    {
        AlertKind.OVERDRAFT: "A store's balance fell below its floor: a provider took what was not there.",
        AlertKind.MESSAGE_QUARANTINED: "A provider's message can't be read or does not fit; it is set aside.",
        AlertKind.MONEY_IN_SUSPENSE: "Money came in and nobody knows whose it is.",
        AlertKind.BOOKS_DISAGREE: "A check of the books found what does not agree: see `findings`.",
        AlertKind.PROOF_BROKEN: "A verification of the ledger's chain of proof failed.",
        AlertKind.HISTORY_REWRITTEN: "The ledger's history is not the one that the platform has signed.",
        AlertKind.REVIEW_NEEDED: "A question waits for a person: see `reviews`.",
        AlertKind.REFUND_FAILED: "A refund came to nothing; the money is back.",
        AlertKind.REFUND_UNREQUESTED: "Money was given back at a provider without being asked for here.",
        AlertKind.REFUND_NEEDS_ATTENTION: "A provider wants something from a person before it refunds.",
        AlertKind.DISPUTE_OPENED: "A payer's bank disputes a payment, and waits for evidence.",
        AlertKind.DISPUTE_LOST: "A dispute was decided for the payer.",
        AlertKind.CHANNEL_UNHEALTHY: "An M-Pesa channel has stopped to work as it should.",
        AlertKind.PROVIDER_UNHEALTHY: "A provider account fails, and payments avoid it.",
        AlertKind.CREDENTIALS_REFUSED: "A provider refuses the keys of an account or channel.",
        AlertKind.WEBHOOK_DISABLED: "One of your webhook endpoints failed for too long and is switched off.",
    },
)


@strawberry.type(description="The alert was dealt with before.")
class AlertResolvedError(Error):
    pass


REFUSALS = (Refusal(AlertResolved, AlertResolvedError),)
