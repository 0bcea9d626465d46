"""An arq worker that looks at its queue when it is told to, and not only when a poll is due."""

import asyncio
from typing import Final

import orjson
import structlog
from arq.connections import RedisSettings, create_pool
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

READ_LIMIT: Final = 1_000
"""Ids read in one poll. It counts running jobs of all processes, so it must be above all their slots."""
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
            queue_read_limit=READ_LIMIT,
            health_check_interval=HEALTH_CHECK_S,
            job_serializer=dump,
            job_deserializer=orjson.loads,
            log_results=False,
        )
        self._told = asyncio.Event()
        self._transport = redis

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

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """As arq does, but in one round trip, and without asking for the jobs that we run ourselves."""
        ours = {job_id for job_id, task in self.tasks.items() if not task.done()}
        others = [job_id for job_id in job_ids if job_id.decode() not in ours]
        ids = others[: self.max_jobs - self.job_counter]
        if not ids:
            return
        hold_ms = int(self.in_progress_timeout_s * 1_000)
        scores = await self._transport.begin_all(self.queue_name, ids, hold_ms=hold_ms)
        for job_id, score in zip(ids, scores, strict=True):
            if score is not None:
                await self._begin(job_id.decode(), score)

    async def _begin(self, job_id: str, score: int) -> None:
        await self.sem.acquire()
        self.job_counter += 1
        task = asyncio.create_task(self.run_job(job_id, score))
        task.add_done_callback(lambda _: self._release_sem_dec_counter_on_complete())
        self.tasks[job_id] = task

    def running(self) -> int:
        """How many jobs have not ended; the failures of those that have, Redis's only, are taken note of."""
        ended = [task for task in self.tasks.values() if task.done() and not task.cancelled()]
        failures = [failure for task in ended if (failure := task.exception()) is not None]
        if failures:
            log.warning("job_unrecorded_in_redis", count=len(failures), error=type(failures[0]).__name__)
        return sum(not task.done() for task in self.tasks.values())

    async def finish(self, wait_s: float) -> None:
        """Give running jobs `wait_s` to end, then cancel them: their rows wait for the end of their lease."""
        running = [task for task in self.tasks.values() if not task.done()]
        if running:
            _, late = await asyncio.wait(running, timeout=wait_s)
            for task in late:
                task.cancel()
        # An outage of Redis may have ended some of them, which has already been said.
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self.tell()
