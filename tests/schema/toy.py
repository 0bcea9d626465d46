"""A small schema on our machinery, with one of everything."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import strawberry
from strawberry.types import Info

from core.currency import Currency
from core.errors import InvalidInput
from core.ids import Kind, outside
from core.money import CurrencyMismatch
from core.money import Money as CoreMoney
from core.pages import Page
from schema.base import make_schema
from schema.codes import ErrorCode
from schema.connections import OWNER_SCOPE, After, Connection, First, Node, connection, page_request
from schema.errors import Error, InvalidInputError, Refusal
from schema.inputs import built_directly
from schema.scalars import BigInt, Money, MoneyInput, api_enum
from tenancy.context import Principal, RequestInfo
from tenancy.errors import TenantNotServed
from tenancy.limits import Budget

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"


ToyMood = api_enum(Mood, "Mood", "How a toy is.", {Mood.CALM: "Makes no noise.", Mood.LOUD: "Makes noise."})


@dataclass(slots=True)
class ToyContext:
    principal: Principal | None = None
    request: RequestInfo = field(default_factory=lambda: RequestInfo("r", "127.0.0.1", "test"))
    forks: int = 0
    not_served: TenantNotServed | None = None

    def fork(self) -> "ToyContext":
        return ToyContext(self.principal, self.request, self.forks + 1, self.not_served)


@dataclass(frozen=True, slots=True)
class ToyRow:
    id: UUID
    created_at: datetime
    number: int


@strawberry.type(description="A toy's maker.")
class Maker:
    name: str = strawberry.field(description="Its name.")
    town: str | None = strawberry.field(description="Where it is.")


@strawberry.type(description="A toy.")
class Toy(Node):
    name: str = strawberry.field(description="Its name.")
    mood: Mood = strawberry.field(description="How it is.")
    price: Money = strawberry.field(description="What it costs.")
    count: BigInt = strawberry.field(description="How many there are.")
    weight: int | None = strawberry.field(description="In grams.")
    is_new: bool = strawberry.field(description="Whether it is new.")
    made_at: datetime = strawberry.field(description="When it was made.")
    maker: Maker | None = strawberry.field(description="Who made it.")
    tags: list[str] = strawberry.field(description="What it is about.")
    parts: list[Maker] = strawberry.field(description="Who made its parts.")

    @strawberry.field(description="Says something back.")
    def echo(self, text: Annotated[str, strawberry.argument(description="What to say.")] = "hi") -> str:
        return f"{self.name}: {text}"

    @strawberry.field(description="Waits, then says something.")
    async def later(self) -> str:
        await asyncio.sleep(0)
        return self.name

    @classmethod
    def of(cls, row: ToyRow) -> "Toy":
        return cls(
            id=strawberry.ID(outside(Kind.PAYMENT, row.id)),
            name=f"toy {row.number}",
            mood=Mood.CALM,
            price=Money.of(CoreMoney(row.number * 100, Currency.KES)),
            count=BigInt(10**20 + row.number),
            weight=None if row.number % 2 else row.number,
            is_new=row.number % 3 == 0,
            made_at=row.created_at,
            maker=None if row.number % 5 == 0 else Maker(name="Fundi", town=None),
            tags=["a", "b"],
            parts=[Maker(name="M", town="Nairobi")],
        )


def rows(count: int) -> list[ToyRow]:
    return [ToyRow(UUID(int=number), START + timedelta(seconds=number), number) for number in range(count)]


@strawberry.type(description="Two currencies met.")
class CurrencyMismatchError(Error):
    expected: Currency = strawberry.field(description="What was wanted.")


@strawberry.type(description="It was played with.")
class PlaySuccess:
    toy: Toy = strawberry.field(description="The toy.")


PlayResult = Annotated[
    PlaySuccess | CurrencyMismatchError | InvalidInputError,
    strawberry.union("PlayResult", description="What became of it."),
]


@strawberry.input(description="How to play.")
class PlayInput:
    name: str = strawberry.field(description="What with.")
    price: MoneyInput | None = strawberry.field(description="What it may cost.", default=None)


@built_directly
@strawberry.input(description="One line of an order.")
class LineInput:
    name: str = strawberry.field(description="What.")
    mood: Mood = strawberry.field(description="How it is.")
    id: strawberry.ID | None = strawberry.field(description="Its id.", default=None)
    price: MoneyInput | None = strawberry.field(description="What it may cost.", default=None)
    made_at: datetime | None = strawberry.field(description="How new.", default=None)
    tags: list[str] | None = strawberry.field(description="What it is about.", default=None)
    weight: int = strawberry.field(description="In grams.", default=3)
    is_new: bool = strawberry.field(description="Whether it is new.", default=False)


@built_directly
@strawberry.input(description="An order.")
class OrderInput:
    lines: list[LineInput] = strawberry.field(description="Its lines.")
    note: str | None = strawberry.field(description="Anything.", default=None)


@strawberry.type(description="A drawer for anything.")
class Drawer:
    content: Node | None = strawberry.field(description="What is in it.")
    played: "PlayResult" = strawberry.field(description="What became of it.")


class Broken(Exception):
    """A bug, for tests of what clients see of one."""


Text = Annotated[str, strawberry.argument(description="Any text.")]


@strawberry.type(description="Everything you can read.")
class Query:
    @strawberry.field(description="Toys, newest first.")
    async def toys(self, first: First = 20, after: After = None) -> Connection[Toy]:
        wanted = page_request(first, after, OWNER_SCOPE)
        return connection(Page(rows(wanted.first), has_next=False), Toy.of, OWNER_SCOPE, after=after)

    @strawberry.field(description="One toy.")
    async def toy(self) -> Toy:
        return Toy.of(rows(2)[1])

    @strawberry.field(description="Toys in a plain list.")
    def shelf(self) -> list[Toy]:
        return [Toy.of(row) for row in rows(3)]

    @strawberry.field(description="Drawers.")
    def drawers(self) -> list[Drawer]:
        toy = Toy.of(rows(2)[1])
        refused = CurrencyMismatchError(
            code=ErrorCode("CURRENCY_MISMATCH"), message="No.", expected=Currency.KES
        )
        return [Drawer(content=toy, played=refused), Drawer(content=None, played=PlaySuccess(toy=toy))]

    @strawberry.field(description="What each line says.")
    def lines(
        self,
        input: Annotated[OrderInput, strawberry.argument(description="An order.")],
        more: Annotated[list[LineInput] | None, strawberry.argument(description="Lines.")] = None,
    ) -> list[str]:
        return [repr(line) for line in [*input.lines, *(more or ())]]

    @strawberry.field(description="A maker whose name is missing, against the schema.")
    def nameless(self) -> Maker | None:
        return Maker(name=None, town="Mombasa")  # type: ignore[arg-type]

    @strawberry.field(description="Fails with a bug.")
    async def broken(self) -> str | None:
        raise Broken("secret detail")

    @strawberry.field(description="Is refused.")
    async def refused(self) -> str | None:
        raise InvalidInput("name", "That is no name.")

    @strawberry.field(description="Never ends by itself.")
    async def endless(self) -> str | None:
        await asyncio.Event().wait()
        return None

    @strawberry.field(description="How often the context was forked.")
    def forks(self, info: Info[ToyContext, None]) -> int:
        return info.context.forks

    @strawberry.field(description="Says something back.")
    def echo(self, text: Text) -> str:
        return text


@strawberry.type(description="Everything you can do.")
class Mutation:
    @strawberry.mutation(description="Play with a toy.")
    async def play(
        self, input: Annotated[PlayInput, strawberry.argument(description="How to play.")]
    ) -> PlayResult:
        if input.name == "drum":
            raise CurrencyMismatch(Currency.KES, Currency.USD)
        if not input.name:
            raise InvalidInput("name", "Name a toy.")
        return PlaySuccess(toy=Toy.of(rows(2)[1]))


@strawberry.type(description="Everything you can follow.")
class Subscription:
    @strawberry.subscription(description="Counts up.")
    async def count(
        self,
        to: Annotated[int, strawberry.argument(description="How far.")] = 3,
    ) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            yield number

    @strawberry.subscription(description="Says nothing until the client has gone.")
    async def silence(self) -> AsyncGenerator[int, None]:
        await asyncio.Event().wait()
        yield 0

    @strawberry.subscription(description="Fails after one event.")
    async def failing(self) -> AsyncGenerator[int, None]:
        yield 1
        raise Broken("secret detail")


def toy_schema() -> strawberry.Schema:
    return make_schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        refusals=[Refusal(CurrencyMismatch, CurrencyMismatchError)],
    )


@dataclass(frozen=True, slots=True)
class Free:
    """A charge that takes nothing."""

    cost: int
    budget: Budget = field(default_factory=lambda: Budget(1_000, 1_000, 100))

    def settle(self, actual: int) -> None:
        """Nothing was taken."""


async def free(_context: ToyContext, cost: int) -> Free:
    return Free(cost)
