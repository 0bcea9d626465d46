"""The toy schema behind the real view, as an ASGI application: `uvicorn tests.server.toy_app:application`."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

from schema.documents import Introspection
from schema.operations import Serving
from server.view import GraphQLView, ViewOptions
from tenancy.context import Principal
from tenancy.errors import NotSignedIn, TenantNotServed
from tenancy.roles import Scope
from tests.schema.toy import ToyContext, free, toy_schema


@dataclass(slots=True)
class Callers:
    """Who may call the toy application, by token; tests add and remove them."""

    by_token: dict[str, Principal] = field(default_factory=dict)
    failure: Exception | None = None
    """What happens to every caller, if anything."""
    not_served: TenantNotServed | None = None
    """Why nobody's business is served, if so."""

    def add(self, token: str, *scopes: Scope, expires_at: datetime | None = None) -> None:
        self.by_token[token] = Principal(
            "user", UUID(int=1), UUID(int=2), frozenset(scopes), "owner", expires_at
        )

    async def context_of(self, connection: HTTPConnection, authorization: str | None) -> ToyContext:
        if self.failure is not None:
            raise self.failure
        if authorization is None:
            return ToyContext()
        principal = self.by_token.get(authorization.removeprefix("Bearer "))
        if principal is None:
            raise NotSignedIn
        return ToyContext(principal, not_served=self.not_served)


def toy_application(
    callers: Callers, serving: Serving[ToyContext] | None = None, options: ViewOptions | None = None
) -> Starlette:
    view = GraphQLView(
        toy_schema(),
        serving or Serving(free, Introspection.ALLOWED),
        callers.context_of,
        options or ViewOptions(),
    )
    return Starlette(routes=[Route("/graphql", view), WebSocketRoute("/graphql", view)])


def application() -> Starlette:
    callers = Callers()
    callers.add("toy", Scope.PAYMENTS_READ)
    return toy_application(callers)
