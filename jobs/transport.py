"""arq's Redis client, with what we do for each job done for many in one round trip."""

from collections.abc import Sequence
from typing import Any, Final, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import ConnectionPool

# As `ArqRedis.enqueue_job`: an id that arq knows is passed over.
_ENQUEUE: Final = """
for i = 5, #ARGV, 2 do
  local id = ARGV[i]
  if redis.call('EXISTS', ARGV[1] .. id, ARGV[2] .. id) == 0 then
    redis.call('PSETEX', ARGV[1] .. id, ARGV[3], ARGV[i + 1])
    redis.call('ZADD', KEYS[1], ARGV[4], id)
  end
end
"""
# As `Worker.start_jobs`: a job begins if it is waiting, due, and nobody has begun it.
_BEGIN: Final = """
local scores = {}
for i = 4, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  local is_due = score and tonumber(score) <= tonumber(ARGV[2])
  if is_due and redis.call('SET', ARGV[1] .. ARGV[i], '1', 'NX', 'PX', ARGV[3]) then
    scores[i - 3] = score
  else
    scores[i - 3] = ''
  end
end
return scores
"""


class Transport(ArqRedis):
    """What relays enqueue into, and workers take from."""

    def __init__(self, pool: ConnectionPool, **options: Any) -> None:  # noqa: ANN401 - arq's
        super().__init__(pool, **options)
        self._enqueue = self.register_script(_ENQUEUE)
        self._begin = self.register_script(_BEGIN)

    async def enqueue_all(
        self, queue_name: str, function: str, jobs: Sequence[tuple[str, tuple[object, ...]]]
    ) -> None:
        """Enqueue jobs by their ids, each with the function's arguments; ids that are known are left alone.

        Raises:
            redis.exceptions.RedisError: nothing may be enqueued, or all.
        """
        now = timestamp_ms()
        arguments: list[Any] = [job_key_prefix, result_key_prefix, self.expires_extra_ms, now]
        for id_, given in jobs:
            arguments += [id_, serialize_job(function, given, {}, None, now, serializer=self.job_serializer)]
        await self._enqueue(keys=[queue_name], args=arguments)

    async def begin_all(self, queue_name: str, ids: Sequence[bytes], *, hold_ms: int) -> list[int | None]:
        """Hold jobs for `hold_ms`; gives each one's score, None where it is not ours to run.

        Raises:
            redis.exceptions.RedisError: some may be held by nobody until then.
        """
        arguments: list[Any] = [in_progress_key_prefix, timestamp_ms(), hold_ms, *ids]
        scores = cast("list[bytes]", await self._begin(keys=[queue_name], args=arguments))
        return [int(float(score)) if score else None for score in scores]
