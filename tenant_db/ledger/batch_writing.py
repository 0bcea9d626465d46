"""What a batch writes beside the books: the keys' records, and the audit rows."""

import json
from collections.abc import Sequence
from typing import Final

from core.ids import new_id
from tenancy.acts import Act
from tenancy.idempotency import Once
from tenant_db.ledger.batch_reading import Record
from tenant_db.ledger.recording import Part, Rows

_RECORDS: Final = Part(
    {
        "id": "uuid",
        "operation": "text",
        "key": "text",
        "actor": "text",
        "input_hash": "bytea",
        "outcome": "text",
        "result": "text",
    },
    """
records AS (
    INSERT INTO idempotency_records (id, created_at, operation, key, actor, input_hash, outcome, result)
    SELECT id, instant, operation, key, actor, input_hash, outcome, result::jsonb FROM now, {rows}
)""",
)
_ACTS: Final = Part(
    {
        "id": "uuid",
        "actor_kind": "text",
        "actor_id": "uuid",
        "action": "text",
        "subject": "text",
        "reason": "text",
        "ip": "text",
        "user_agent": "text",
        "request_id": "text",
    },
    """
acts AS (
    INSERT INTO audit_log
        (id, created_at, actor_kind, actor_id, action, subject, reason, ip, user_agent, request_id, details)
    SELECT id, instant, actor_kind, actor_id, action, subject, reason, ip, user_agent, request_id, '{{}}'
    FROM now, {rows}
)""",
)


def record_rows(taken: Sequence[tuple[Once, Record]]) -> Rows:
    """The records of keys, in one order everywhere: who waits for a rival's key holds none behind it."""
    ordered = sorted(taken, key=lambda pair: (pair[0].operation, pair[0].key))
    onces = [once for once, _ in ordered]
    records = [record for _, record in ordered]
    return _RECORDS, [
        [new_id() for _ in ordered],
        [once.operation for once in onces],
        [once.key for once in onces],
        [once.actor for once in onces],
        [record.input_hash for record in records],
        [record.outcome for record in records],
        [json.dumps(record.result) for record in records],
    ]


def act_rows(acts: Sequence[tuple[Act, str | None]]) -> Rows:
    """The audit rows of acts, each with its reason."""
    actors = [act.actor for act, _ in acts]
    return _ACTS, [
        [new_id() for _ in acts],
        [actor.kind for actor in actors],
        [actor.id for actor in actors],
        [act.action for act, _ in acts],
        [act.subject for act, _ in acts],
        [reason for _, reason in acts],
        [actor.ip for actor in actors],
        [actor.user_agent for actor in actors],
        [actor.request_id for actor in actors],
    ]
