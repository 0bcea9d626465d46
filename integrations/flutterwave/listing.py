"""Reads Flutterwave's lists, page by page."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final

from integrations.errors import ProviderUnavailable
from integrations.flutterwave.messages import Envelope, id_of, meta_of
from integrations.flutterwave.transport import Transport
from integrations.wire_json import Json

PAGES_MAX: Final = 500
"""A list that is longer is asked for in shorter spans."""


async def pages(
    transport: Transport, operation: str, path: str, query: Mapping[str, str]
) -> AsyncIterator[Json]:
    """Every row of a list, as it came.

    Raises:
        ProviderUnavailable: a page did not come, is no list, or there are too many.
    """
    page, last = 1, 1
    while page <= last:
        envelope = await transport.ask(operation, path, **query, page=str(page))
        if not envelope.is_success or not isinstance(envelope.data, list):
            raise ProviderUnavailable(f"no list: {envelope.message}")
        for row in envelope.data:
            yield row
        last = _last_page(envelope)
        if last > PAGES_MAX:
            raise ProviderUnavailable(f"a list of more than {PAGES_MAX} pages")
        page += 1


def day(instant: datetime) -> str:
    """The calendar day of a `from` or `to`. [ASSUMED] In UTC: callers widen it by a day."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d")


def _last_page(envelope: Envelope) -> int:
    told = id_of(meta_of(envelope.meta.get("page_info")).get("total_pages"))
    return int(told) if told else 1
