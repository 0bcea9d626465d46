"""`hazina up` over its whole life: what dies comes back, what ends leaves nothing, nothing is lost."""

import asyncio
import logging
import os
import pwd
import signal
import sys
from collections.abc import AsyncIterator
from time import monotonic

import asyncpg
import httpx
import pytest

from server.embedded_roles import MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE
from tests.api import Api
from tests.embedded import passable_folder
from tests.paying import ending, pay
from tests.processes import children, descendants, resident_kb
from tests.running import Running, hazina_up
from tests.server.launching import ended, working_in
from tests.server.test_embedded_places import run_as, uids_of

log = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(300)

SERVES_AGAIN_WITHIN_S = 30.0
POLL_S = 0.05
IDLE_KB_MAX = 450_000
STATUS = "query($id: ID!) { payment(id: $id) { id status receipt } }"


@pytest.fixture
async def api(platform: Running) -> AsyncIterator[Api]:
    api = Api(platform.demo["graphql_url"], platform.demo["api_key"])
    yield api
    await api.close()


async def serves_again(api: Api) -> float:
    """Seconds until a query that needs every database is answered."""
    started = monotonic()
    async with asyncio.timeout(SERVES_AGAIN_WITHIN_S):
        while True:
            try:
                response = await api.raw("{ payments(first: 1) { nodes { id } } }")
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code == 200 and "errors" not in response.json():
                return monotonic() - started
            await asyncio.sleep(POLL_S)  # another program becomes ready, and can't set our event


@pytest.mark.parametrize("name", ["sandbox", "worker", "server", "redis", "postgres"])
async def test_a_killed_child_is_started_again_and_payments_go_on(
    platform: Running, api: Api, name: str
) -> None:
    channel = platform.demo["channel_id"]
    before = children(platform.process.pid)
    known = await pay(api, channel)
    await ending(api, known)

    os.kill(before[name], signal.SIGKILL)

    assert await platform.next_line(f"{name} stopped") == f"{name} stopped (signal 9); starting it again"
    assert await platform.next_line(f"{name} runs") == f"{name} runs again"
    log.info("%s served again after %.2f s", name, await serves_again(api))
    after = children(platform.process.pid)
    assert {child for child in before if before[child] != after[child]} == {name}
    assert (await api.ask(STATUS, id=known))["payment"]["status"] == "SUCCEEDED"
    payment = await ending(api, await pay(api, channel))
    assert payment["status"] == "SUCCEEDED"
    assert payment["receipt"]


async def test_the_roles_are_in_force(platform: Running) -> None:
    url = platform.service("HAZINA_DATABASE_URL").replace("+asyncpg", "")

    async def refused(role: str, database: str) -> str | None:
        try:
            connection = await asyncpg.connect(url, user=role, database=database)
        except asyncpg.PostgresError as error:
            return error.sqlstate
        await connection.close()
        return None

    connection = await asyncpg.connect(url)
    tenant_database = await connection.fetchval("SELECT database FROM tenants WHERE status = 'active'")
    await connection.close()
    assert await refused(TENANT_ROLE, "hazina_owner") == "42501"
    assert await refused(TENANT_ROLE, "postgres") == "42501"
    assert await refused(OWNER_ROLE, tenant_database) == "42501"
    assert await refused(OWNER_ROLE, "postgres") == "42501"
    assert await refused(MIGRATOR_ROLE, "postgres") == "42501"
    assert await refused(TENANT_ROLE, tenant_database) is None


async def test_an_idle_platform_is_small(platform: Running) -> None:
    running = children(platform.process.pid)
    resident = {name: resident_kb(running[name]) for name in ("server", "worker", "sandbox")}
    log.info("resident: %s kB, together %d", resident, sum(resident.values()))
    assert sum(resident.values()) < IDLE_KB_MAX


async def test_a_taken_port_is_named_before_anything_is_started(platform: Running) -> None:
    with passable_folder() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.cli", "up", "--data-dir", str(folder / "data")),
            *("--port", str(platform.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode == 1
        assert f"Port {platform.port} on 127.0.0.1 is taken by another program." in errors.decode()
        assert output == b""
        assert not (folder / "data" / "postgres").exists()


async def test_a_killed_launcher_leaves_nothing_and_the_next_start_loses_nothing() -> None:
    with passable_folder() as folder:
        data_dir = folder / ".hazina"
        async with hazina_up(data_dir) as first:
            started = monotonic()
            await first.line("ready ")
            log.info("the first start was ready after %.1f s", monotonic() - started)
            demo = first.demo
            demo_line = await first.line("demo payment")
            api = Api(demo["graphql_url"], demo["api_key"])
            ended_before = await pay(api, demo["channel_id"])
            receipt = (await ending(api, ended_before))["receipt"]
            open_before = await pay(api, demo["channel_id"])
            left = descendants(first.process.pid) | working_in(data_dir)

            first.process.kill()

            await ended(left, within_s=5)
            assert working_in(data_dir) == set()
            await first.process.wait()
        async with hazina_up(data_dir, port=first.port) as second:
            started = monotonic()
            await second.line("ready ")
            log.info("the second start was ready after %.1f s", monotonic() - started)
            assert second.demo == demo
            assert demo_line != await second.line("demo payment")
            kept = (await api.ask(STATUS, id=ended_before))["payment"]
            assert kept == {"id": ended_before, "status": "SUCCEEDED", "receipt": receipt}
            # Its callback may have found nobody, so that only the ladder can settle it.
            assert (await ending(api, open_before))["status"] == "SUCCEEDED"
            await api.close()
            left = descendants(second.process.pid) | working_in(data_dir)
            assert len(left) > 5

            assert await second.stop() == 0

            await ended(left, within_s=0.5)
            assert working_in(data_dir) == set()


async def test_an_ordinary_user_can_run_it_without_a_demo_and_sigterm_ends_it() -> None:
    nobody = pwd.getpwnam("nobody")
    with passable_folder() as folder:
        if os.geteuid() == 0:
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        through = [*run_as(nobody.pw_uid, nobody.pw_gid), "env", f"HOME={folder}"]
        async with hazina_up(folder / "data", "--no-demo", through=through) as up:
            assert await up.line("ready ") == f"ready http://127.0.0.1:{up.port}/graphql"
            assert not (folder / "data" / "demo.json").exists()
            left = descendants(up.process.pid)
            assert uids_of(left) == {folder.stat().st_uid}
            api = Api(f"http://127.0.0.1:{up.port}/graphql")
            assert await api.ask("{ __typename }") == {"__typename": "Query"}
            await api.close()

            up.process.send_signal(signal.SIGTERM)

            assert await up.process.wait() == 0
            await ended(left, within_s=0.5)
            assert up.lines == [f"ready http://127.0.0.1:{up.port}/graphql"]
