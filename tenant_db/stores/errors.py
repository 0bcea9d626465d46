"""Refusals about stores.

DomainError
└── StoreCodeTaken   another store of this business has the code
"""

from core.errors import DomainError


class StoreCodeTaken(DomainError):
    """Another store of this business has this code."""

    code = "STORE_CODE_TAKEN"

    def __init__(self, store_code: str) -> None:
        super().__init__(f"You have a store with the code {store_code} already. Choose another code.")
        self.store_code = store_code
