"""Refusals about signed heads."""

from core.errors import DomainError


class HeadNotOurs(DomainError):
    """This is no head of this business's ledger that the platform has signed."""

    code = "HEAD_NOT_OURS"

    def __init__(self) -> None:
        super().__init__("This is no signed head of your ledger. Send one as ledgerHead gave it, unchanged.")
