"""What the ledger's random callers may want; accounts, holds and earlier requests go by numbers."""

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

BANK: Final = 0
STORES: Final = (1, 2, 3)
LIMITED: Final = 4
DOLLARS: Final = 5
CLOSED: Final = 6
"""Numbers of the accounts; most wishes are about the first four."""


@dataclass(frozen=True, slots=True)
class Move:
    """An amount from one account to another."""

    source: int
    destination: int
    amount: int


@dataclass(frozen=True, slots=True)
class Pay:
    """Linked transfers."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A hold."""

    move: Move
    expires: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """Post a hold, or a part of it."""

    hold: int
    part: int | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Void a hold."""

    hold: int


@dataclass(frozen=True, slots=True)
class Undo:
    """Reverse a transfer."""

    transfer: int


@dataclass(frozen=True, slots=True)
class Again:
    """An earlier request, word for word."""

    request: int


@dataclass(frozen=True, slots=True)
class Otherwise:
    """An earlier key with other input."""

    request: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """Independent transfers, each under the key with its number: keys come again, with other input too."""

    moves: tuple[tuple[int, Move], ...]


Wish = Pay | Place | Settle | Drop | Undo | Again | Otherwise
Batch = tuple[Wish, ...]

_ENDS: Final = st.sampled_from([*(BANK, *STORES) * 2, LIMITED, LIMITED, DOLLARS, CLOSED])
_AMOUNTS: Final = st.sampled_from([1, 40, 100, 250, 999, 1_000, 2_001])
_PICKS: Final = st.integers(0, 30)
"""Counted around, the newest first: of few there are, each is picked often."""
MOVES: Final = st.builds(Move, _ENDS, _ENDS, _AMOUNTS).filter(lambda move: move.source != move.destination)
WISHES: Final[st.SearchStrategy[Wish]] = st.one_of(
    st.builds(Pay, st.lists(MOVES, min_size=1, max_size=3).map(tuple)),
    st.builds(Place, MOVES, st.booleans()),
    st.builds(Settle, _PICKS, st.none() | _AMOUNTS),
    st.builds(Drop, _PICKS),
    st.builds(Undo, _PICKS),
    st.builds(Again, _PICKS),
    st.builds(Otherwise, _PICKS),
)
BATCHES: Final = st.lists(WISHES, min_size=1, max_size=4).map(tuple)
BULKS: Final = st.builds(
    Bulk, st.lists(st.tuples(st.integers(0, 30), MOVES), min_size=1, max_size=6).map(tuple)
)
RIVALS: Final = st.lists(BATCHES | BULKS, min_size=2, max_size=6)
