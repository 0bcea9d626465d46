"""Notices: to whom they go, what is kept of them, and what a lost Redis does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import redis.asyncio

import tenancy.feed
from core.clock import utc_now
from core.ids import new_id
from tenancy.errors import TenantUnavailable
from tenancy.feed import RESYNC, WAITING_MAX, Feed, Stream, channel_of
from tenancy.sessions import AfterCommit, Notice
from tenancy.signals import RedisSignals
from tests.embedded import throwaway_redis

SHOP, OTHER = new_id(), new_id()
SETTLED = Notice("payment:1", {"id": "1", "version": 2})
LAST = Notice("last", {})


@pytest.fixture
async def elsewhere(redis_url: str) -> AsyncIterator[Feed]:
    """The feed of another process."""
    client = redis.asyncio.Redis.from_url(redis_url)
    feed = Feed(client)
    yield feed
    await feed.close()
    await client.aclose()


async def next_of(stream: Stream) -> Notice:
    async with asyncio.timeout(10):
        return await anext(stream)


async def test_what_one_process_publishes_reaches_the_streams_of_another(feed: Feed, elsewhere: Feed) -> None:
    async with feed.subscribe(SHOP, {"payment:1"}) as one, feed.subscribe(SHOP, {"payment:1"}) as two:
        await elsewhere.publish(SHOP, SETTLED)

        assert await next_of(one) == SETTLED
        assert await next_of(two) == SETTLED


async def test_a_stream_hears_its_own_tenant_and_topics_only(feed: Feed, elsewhere: Feed) -> None:
    async with feed.subscribe(SHOP, {"payment:1", "last"}) as stream, feed.subscribe(OTHER, {"last"}):
        await elsewhere.publish(OTHER, SETTLED)
        await elsewhere.publish(SHOP, replace(SETTLED, topic="payment:2"))
        await elsewhere.publish(SHOP, LAST)

        assert await next_of(stream) == LAST


async def test_of_one_thing_only_the_latest_waits() -> None:
    stream = Stream({"payments"})
    for version in range(3):
        for payment in ("a", "b"):
            stream.offer(Notice("payments", {"id": payment, "version": version}))

    assert [(await next_of(stream)).payload for _ in range(2)] == [
        {"id": "a", "version": 2},
        {"id": "b", "version": 2},
    ]


async def test_what_waiting_notices_list_adds_up() -> None:
    stream = Stream({"ledger"})
    for accounts in (["a"], ["b", "a"], ["c"]):
        stream.offer(Notice("ledger", {"accounts": accounts}))
    stream.end()

    assert [notice.payload async for notice in stream] == [{"accounts": ["a", "b", "c"]}]


async def test_lists_that_grow_too_long_become_one_resync() -> None:
    stream = Stream({"ledger"})
    for number in range(WAITING_MAX + 1):
        stream.offer(Notice("ledger", {"accounts": [str(number)]}))
    stream.end()

    assert [notice async for notice in stream] == [RESYNC]


async def test_a_stream_that_nobody_reads_keeps_one_resync() -> None:
    stream = Stream({"payments"})
    for number in range(WAITING_MAX + 1):
        stream.offer(Notice("payments", {"id": str(number)}))
    stream.end()

    assert [notice async for notice in stream] == [RESYNC]


async def test_a_resync_says_from_when_on_something_may_be_missed() -> None:
    began_at = utc_now()
    stream, gap_since = Stream({"payments"}), began_at - timedelta(minutes=3)
    stream.offer(Notice("payments", {"id": "read in time"}))
    await next_of(stream)
    read_at = utc_now()
    for number in range(WAITING_MAX + 1):
        stream.offer(Notice("payments", {"id": str(number)}))
    overflowed_at = utc_now()

    assert await next_of(stream) == RESYNC
    assert stream.missed_since is not None
    assert read_at <= stream.missed_since <= overflowed_at
    stream.resync(gap_since)
    stream.resync(began_at)
    assert await next_of(stream) == RESYNC
    assert stream.missed_since == gap_since


async def test_a_channel_is_left_with_its_last_stream(feed: Feed, redis_client: redis.asyncio.Redis) -> None:
    async def listening() -> int:
        ((_, count),) = await redis_client.pubsub_numsub(channel_of(SHOP))
        return int(count)

    async with feed.subscribe(SHOP, {"last"}):
        async with feed.subscribe(SHOP, {"last"}):
            assert await listening() == 1
        assert await listening() == 1

    async with asyncio.timeout(10):
        while await listening():
            pass


async def test_coming_back_at_once_misses_nothing(feed: Feed, elsewhere: Feed) -> None:
    for number in range(20):
        notice = Notice("last", {"id": str(number)})
        async with feed.subscribe(SHOP, {"last"}) as stream:
            await elsewhere.publish(SHOP, notice)

            assert await next_of(stream) == notice


async def test_after_a_lost_connection_every_stream_is_told_to_look_again(
    feed: Feed, elsewhere: Feed, redis_client: redis.asyncio.Redis
) -> None:
    async with feed.subscribe(SHOP, {"last"}) as one, feed.subscribe(OTHER, {"last"}) as two:
        await redis_client.client_kill_filter(_type="pubsub")

        assert [await next_of(one), await next_of(two)] == [RESYNC, RESYNC]
        await elsewhere.publish(SHOP, LAST)
        assert await next_of(one) == LAST


async def test_a_restart_of_redis_is_survived() -> None:
    async with throwaway_redis() as server:
        client = redis.asyncio.Redis.from_url(server.url)
        feed = Feed(client)
        async with feed.subscribe(SHOP, {"last"}) as stream:
            lost_at = utc_now()
            await client.shutdown(nosave=True)

            assert await next_of(stream) == RESYNC
            assert stream.missed_since is not None
            assert stream.missed_since <= lost_at
            await feed.publish(SHOP, LAST)
            assert await next_of(stream) == LAST
        await feed.close()
        await client.aclose()


async def test_closing_the_feed_ends_its_streams(feed: Feed) -> None:
    async with feed.subscribe(SHOP, {"last"}) as stream:
        await feed.close()

        assert [notice async for notice in stream] == []


@pytest.mark.parametrize("message", [b"{", b"7", b"[7]", b'[["last"]]', b'{"topic": "last", "payload": {}}'])
async def test_what_can_not_be_read_is_looked_up(
    feed: Feed, redis_client: redis.asyncio.Redis, message: bytes
) -> None:
    async with feed.subscribe(SHOP, {"last"}) as stream:
        await redis_client.publish(channel_of(SHOP), message)
        assert await next_of(stream) is RESYNC

        await feed.publish(SHOP, LAST)
        assert await next_of(stream) == LAST


async def test_a_commit_wakes_the_relay_and_tells_the_feed(
    feed: Feed, redis_client: redis.asyncio.Redis
) -> None:
    signals = RedisSignals(redis_client)
    async with feed.subscribe(SHOP, {"last"}) as stream, redis_client.pubsub() as nudges:
        await nudges.subscribe("global:nudge:payments")
        await signals.after_commit(SHOP, AfterCommit([LAST], {"payments": 20.0}))
        await signals.after_commit(SHOP, AfterCommit([], {"payments": 30.0}))
        await signals.after_commit(None, AfterCommit([replace(LAST, tenant_id=SHOP)], {"payments": 5.0}))

        assert await next_of(stream) == LAST
        assert await redis_client.zrange("global:due:payments", 0, -1, withscores=True) == [
            (b"owner", 5.0),
            (str(SHOP).encode(), 20.0),
        ]
        kinds = [(await nudges.get_message(timeout=5) or {})["type"] for _ in range(4)]
        assert kinds == ["subscribe", "message", "message", "message"]


async def test_a_tenant_is_marked_once_a_minute_and_only_for_outbox_rows(
    redis_client: redis.asyncio.Redis,
) -> None:
    marked = []

    async def mark(tenant_id: object) -> None:
        marked.append(tenant_id)

    signals = RedisSignals(redis_client, mark)
    await signals.before_commit(SHOP, AfterCommit([LAST], {}))
    await signals.before_commit(None, AfterCommit([], {"payments": 1.0}))
    for tenant_id in (SHOP, SHOP, OTHER, SHOP):
        await signals.before_commit(tenant_id, AfterCommit([], {"payments": 1.0}))

    assert marked == [SHOP, OTHER]


async def test_without_redis_a_commit_still_ends_well() -> None:
    client = redis.asyncio.Redis(unix_socket_path="/nowhere/redis.sock")

    await RedisSignals(client).after_commit(SHOP, AfterCommit([LAST], {"payments": 1.0}))
    await Feed(client).publish(SHOP, LAST)
    await client.aclose()


async def test_without_redis_a_subscription_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenancy.feed, "SUBSCRIBE_TIMEOUT_S", 0.2)
    client = redis.asyncio.Redis(unix_socket_path="/nowhere/redis.sock")
    feed = Feed(client)

    with pytest.raises(TenantUnavailable, match="Live updates"):
        async with feed.subscribe(SHOP, {"last"}):
            pass
    await feed.close()
    await client.aclose()
