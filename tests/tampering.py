"""Ways to tamper with a ledger, for somebody with all power over the database, and what each breaks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from tenancy.sessions import Tenant
from tenant_db.ledger.verdicts import Break, Broken
from tests.databases import PostgresServer
from tests.proving import Proven

Named = Callable[[Proven], Broken]
SEALED = "(SELECT id FROM ledger_transfers ORDER BY transaction_id OFFSET 2 LIMIT 1)"
"""The third of seven transfers; the last stands in no block."""
THIRD_ENTRY = "account_id = $shop AND sequence = 3"


def transfer(what: Break, place: int = 2) -> Named:
    return lambda ledger: Broken(what, transfer_id=ledger.sold[place].id)


def entry(what: Break, sequence: int = 3) -> Named:
    return lambda ledger: Broken(what, account_id=ledger.shop, sequence=sequence)


def account(what: Break) -> Named:
    return lambda ledger: Broken(what, account_id=ledger.shop)


def block(what: Break, height: int) -> Named:
    return lambda _: Broken(what, height=height)


COPIED = (
    "INSERT INTO ledger_transfers SELECT gen_random_uuid(), created_at, source_id, destination_id,"
    " source_sequence, destination_sequence, amount_minor, currency, kind, reference, 'forged', effective_at,"
    " reverses_id, hold_id, details, transaction_id FROM ledger_transfers WHERE id = "
)
ONE_MORE = (
    "INSERT INTO ledger_entries SELECT account_id, sequence + 1, created_at, transfer_id, side, amount_minor,"
    " balance_after_minor, balance_after_minor + amount_minor FROM ledger_entries"
    " WHERE account_id = $shop AND sequence = 7"
)
COUNTED = "; UPDATE ledger_accounts SET entry_count = 8, posted_credits_minor = 8 * 1250 WHERE id = $shop"

TAMPERING: dict[str, tuple[str, Named]] = {
    "an amount": (
        "UPDATE ledger_transfers SET amount_minor = 1 WHERE id = $sealed",
        transfer(Break.TRANSFER_CHANGED),
    ),
    "details": (
        """UPDATE ledger_transfers SET details = '{"note": "other"}' WHERE id = $sealed""",
        transfer(Break.TRANSFER_CHANGED),
    ),
    "a reference": (
        "UPDATE ledger_transfers SET reference = 'pay_2' WHERE id = $sealed",
        transfer(Break.TRANSFER_CHANGED),
    ),
    "the instant of recording, by a microsecond": (
        "UPDATE ledger_transfers SET created_at = created_at + interval '1 microsecond' WHERE id = $sealed",
        transfer(Break.TRANSFER_CHANGED),
    ),
    "a transfer that is gone": (
        "DELETE FROM ledger_transfers WHERE id = $sealed",
        transfer(Break.TRANSFER_MISSING),
    ),
    "a transfer behind the head that is gone with its entries": (
        (
            "DELETE FROM ledger_transfers WHERE destination_sequence = 6;"
            " DELETE FROM ledger_entries WHERE sequence = 6"
        ),
        transfer(Break.TRANSFER_MISSING, 5),
    ),
    "a transfer moved to another transaction": (
        "UPDATE ledger_transfers SET transaction_id = transaction_id + 100000 WHERE destination_sequence = 3",
        transfer(Break.TRANSFER_MISSING),
    ),
    "an entry's amount": (
        "UPDATE ledger_entries SET amount_minor = 1 WHERE $third",
        entry(Break.ENTRY_CHANGED),
    ),
    "an entry's transfer": (
        "UPDATE ledger_entries SET transfer_id = gen_random_uuid() WHERE $third",
        entry(Break.ENTRY_CHANGED),
    ),
    "an entry's side": (
        "UPDATE ledger_entries SET side = 'debit' WHERE $third",
        entry(Break.ENTRY_CHANGED),
    ),
    "an entry's balance before": (
        "UPDATE ledger_entries SET balance_before_minor = 1 WHERE $third",
        entry(Break.ENTRY_CHANGED),
    ),
    "an entry's balance after": (
        "UPDATE ledger_entries SET balance_after_minor = 1 WHERE $third",
        entry(Break.ENTRY_CHANGED),
    ),
    "both balances of an entry": (
        (
            "UPDATE ledger_entries SET balance_before_minor = balance_before_minor + 1,"
            " balance_after_minor = balance_after_minor + 1 WHERE $third"
        ),
        entry(Break.ENTRY_CHANGED),
    ),
    "an entry that is gone": (
        "DELETE FROM ledger_entries WHERE $third",
        entry(Break.ENTRY_MISSING),
    ),
    "an entry moved to another account": (
        "UPDATE ledger_entries SET account_id = gen_random_uuid() WHERE $third",
        entry(Break.ENTRY_MISSING),
    ),
    "an unsealed transfer's entry": (
        "UPDATE ledger_entries SET amount_minor = 1 WHERE account_id = $shop AND sequence = 7",
        entry(Break.ENTRY_CHANGED, 7),
    ),
    "one entry more": (ONE_MORE, entry(Break.ENTRY_INSERTED, 8)),
    "one entry more, and it is counted": (ONE_MORE + COUNTED, entry(Break.ENTRY_INSERTED, 8)),
    "one entry before the first": (
        (
            "INSERT INTO ledger_entries SELECT account_id, 0, created_at, transfer_id, side,"
            " amount_minor, 0, 0 FROM ledger_entries WHERE account_id = $shop AND sequence = 1"
        ),
        entry(Break.ENTRY_INSERTED, 0),
    ),
    "a balance": (
        "UPDATE ledger_accounts SET posted_credits_minor = 1 WHERE id = $shop",
        account(Break.COUNTER_DIFFERS),
    ),
    "both posted counters": (
        (
            "UPDATE ledger_accounts SET posted_credits_minor = posted_credits_minor + 1,"
            " posted_debits_minor = posted_debits_minor + 1 WHERE id = $shop"
        ),
        account(Break.COUNTER_DIFFERS),
    ),
    "what is set aside": (
        "UPDATE ledger_accounts SET pending_debits_minor = 1 WHERE id = $shop",
        account(Break.COUNTER_DIFFERS),
    ),
    "the number of entries": (
        "UPDATE ledger_accounts SET entry_count = 6 WHERE id = $shop",
        account(Break.COUNTER_DIFFERS),
    ),
    "the counters of an account without entries": (
        "UPDATE ledger_accounts SET posted_credits_minor = 1 WHERE code = 'suspense'",
        lambda ledger: Broken(Break.COUNTER_DIFFERS, account_id=ledger.idle),
    ),
    "an account that is gone": (
        "DELETE FROM ledger_accounts WHERE id = $shop",
        account(Break.ACCOUNT_MISSING),
    ),
    "a block's contents": (
        (
            "UPDATE ledger_blocks SET contents = set_byte(contents, 20, 255 - get_byte(contents, 20))"
            " WHERE height = 2"
        ),
        block(Break.BLOCK_CHANGED, 2),
    ),
    "a block's hash": (
        "UPDATE ledger_blocks SET hash = sha256('x') WHERE height = 2",
        block(Break.BLOCK_CHANGED, 2),
    ),
    "the time of a sealing": (
        "UPDATE ledger_blocks SET sealed_at = sealed_at - interval '1 day' WHERE height = 2",
        block(Break.BLOCK_CHANGED, 2),
    ),
    "a bound of a block": (
        "UPDATE ledger_blocks SET to_transaction_id = to_transaction_id + 1 WHERE height = 3",
        block(Break.BLOCK_CHANGED, 3),
    ),
    "a block that is gone": ("DELETE FROM ledger_blocks WHERE height = 2", block(Break.BLOCK_MISSING, 2)),
    "the first block, that is gone": (
        "DELETE FROM ledger_blocks WHERE height = 1",
        block(Break.BLOCK_MISSING, 1),
    ),
}


@asynccontextmanager
async def tampering(postgres: PostgresServer, tenant: Tenant) -> AsyncIterator[asyncpg.Connection]:
    """The database's superuser, whom no trigger stops."""
    connection = await postgres.connect_to_tamper(tenant.ref.database)
    try:
        yield connection
    finally:
        await connection.close()


async def tamper(postgres: PostgresServer, ledger: Proven, statements: str) -> None:
    async with tampering(postgres, ledger.tenant) as database:
        for name, value in (("$third", THIRD_ENTRY), ("$sealed", SEALED), ("$shop", f"'{ledger.shop}'")):
            statements = statements.replace(name, value)
        await database.execute(statements)
