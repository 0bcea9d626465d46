"""An arq worker that looks at its queue when it is told to, and not only when a poll is due."""

import asyncio
from typing import Final

import orjson
import structlog
from arq.connections import RedisSettings, create_pool
from arq.jobs import deserialize_job_raw
from arq.worker import Worker, func
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.relay import Queue
from jobs.run import Runner
from jobs.supervision import uncut
from jobs.transport import Transport
from jobs.work import JOB_TIMEOUT_MAX_S

POLL_S: Final = 0.1
"""For jobs that another process enqueued; our own relay tells us."""
HEALTH_CHECK_S: Final = 15
log = structlog.get_logger()

HOLD_S: Final = 10.0
"""When a job that was begun may be looked at again, for its worker may have died: its row tells."""
RECONNECT_TRIES: Final = 5


def dump(value: object) -> bytes:
    """JSON, never pickle: who can write to Redis must not be able to run code here."""
    return orjson.dumps(value, default=str)


def redis_settings(url: str) -> RedisSettings:
    """Settings under which a short interruption of Redis is waited out."""
    settings = RedisSettings.from_dsn(url)
    settings.retry = Retry(ExponentialBackoff(), RECONNECT_TRIES)
    settings.retry_on_timeout = True
    settings.retry_on_error = [RedisConnectionError, RedisTimeoutError]
    return settings


async def connect(url: str) -> Transport:
    """A client that enqueues what `PromptWorker` reads."""
    client = await create_pool(redis_settings(url))
    return Transport(client.connection_pool, job_serializer=dump, job_deserializer=orjson.loads)


class PromptWorker(Worker):
    """Serves one queue. Its connections belong to the caller."""

    def __init__(self, redis: Transport, queue: Queue, runner: Runner) -> None:
        # `func` gives the bound method the name that is enqueued.
        super().__init__(
            [func(runner.run_outbox, name="run_outbox")],
            queue_name=queue.arq_name,
            redis_pool=redis,
            handle_signals=False,
            max_jobs=queue.slots,
            # The runner ends a job before arq would, and writes it down.
            job_timeout=JOB_TIMEOUT_MAX_S + 10,
            keep_result=0,
            poll_delay=POLL_S,
            health_check_interval=HEALTH_CHECK_S,
            job_serializer=dump,
            job_deserializer=orjson.loads,
            log_results=False,
        )
        self._told = asyncio.Event()
        self._transport = redis
        self._ended: list[str] = []
        self._is_behind = False
        """More may wait in Redis than there was room for: every job that ends makes some."""

    def tell(self) -> None:
        """Have it look at its queue now."""
        self._told.set()

    async def main(self) -> None:
        """Serve until cancelled; jobs that run go on meanwhile, see `finish`.

        Raises:
            redis.exceptions.RedisError: Redis is gone; go on with a new worker.
        """
        while True:
            self._told.clear()
            await uncut(self._poll_iteration())
            try:
                async with asyncio.timeout(POLL_S):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def _poll_iteration(self) -> None:
        """As arq does, but in one round trip: what has ended is forgotten with what begins."""
        room, ended = self.max_jobs - len(self.tasks), self._ended
        self._ended = []
        hold_ms = int(HOLD_S * 1_000)
        begun = await self._transport.turn(self.queue_name, ended, room, hold_ms=hold_ms)
        self._is_behind = len(begun) >= room
        for job_id, text in begun:
            # One that runs for longer than its hold comes again.
            if job_id not in self.tasks:
                self.tasks[job_id] = asyncio.create_task(self._run(job_id, text))
        await self.heart_beat()

    async def _run(self, job_id: str, text: bytes) -> None:
        try:
            name, given, _, _, _ = deserialize_job_raw(text, deserializer=self.job_deserializer)
            await self.functions[name].coroutine(self.ctx, *given)
        except Exception:
            # The outermost edge of a job that could not even begin.
            log.exception("job_broke", id=job_id)
        finally:
            del self.tasks[job_id]
            self.jobs_complete += 1
            self._ended.append(job_id)
            if self._is_behind:
                self.tell()

    def running(self) -> int:
        """How many jobs have not ended."""
        return len(self.tasks)

    async def finish(self, wait_s: float) -> None:
        """Give running jobs `wait_s` to end, then cancel them: their rows wait for the end of their lease."""
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks.values(), timeout=wait_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
