"""Writes what was decided under the locks: transfers, entries and counters in one statement."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text

from tenancy.sessions import TenantSession
from tenant_db.ledger.feeding import tell
from tenant_db.ledger.models import Transfer
from tenant_db.ledger.rules import AccountState, NewEntry, NormalSide, Outcome

# The row locks are held while this runs, so it is one round trip however many transfers there are, and
# the database's clock is read under them: an account's entries are in the order of their times.
_RECORD: Final = text("""
WITH now AS (
    SELECT clock_timestamp() AS instant
), transfers AS (
    INSERT INTO ledger_transfers
        (id, created_at, source_id, destination_id, source_sequence, destination_sequence, amount_minor,
         currency, kind, reference, idempotency_key, effective_at, reverses_id, hold_id, details)
    SELECT id, instant, source_id, destination_id, source_sequence, destination_sequence, amount_minor,
        currency, kind, reference, idempotency_key, coalesce(effective_at, instant), reverses_id, hold_id,
        details
    FROM now, unnest(
        CAST(:t_id AS uuid[]), CAST(:t_source_id AS uuid[]), CAST(:t_destination_id AS uuid[]),
        CAST(:t_source_sequence AS bigint[]), CAST(:t_destination_sequence AS bigint[]),
        CAST(:t_amount_minor AS numeric[]), CAST(:t_currency AS text[]), CAST(:t_kind AS text[]),
        CAST(:t_reference AS text[]), CAST(:t_idempotency_key AS text[]),
        CAST(:t_effective_at AS timestamptz[]), CAST(:t_reverses_id AS uuid[]), CAST(:t_hold_id AS uuid[]),
        CAST(:t_details AS jsonb[])
    ) AS new (id, source_id, destination_id, source_sequence, destination_sequence, amount_minor, currency,
        kind, reference, idempotency_key, effective_at, reverses_id, hold_id, details)
), accounts AS (
    UPDATE ledger_accounts AS account
    SET posted_debits_minor = new.debits, posted_credits_minor = new.credits, entry_count = new.entries
    FROM unnest(CAST(:a_id AS uuid[]), CAST(:a_debits AS numeric[]), CAST(:a_credits AS numeric[]),
                CAST(:a_entries AS bigint[])) AS new (id, debits, credits, entries)
    WHERE account.id = new.id
), entries AS (
    INSERT INTO ledger_entries
        (account_id, sequence, created_at, transfer_id, side, amount_minor,
         balance_before_minor, balance_after_minor)
    SELECT account_id, sequence, instant, transfer_id, side, amount_minor, before, after
    FROM now, unnest(
        CAST(:e_account_id AS uuid[]), CAST(:e_sequence AS bigint[]), CAST(:e_transfer_id AS uuid[]),
        CAST(:e_side AS text[]), CAST(:e_amount_minor AS numeric[]), CAST(:e_before AS numeric[]),
        CAST(:e_after AS numeric[])
    ) AS new (account_id, sequence, transfer_id, side, amount_minor, before, after)
)
SELECT instant FROM now
""")


async def record(session: TenantSession, transfers: Sequence[Transfer], outcome: Outcome) -> None:
    """Write transfers in the order of the outcome's movements, and tell them when they were recorded.

    The caller holds every account's lock. Subscribers are told after the commit.
    """
    for entry in outcome.entries:
        transfer = transfers[entry.movement]
        if entry.side is NormalSide.DEBIT:
            transfer.source_sequence = entry.sequence
        else:
            transfer.destination_sequence = entry.sequence
    values = {
        **_transfer_columns(transfers),
        **_account_columns(list(outcome.accounts.values())),
        **_entry_columns(outcome.entries, transfers),
    }
    instant = (await session.execute(_RECORD, values)).scalar_one()
    for transfer in transfers:
        transfer.created_at = instant
        transfer.effective_at = transfer.effective_at or instant
    tell(session, outcome.accounts)


def _transfer_columns(transfers: Sequence[Transfer]) -> dict[str, list[Any]]:
    return {
        "t_id": [transfer.id for transfer in transfers],
        "t_source_id": [transfer.source_id for transfer in transfers],
        "t_destination_id": [transfer.destination_id for transfer in transfers],
        "t_source_sequence": [transfer.source_sequence for transfer in transfers],
        "t_destination_sequence": [transfer.destination_sequence for transfer in transfers],
        "t_amount_minor": [transfer.amount_minor for transfer in transfers],
        "t_currency": [transfer.currency.value for transfer in transfers],
        "t_kind": [transfer.kind for transfer in transfers],
        "t_reference": [transfer.reference for transfer in transfers],
        "t_idempotency_key": [transfer.idempotency_key for transfer in transfers],
        "t_effective_at": [transfer.effective_at for transfer in transfers],
        "t_reverses_id": [transfer.reverses_id for transfer in transfers],
        "t_hold_id": [transfer.hold_id for transfer in transfers],
        "t_details": [json.dumps(transfer.details) for transfer in transfers],
    }


def _account_columns(accounts: Sequence[AccountState]) -> dict[str, list[Any]]:
    return {
        "a_id": [account.id for account in accounts],
        "a_debits": [account.posted_debits_minor for account in accounts],
        "a_credits": [account.posted_credits_minor for account in accounts],
        "a_entries": [account.entry_count for account in accounts],
    }


def _entry_columns(entries: Sequence[NewEntry], transfers: Sequence[Transfer]) -> dict[str, list[Any]]:
    return {
        "e_account_id": [entry.account_id for entry in entries],
        "e_transfer_id": [transfers[entry.movement].id for entry in entries],
        "e_sequence": [entry.sequence for entry in entries],
        "e_side": [entry.side.value for entry in entries],
        "e_amount_minor": [entry.amount_minor for entry in entries],
        "e_before": [entry.balance_before_minor for entry in entries],
        "e_after": [entry.balance_after_minor for entry in entries],
    }
