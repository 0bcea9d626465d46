"""One process that relays, runs and sweeps: a relay and an arq worker for each queue."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError

from jobs.cron import Periodic, run_schedule
from jobs.nudges import Nudges
from jobs.prompt_worker import PromptWorker, connect
from jobs.relay import Queue, Relay
from jobs.run import Runner
from jobs.supervision import keep_running
from jobs.sweeping import Sweeper
from jobs.transport import Transport
from jobs.work import JOB_TIMEOUT_MAX_S, Handler, by_kind
from tenancy.context import Services
from tenancy.engines import Tenants

QUEUES: Final = (
    Queue("payments", slots=32, in_flight_max=8),
    Queue("questions", slots=16, in_flight_max=4),
    Queue("inbox", slots=16, in_flight_max=8),
    Queue("webhooks", slots=16, in_flight_max=4),
    Queue("platform", slots=8, in_flight_max=8),
)
COMPLETION_WAIT_S: Final = JOB_TIMEOUT_MAX_S + 5

log = structlog.get_logger()


async def run_worker(
    services: Services,
    redis_url: str,
    handlers: Iterable[Handler],
    stop: asyncio.Event,
    *,
    sweeping: Tenants,
    periodic: Sequence[Periodic] = (),
    completion_wait_s: float = COMPLETION_WAIT_S,
) -> None:
    """Serve every queue until `stop` is set, through outages of Redis and of tenants' databases.

    After `stop` nothing new begins; running jobs get `completion_wait_s` to end. What is cut off
    after that runs again elsewhere once its lease has ended. `sweeping` are the same tenants on the
    sweeps' own connections; `periodic` joins the sweeps.

    Raises:
        redis.exceptions.RedisError: Redis can't be reached at the start.
        ExceptionGroup: a bug in the worker itself; start the process again.
    """
    redis = await connect(redis_url)
    try:
        runner = Runner(services, by_kind(handlers))
        nudges = Nudges(redis, [queue.name for queue in QUEUES])
        serving = [_Serving(services, redis, queue, runner, nudges) for queue in QUEUES]
        schedule = [*Sweeper(services.owner, sweeping, redis, services.clock).schedule(), *periodic]
        async with asyncio.TaskGroup() as tasks:
            loops = [loop for one in serving for loop in one.loops()]
            loops += [keep_running("nudges", nudges.listen)]
            loops += [run_schedule(services.owner, schedule)]
            running = [tasks.create_task(loop) for loop in loops]
            log.info("worker_started", queues=[queue.name for queue in QUEUES])
            await stop.wait()
            for loop in running:
                loop.cancel()
        log.info("worker_stops", running=sum(one.running() for one in serving))
        await asyncio.gather(*(one.finish(completion_wait_s) for one in serving))
        await runner.close()
    finally:
        await redis.aclose(close_connection_pool=True)


class _Serving:
    """The relay of one queue and the arq worker it feeds."""

    def __init__(
        self, services: Services, redis: Transport, queue: Queue, runner: Runner, nudges: Nudges
    ) -> None:
        self.queue = queue
        self.relay = Relay(services, redis, queue, nudges.event(queue.name), self._tell)
        self._make = partial(PromptWorker, redis, queue, runner)
        self._worker = self._make()
        self._retired: list[PromptWorker] = []

    def _tell(self) -> None:
        self._worker.tell()

    def loops(self) -> Iterable[Coroutine[None, None, None]]:
        """What runs until it is cancelled."""
        yield keep_running(f"relay:{self.queue.name}", self.relay.run)
        yield keep_running(f"worker:{self.queue.name}", self.serve)

    async def serve(self) -> None:
        """Run the queue's jobs until cancelled.

        Raises:
            redis.exceptions.RedisError: Redis is gone; call again. Running jobs go on meanwhile.
        """
        try:
            await self._worker.main()
        except (RedisError, OSError):
            # arq forgets to free a slot if Redis fails between two of its steps: count anew.
            self._retired = [worker for worker in (*self._retired, self._worker) if worker.running()]
            self._worker = self._make()
            raise

    def running(self) -> int:
        return sum(worker.running() for worker in (*self._retired, self._worker))

    async def finish(self, wait_s: float) -> None:
        await asyncio.gather(*(worker.finish(wait_s) for worker in (*self._retired, self._worker)))
