"""The root of every refusal that a caller can act on."""

from typing import ClassVar


class DomainError(Exception):
    """A refusal with a stable code and a message that says what to do.

    Each area draws its own tree below this class in its `errors.py`. A bug is never a
    `DomainError`: it is a `ValueError` or an `assert`, and reaches clients only as a masked fault.
    """

    code: ClassVar[str]
    is_stored: ClassVar[bool] = False
    """Whether an idempotency key remembers this refusal: true where it depends on state."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(DomainError):
    """A value from outside is malformed; nothing was stored."""

    code = "INVALID_INPUT"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(DomainError):
    """Nothing of this tenant has that id."""

    code = "NOT_FOUND"

    def __init__(self, what: str) -> None:
        super().__init__(f"No such {what} in this business.")
        self.what = what
