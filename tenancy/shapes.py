"""Tables that both databases have: which class of a session's own database has a shared shape."""

from collections.abc import Callable
from typing import Final, TypeVar, cast

from sqlalchemy import Table, inspect

from tenancy.columns import Keyed, OwnerModel, TenantModel
from tenancy.sessions import OwnerSession, TenantSession

Shape = TypeVar("Shape", bound=Keyed)

# Classes never change once imported, so what was found stays true.
_FOUND: Final[dict[tuple[type, type], type[Keyed]]] = {}


def model_of(session: OwnerSession | TenantSession, shape: type[Shape]) -> type[Shape]:
    """The class that the session's database maps this shape to.

    The rooms above define these classes, so they are found by what they inherit.

    Raises:
        LookupError: no module with such a class was imported yet.
    """
    base = OwnerModel if isinstance(session, OwnerSession) else TenantModel
    known = (base, shape)
    if known not in _FOUND:
        _FOUND[known] = _find(base, shape)
    return cast("type[Shape]", _FOUND[known])


def table_of(session: OwnerSession | TenantSession, shape: type[Keyed]) -> Table:
    """The same as a table, for statements that are built once and run often."""
    return cast("Table", inspect(model_of(session, shape)).local_table)


def _find(base: type[OwnerModel | TenantModel], shape: type[Keyed]) -> type[Keyed]:
    for mapper in base.registry.mappers:
        if issubclass(mapper.class_, shape):
            return mapper.class_
    raise LookupError(f"{base.__name__} has no table of the shape {shape.__name__}: import its models first.")


def add_row(session: OwnerSession | TenantSession, shape: type[Shape], **values: object) -> Shape:
    """Add a row of this shape to the session; it is written at the next flush."""
    make: Callable[..., Shape] = model_of(session, shape)
    row = make(**values)
    session.add(row)
    return row
