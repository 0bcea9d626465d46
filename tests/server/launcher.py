"""Runs PostgreSQL and Redis in a data directory as `hazina up` does; says `up` when both serve."""

import asyncio
import sys
from functools import partial
from pathlib import Path

from server.embedded import EmbeddedPostgres, EmbeddedRedis
from server.embedded_places import sole_use
from server.startup_errors import CannotStart
from server.supervisor import Supervisor


async def run(data_dir: Path) -> int:
    say = partial(print, flush=True)
    with sole_use(data_dir):
        async with Supervisor(say) as supervisor:
            say("starting")
            postgres, redis = EmbeddedPostgres(data_dir), EmbeddedRedis(data_dir)
            await postgres.prepare()
            await redis.prepare()
            for note in postgres.notes:
                say(note)
            await supervisor.start(postgres.child())
            await postgres.ready()
            await supervisor.start(redis.child())
            say(f"up {postgres.socket_dir}")
            await supervisor.run_until_stopped()
        return supervisor.exit_status


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(run(Path(sys.argv[1]))))
    except CannotStart as refusal:
        sys.exit(refusal.message)
