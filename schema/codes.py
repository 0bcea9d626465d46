"""The stable codes of every refusal, as a GraphQL enum gathered from the areas' `errors` modules."""

import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Final

import strawberry

import core
import owner_db
import tenancy
import tenant_db
from core.errors import DomainError

_ROOMS: Final = (core, tenancy, owner_db, tenant_db)
_WHOLE_ROOMS: Final = (core, tenancy)


def refusals() -> dict[str, type[DomainError]]:
    """Every refusal of the platform by its code, in order of code.

    A refusal is found because it stands in `core`, in `tenancy` or in an area's `errors.py`;
    nothing has to be registered.
    """
    for name in _error_modules():
        import_module(name)
    rooms = tuple(f"{room.__name__}." for room in _ROOMS)
    found = [kind for kind in _subclasses(DomainError) if kind.__module__.startswith(rooms)]
    return {kind.code: kind for kind in sorted(found, key=lambda kind: (kind.code, kind.__name__))}


def _error_modules() -> Iterator[str]:
    for room in _ROOMS:
        for module in walk_packages(room.__path__, f"{room.__name__}."):
            if room in _WHOLE_ROOMS or module.name.endswith(".errors"):
                yield module.name


def _subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for sub in kind.__subclasses__():
        if "code" in sub.__dict__:
            yield sub
        yield from _subclasses(sub)


def _described(kind: type[DomainError]) -> str:
    """The first line of its docstring; its name is a fact, too, and stands in where there is none."""
    if kind.__doc__ and "__doc__" in kind.__dict__:
        return kind.__doc__.strip().partition("\n")[0]
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).capitalize()
    return f"{words}."


if TYPE_CHECKING:

    class ErrorCode(Enum):
        """What went wrong, for programs to branch on."""
else:
    ErrorCode = strawberry.enum(
        Enum(
            "ErrorCode",
            {
                code: strawberry.enum_value(code, description=_described(kind))
                for code, kind in refusals().items()
            },
        ),
        description=(
            "What went wrong, for programs to branch on. A code never changes its meaning; "
            "new ones may be added, so treat an unknown one as a plain failure."
        ),
    )
