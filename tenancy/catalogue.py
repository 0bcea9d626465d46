"""What a database really is: its live catalogue, compared with the one it should have."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import asyncpg

_LINES: Final = """
WITH here AS (SELECT oid FROM pg_namespace WHERE nspname = 'public'),
  relations AS (SELECT c.* FROM pg_class c JOIN here ON c.relnamespace = here.oid),
  functions AS (SELECT p.* FROM pg_proc p JOIN here ON p.pronamespace = here.oid)
SELECT 'schema public: ' || coalesce(nspacl::text, '') AS line FROM pg_namespace WHERE nspname = 'public'
UNION ALL
SELECT format('relation %s: %s %s owner %s grants %s options %s rules %s', relname, relkind, relpersistence,
    pg_get_userbyid(relowner), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(relacl) a),
    reloptions, array[relrowsecurity, relforcerowsecurity, relispartition])
  FROM relations WHERE relkind NOT IN ('i', 'I', 't')
UNION ALL
SELECT format('column %s.%s: %s %s %s%s default %s grants %s', r.relname, a.attname,
    format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' ELSE 'null' END,
    a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), a.attacl)
  FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
  WHERE r.relkind NOT IN ('i', 'I', 't', 'S')
UNION ALL
SELECT format('constraint %s.%s: %s valid %s', r.relname, k.conname, pg_get_constraintdef(k.oid),
    k.convalidated)
  FROM relations r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype <> 'n'
UNION ALL
SELECT format('index %s: %s valid %s', i.relname, pg_get_indexdef(x.indexrelid),
    x.indisvalid AND x.indisready)
  FROM relations i JOIN pg_index x ON x.indexrelid = i.oid
UNION ALL
SELECT format('trigger %s.%s: %s enabled %s', r.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled)
  FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('function %s(%s): %s owner %s grants %s', proname, pg_get_function_identity_arguments(oid),
    md5(pg_get_functiondef(oid)), pg_get_userbyid(proowner), proacl)
  FROM functions WHERE prokind IN ('f', 'p')
UNION ALL
SELECT format('sequence %s: %s from %s by %s', r.relname, format_type(s.seqtypid, NULL),
    s.seqstart, s.seqincrement)
  FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT format('view %s: %s', relname, md5(pg_get_viewdef(oid))) FROM relations WHERE relkind IN ('v', 'm')
"""
"""One line of text for each fact. Not the order of columns: a fleet has grown in different steps."""

_DIGEST: Final = """SELECT sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), 'UTF8'))"""
_HASH: Final = f"{_DIGEST} FROM ({_LINES}) AS facts"


@dataclass(frozen=True)
class Catalogue:
    """Every table, column, constraint, index, trigger, function and grant of a database, as lines."""

    facts: frozenset[str]

    @cached_property
    def hash(self) -> bytes:
        """SHA-256, the same as `catalogue_hash` gives of the same database."""
        return hashlib.sha256("\n".join(sorted(self.facts, key=str.encode)).encode()).digest()


async def catalogue(connection: asyncpg.Connection) -> Catalogue:
    """Read the whole live catalogue, to say what differs; `catalogue_hash` says whether, and faster."""
    return Catalogue(frozenset(row["line"] for row in await connection.fetch(_LINES)))


async def catalogue_hash(connection: asyncpg.Connection) -> bytes:
    """The live catalogue as one SHA-256, computed in the database."""
    found: bytes = await connection.fetchval(_HASH)
    return found


def differences(live: Catalogue, expected: Catalogue) -> list[str]:
    """What a person needs to see: `missing …` and `unexpected …`, in the order of the facts."""
    missing = [f"missing {fact}" for fact in expected.facts - live.facts]
    unexpected = [f"unexpected {fact}" for fact in live.facts - expected.facts]
    return sorted(missing + unexpected, key=lambda line: line.split(" ", 1)[1])
