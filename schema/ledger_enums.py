"""The books' own words, as enums."""

from schema.scalars import api_enum
from tenant_db.ledger.rules import Custody, NormalSide, TransferKind
from tenant_db.ledger.searching import TransferStatus

api_enum(
    NormalSide,
    "NormalSide",
    "A side of a ledger account: one on which its balance grows, and one on which it falls.",
    {
        NormalSide.DEBIT: "Where money is, and what was spent, grows here: holdings, fees paid.",
        NormalSide.CREDIT: "Whose money it is grows here: a store's available balance, suspense.",
    },
)
api_enum(
    Custody,
    "Custody",
    "Who holds the money itself.",
    {
        Custody.TENANT: "Your business, at its own provider account; it is paid out to you by the provider.",
        Custody.PLATFORM: "The platform, until you ask for a payout.",
    },
)
api_enum(
    TransferKind,
    "TransferKind",
    "What a transfer is for.",
    {
        TransferKind.SALE: "A payment came in.",
        TransferKind.PAYOUT: "Money left to the business.",
        TransferKind.FEE: "A provider's or the platform's fee.",
        TransferKind.REFUND: "Money went back to a payer.",
        TransferKind.ADJUSTMENT: "A correction, with its reason.",
        TransferKind.REVERSAL: "Undoes another transfer.",
        TransferKind.TRANSFER: "Moves money between your own accounts.",
        TransferKind.REWARD: "A loyalty reward.",
    },
)
api_enum(
    TransferStatus,
    "TransferStatus",
    "Whether a transfer still counts.",
    {
        TransferStatus.POSTED: "It counts.",
        TransferStatus.REVERSED: "A second transfer has undone it; `reversedBy` is that one.",
    },
)
