"""arq's Redis client, with what we do for each job done for many in one round trip."""

from collections.abc import Sequence
from typing import Any, Final, cast

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import ConnectionPool

# As `ArqRedis.enqueue_job`: an id that is in the queue is passed over.
_ENQUEUE: Final = """
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  if not redis.call('ZSCORE', KEYS[1], id) then
    redis.call('PSETEX', ARGV[1] .. id, ARGV[2], ARGV[i + 1])
    redis.call('ZADD', KEYS[1], ARGV[3], id)
  end
end
"""
# Forgets the jobs that ended, as `Worker.finish_job`; then, as `Worker.start_jobs`, begins those that are
# waiting, due, and begun by nobody. One whose text has expired is nobody's any more.
_TURN: Final = """
local held, text, queue = ARGV[1], ARGV[2], KEYS[1]
for i = 6, #ARGV do
  redis.call('ZREM', queue, ARGV[i])
  redis.call('DEL', held .. ARGV[i], text .. ARGV[i])
end
local begun, room = {}, tonumber(ARGV[5])
if room == 0 then return begun end
for _, id in ipairs(redis.call('ZRANGE', queue, '-inf', ARGV[3], 'BYSCORE', 'LIMIT', 0, 1000)) do
  if redis.call('SET', held .. id, '1', 'NX', 'PX', ARGV[4]) then
    local found = redis.call('GET', text .. id)
    if found then
      table.insert(begun, id)
      table.insert(begun, found)
      room = room - 1
      if room == 0 then return begun end
    else
      redis.call('ZREM', queue, id)
      redis.call('DEL', held .. id)
    end
  end
end
return begun
"""


class Transport(ArqRedis):
    """What relays enqueue into, and workers take from."""

    def __init__(self, pool: ConnectionPool, **options: Any) -> None:  # noqa: ANN401 - arq's
        super().__init__(pool, **options)
        self._enqueue = self.register_script(_ENQUEUE)
        self._turn = self.register_script(_TURN)

    async def enqueue_all(
        self, queue_name: str, function: str, jobs: Sequence[tuple[str, tuple[object, ...]]]
    ) -> None:
        """Enqueue jobs by their ids, each with the function's arguments; ids that are known are left alone.

        Raises:
            redis.exceptions.RedisError: nothing may be enqueued, or all.
        """
        now = timestamp_ms()
        arguments: list[Any] = [job_key_prefix, self.expires_extra_ms, now]
        for id_, given in jobs:
            arguments += [id_, serialize_job(function, given, {}, None, now, serializer=self.job_serializer)]
        await self._enqueue(keys=[queue_name], args=arguments)

    async def turn(
        self, queue_name: str, ended: Sequence[str], room: int, *, hold_ms: int
    ) -> list[tuple[str, bytes]]:
        """Forget jobs that ended, and begin at most `room` others: the id of each, and its text.

        Nobody else begins them for `hold_ms`.

        Raises:
            redis.exceptions.RedisError: jobs may have been forgotten, and some be held by nobody until then.
        """
        arguments: list[Any] = [
            in_progress_key_prefix,
            job_key_prefix,
            timestamp_ms(),
            hold_ms,
            max(0, room),
            *ended,
        ]
        found = cast("list[bytes]", await self._turn(keys=[queue_name], args=arguments))
        return [(id_.decode(), text) for id_, text in zip(found[::2], found[1::2], strict=True)]
