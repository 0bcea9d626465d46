"""Callers of the owner schema, and what they are told."""

from functools import cache
from typing import Any

from graphql import OperationType

from core.ids import new_id
from schema.exchange import Request
from schema.operations import Operations, Serving
from schema.owner import owner_schema
from tenancy.context import OwnerContext, Principal, Services
from tenancy.roles import PLATFORM_SCOPES, PlatformRole
from tests.factories.callers import REQUEST, Free


async def _free(_context: OwnerContext, _cost: int) -> Free:
    return Free()


@cache
def operations() -> Operations[OwnerContext]:
    return Operations(owner_schema(), Serving(charge=_free))


def staff(services: Services, role: PlatformRole = PlatformRole.SUPPORT) -> OwnerContext:
    """A member of the platform's staff."""
    principal = Principal("staff", new_id(), None, PLATFORM_SCOPES[role], role.value, None)
    return OwnerContext(services, REQUEST, principal)


async def ask_as_staff(context: OwnerContext, text: str, **variables: object) -> dict[str, Any]:
    """The data of an answer without errors."""
    outcome = await operations().run(Request(text, variables=variables), context, frozenset(OperationType))
    assert not outcome.errors, outcome.errors
    data: dict[str, Any] = outcome.body["data"]
    return data
