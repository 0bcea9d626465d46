"""The SDL of both schemas, as `hazina schema` prints it and as it is committed beside the code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import strawberry

from schema.owner import owner_schema
from schema.tenant import tenant_schema

SCHEMAS: Final[Mapping[str, Callable[[], strawberry.Schema]]] = {
    "tenant": tenant_schema,
    "owner": owner_schema,
}


def print_sdl(which: str) -> str:
    """The SDL of `tenant` or `owner`, ending with a newline.

    Raises:
        KeyError: there is no such schema.
    """
    return f"{SCHEMAS[which]().as_str().rstrip()}\n"


def sdl_file(which: str) -> Path:
    """Where the committed SDL lies."""
    return Path(__file__).resolve().parent / f"{which}.graphql"
