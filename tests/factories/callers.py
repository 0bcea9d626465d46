"""Callers of the tenant schema, and what they are told: in process, on the way a transport takes."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final
from uuid import UUID

from graphql import OperationType

from core.ids import new_id
from schema.exchange import Outcome, Request
from schema.operations import Operations, Serving
from schema.tenant import tenant_schema
from tenancy.context import PAYER, Principal, RequestInfo, Services, TenantContext
from tenancy.limits import Budget
from tenancy.roles import ROLE_SCOPES, Role, Scope
from tenancy.sessions import Tenant
from tenant_db.orders import linking
from tenant_db.orders.models import Order

REQUEST: Final = RequestInfo("request-1", "192.0.2.7", "tests")
_ANY: Final = frozenset(OperationType)


class Free:
    """A charge of nothing."""

    cost = 0
    budget = Budget(1, 1, 1)

    def settle(self, actual: int) -> None: ...


async def _charge_nothing(_context: TenantContext, _cost: int) -> Free:
    return Free()


@cache
def operations() -> Operations[TenantContext]:
    return Operations(tenant_schema(), Serving(charge=_charge_nothing))


async def caller(
    services: Services,
    tenant: Tenant,
    role: Role = Role.OWNER,
    *,
    without: Collection[Scope] = (),
) -> TenantContext:
    """A user of this business."""
    principal = Principal(
        kind="user",
        id=new_id(),
        tenant_id=tenant.id,
        scopes=ROLE_SCOPES[role] - frozenset(without),
        role=role.value,
        expires_at=None,
    )
    return TenantContext(services, REQUEST, principal, await services.tenants.find(tenant.id))


async def payer(services: Services, tenant: Tenant, order_id: UUID) -> TenantContext:
    """Whoever holds a link to this order's page."""
    serving = await services.tenants.find(tenant.id)
    async with serving.reading() as session:
        order = await session.get_one(Order, order_id)
    link = linking.pay_link(tenant.id, order, None, order.created_at)
    principal = Principal(PAYER, order_id, tenant.id, frozenset(), None, None, link=link)
    return TenantContext(services, REQUEST, principal, serving)


async def run(context: TenantContext, text: str, **variables: object) -> Outcome:
    """The answer of one query or mutation, whatever it is."""
    return await operations().run(Request(text, variables=variables), context.fork(), _ANY)


async def ask(context: TenantContext, text: str, **variables: object) -> dict[str, Any]:
    """The data of an answer without errors."""
    outcome = await run(context, text, **variables)
    assert not outcome.errors, outcome.errors
    data: dict[str, Any] = outcome.body["data"]
    return data


async def refusal_of(context: TenantContext, text: str, **variables: object) -> str:
    """The code of the only error of an answer."""
    outcome = await run(context, text, **variables)
    (error,) = outcome.body["errors"]
    return str(error["extensions"]["code"])


@asynccontextmanager
async def watching(
    context: TenantContext, text: str, **variables: object
) -> AsyncGenerator[AsyncGenerator[Outcome, None], None]:
    """The answers of a subscription."""
    events = operations().stream(Request(text, variables=variables), context.fork(), _ANY)
    try:
        yield events
    finally:
        await events.aclose()


async def next_data(events: AsyncGenerator[Outcome, None]) -> dict[str, Any]:
    outcome = await anext(events)
    assert not outcome.errors, outcome.errors
    data: dict[str, Any] = outcome.body["data"]
    return data
