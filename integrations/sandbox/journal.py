"""Keeps the sandbox's records in a file, so that a crash forgets nothing that was taken or paid."""

from pathlib import Path
from typing import IO, Any

import orjson


class Journal:
    """Appends whole records as JSON lines; the last line of an id is its state."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def load(self) -> dict[str, dict[str, dict[str, Any]]]:
        """All records by kind and id, in the order they first came; a line cut short is left out."""
        records: dict[str, dict[str, dict[str, Any]]] = {}
        if self._path is None or not self._path.exists():
            return records
        for line in self._path.read_bytes().split(b"\n"):
            try:
                kind, record_id, record = orjson.loads(line)
            except ValueError:
                continue
            records.setdefault(kind, {})[record_id] = record
        return records

    def write(self, kind: str, record_id: str, record: object) -> None:
        """Append the present state of a dataclass or dict of what JSON can hold.

        It survives the end of this process, not a power cut.
        """
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            # A line that a crash cut short must not swallow the next one.
            self._file.write(b"\n")
        self._file.write(orjson.dumps([kind, record_id, record], option=orjson.OPT_APPEND_NEWLINE))

    def clear(self) -> None:
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
