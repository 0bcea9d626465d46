"""Records of one kind: in memory, and each change in the journal."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from integrations.sandbox.journal import Journal


class Record(Protocol):
    """A dataclass of what JSON can hold."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """By id, in the order they first came."""

    def __init__(self, journal: Journal, kind: str, of: Callable[..., R]) -> None:
        """`kind` is unique in the sandbox, such as `stripe.refund`; `of` takes the fields by name."""
        self._journal = journal
        self._kind = kind
        self._of = of
        self._records: dict[str, R] = {}

    def load(self, records: dict[str, dict[str, dict[str, Any]]]) -> None:
        """Take over what the journal holds."""
        for id_, record in records.get(self._kind, {}).items():
            self._records[id_] = self._of(**record)

    def reset(self) -> None:
        self._records.clear()

    def save(self, record: R) -> None:
        """Keep a record's present state; a new one is added."""
        self._records[record.id] = record
        self._journal.write(self._kind, record.id, record)

    def get(self, id: str) -> R | None:
        return self._records.get(id)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(record) for record in self._records.values()]
