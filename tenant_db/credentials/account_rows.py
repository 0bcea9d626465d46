"""Provider accounts and their channels as jobs read them: in one statement, without a session."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from tenancy.sessions import Tenant


class AccountRow(NamedTuple):
    """A provider account, and the short code it collects on, if it has one."""

    id: UUID
    provider: str
    environment: str
    configuration: dict[str, Any]
    secrets_version: int
    channel: "ChannelRow | None"


class ChannelRow(NamedTuple):
    """What of a channel M-Pesa wants to be told."""

    kind: str
    short_code: str
    head_office_code: str | None
    initiator_name: str | None


async def look_at_accounts(tenant: Tenant, account_ids: Sequence[UUID]) -> list[AccountRow | None]:
    """The accounts in this order; None where there is no such account.

    Raises:
        TenantNotServed: the tenant has no connection to give now.
    """
    found = {row[0]: _account_of(row) for row in await tenant.rows(_LOOK, account_ids)}
    return [found.get(id_) for id_ in account_ids]


def _account_of(row: asyncpg.Record) -> AccountRow:
    channel = ChannelRow(*row[6:]) if row[5] else None
    return AccountRow(row[0], row[1], row[2], orjson.loads(row[3]), row[4], channel)


_LOOK: Final = """
SELECT account.id, account.provider, account.environment, account.configuration::text,
    account.secrets_version, channel.id IS NOT NULL, channel.kind, channel.short_code,
    channel.head_office_code, channel.initiator_name
FROM provider_accounts AS account LEFT JOIN channels AS channel ON channel.provider_account_id = account.id
WHERE account.id = ANY ($1)
"""
