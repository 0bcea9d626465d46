"""Kills processes of a running Hazina at moments that nobody chose."""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from tests.faults.tills import Tills
from tests.processes import backends, children
from tests.running import Running

VICTIMS: Final = ("worker", "server", "redis", "postgres", "connection")
"""`connection` is one of PostgreSQL's own processes: PostgreSQL then restarts itself."""
POLL_S: Final = 0.02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kill:
    """One death, some moments after so many payments were accepted."""

    after_accepted: int
    delay_s: float
    victim: str


@dataclass(slots=True)
class Killer:
    """Carries out its kills in turn, and says whom it killed."""

    running: Running
    kills: list[Kill]
    killed: list[str] = field(default_factory=list)
    last_at: float = field(default_factory=monotonic)
    """When the last one died."""

    @classmethod
    def planned(
        cls,
        running: Running,
        chance: random.Random,
        *,
        victims: Sequence[str],
        payments: int,
        jitter_s: float,
    ) -> "Killer":
        """Each victim as often as it is named, in any order, from the first payment to the last."""
        kills = [
            Kill(1 + (payments - 1) * number // (len(victims) - 1), chance.uniform(0, jitter_s), victim)
            for number, victim in enumerate(chance.sample(victims, len(victims)))
        ]
        return cls(running, kills)

    @property
    def quiet_for_s(self) -> float:
        """How long ago the last one died."""
        return monotonic() - self.last_at

    async def kill_all(self, tills: Tills) -> None:
        for kill in self.kills:
            await tills.until_accepted(kill.after_accepted)
            await asyncio.sleep(kill.delay_s)  # a moment that means nothing is the point
            await self.kill(kill.victim)

    async def kill(self, victim: str) -> None:
        """Kill it, as soon as it runs: it may be dead already."""
        while True:
            pid = self._pid(victim)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.append(victim)
                    self.last_at = monotonic()
                    log.info("killed %s, %d in all", victim, len(self.killed))
                    return
            await asyncio.sleep(POLL_S)

    def _pid(self, victim: str) -> int | None:
        alive = children(self.running.process.pid)
        if victim != "connection":
            return alive.get(victim)
        serving = backends(alive["postgres"]) if "postgres" in alive else []
        return serving[len(self.killed) % len(serving)] if serving else None
