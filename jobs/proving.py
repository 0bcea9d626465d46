"""Verifies whole ledgers, a part at a time."""

from collections.abc import Callable
from time import monotonic
from typing import Final
from uuid import UUID

import structlog

from core.alerts import AlertKind
from core.ids import Kind, outside
from jobs.work import Done, Handler, Later, Result, Work
from owner_db.proofs.heads import HeadKeys, head_given, kept_heads
from tenancy.sessions import OwnerDatabase, Tenant
from tenancy.tokens import TokenIssuer
from tenant_db.alerts.raising import raise_alert
from tenant_db.ledger.verdicts import Break, Broken, Progress
from tenant_db.ledger.verifications import RUNNING, record_progress, verification
from tenant_db.ledger.verifying import verify

PART_S: Final = 5.0
"""After it, what was seen is written down, and other jobs have their turn."""
ATTEMPTS_MAX: Final = 100_000
"""Each part is a run: this is days of them."""

log = structlog.get_logger()


def proof_handlers() -> list[Handler]:
    """The jobs of the proof."""
    return [Handler("verify_ledger", verify_ledger, attempts_max=ATTEMPTS_MAX)]


async def verify_ledger(work: Work) -> Result:
    """Go on with one verification for some seconds."""
    id_ = UUID(work.payload["verification_id"])
    async with work.tenant.reading() as session:
        row = await verification(session, id_)
    if row is None or row.state != RUNNING:
        return Done()
    progress = Progress.from_json(row.progress)
    proof = Proof(work.services.owner, work.services.tokens, work.tenant, row.kept_head)
    await proof.go_on(progress, for_s=PART_S)
    async with work.tenant.transaction() as session:
        await record_progress(session, id_, progress, work.services.clock())
        if progress.is_over and progress.broken is not None:
            subject = outside(Kind.LEDGER_VERIFICATION, id_)
            await raise_alert(session, AlertKind.PROOF_BROKEN, subject, progress.broken.message)
    if not progress.is_over:
        return Later(0, "there is more to see")
    if progress.broken is not None:
        log.error("ledger_broken", what=progress.broken.what.value, why=progress.broken.message)
    return Done()


class Proof:
    """A tenant's ledger and all that was kept of it elsewhere."""

    def __init__(
        self, owner: OwnerDatabase, tokens: TokenIssuer, tenant: Tenant, kept_head: str = ""
    ) -> None:
        """`kept_head` is a signed head that somebody else has kept, if any."""
        self._owner = owner
        self._keys = HeadKeys(owner, tokens)
        self._tenant = tenant
        self._kept_head = kept_head

    async def go_on(
        self, progress: Progress, *, for_s: float, tell: Callable[[], object] = lambda: None
    ) -> None:
        """Verify from where `progress` stands, until all is seen, a row is broken or `for_s` are over.

        `tell` is called whenever some thousand more rows were seen.

        Raises:
            HeadNotOurs: the kept head was not signed for this tenant.
        """
        heads = await kept_heads(self._owner, self._keys, self._tenant.id, above=progress.height)
        hashes = heads.hashes
        if heads.forged_height is not None:
            progress.broken = Broken(Break.HEAD_FORGED, height=heads.forged_height)
            return
        if self._kept_head:
            given = await head_given(self._keys, self._tenant.id, self._kept_head)
            # Last: where the platform's copy says otherwise, it is the platform that rewrote history.
            if given.height > progress.height:
                hashes[given.height] = given.hash
        ends_at = monotonic() + for_s
        async with self._tenant.transaction() as session:
            await verify(session, progress, hashes, is_time_up=lambda: monotonic() >= ends_at, tell=tell)
