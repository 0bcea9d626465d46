"""The embedded PostgreSQL and Redis: started, killed, and started again."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from server.embedded import EmbeddedPostgres
from server.embedded_roles import MAINTENANCE_DATABASE, MIGRATOR_ROLE, OWNER_ROLE, TENANT_ROLE, prepare_roles
from tests.embedded import passable_folder, throwaway_postgres, throwaway_redis
from tests.server.launching import Launched, ended, launched, working_in


def pid_of_postgres(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def pid_of_redis(data_dir: Path) -> int:
    (pid,) = working_in(data_dir / "redis")
    return pid


async def write_a_row(launch: Launched) -> None:
    connection = await launch.connect()
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (row int); INSERT INTO kept VALUES (7)")
    await connection.close()


async def read_the_rows(launch: Launched) -> list[int]:
    connection = await launch.connect()
    try:
        return [row["row"] for row in await connection.fetch("SELECT row FROM kept")]
    finally:
        await connection.close()


async def refusal(postgres: EmbeddedPostgres, role: str, database: str) -> str | None:
    try:
        connection = await asyncpg.connect(postgres.url(role, database).replace("+asyncpg", ""))
    except asyncpg.PostgresError as error:
        return error.sqlstate
    await connection.close()
    return None


async def test_only_the_migrator_gets_into_its_own_database_and_nobody_into_the_others() -> None:
    async with throwaway_postgres() as postgres:
        for role in (OWNER_ROLE, TENANT_ROLE, MIGRATOR_ROLE):
            assert await refusal(postgres, role, "postgres") == "42501"
            assert await refusal(postgres, role, "template1") == "42501"
        assert await refusal(postgres, OWNER_ROLE, MAINTENANCE_DATABASE) == "42501"
        assert await refusal(postgres, TENANT_ROLE, MAINTENANCE_DATABASE) == "42501"
        assert await refusal(postgres, MIGRATOR_ROLE, MAINTENANCE_DATABASE) is None


async def test_the_migrator_creates_databases_and_is_no_superuser() -> None:
    async with throwaway_postgres() as postgres:
        url = postgres.url(MIGRATOR_ROLE, MAINTENANCE_DATABASE).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE DATABASE t_1")
        assert await connection.fetchval("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert await connection.fetchval("SHOW statement_timeout") == "0"
        # Ends sessions of other roles too.
        await connection.execute("GRANT CONNECT ON DATABASE t_1 TO hazina_tenant")
        tenant = await asyncpg.connect(postgres.url(TENANT_ROLE, "t_1").replace("+asyncpg", ""))
        assert await tenant.fetchval("SHOW statement_timeout") == "5s"
        assert await tenant.fetchval("SHOW jit") == "off"
        await connection.execute("DROP DATABASE t_1 WITH (FORCE)")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await tenant.fetchval("SELECT 1")
        await tenant.close()
        await connection.close()


async def test_roles_can_be_prepared_again_and_given_passwords() -> None:
    async with throwaway_postgres() as postgres:
        url = postgres.url("postgres", "postgres")
        await prepare_roles(url, {TENANT_ROLE: "it's a secret"})
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        stored = await connection.fetchval(
            "SELECT rolpassword FROM pg_authid WHERE rolname = $1", TENANT_ROLE
        )
        await connection.close()
    assert stored.startswith("SCRAM-SHA-256$")


async def test_a_full_redis_refuses_and_forgets_nothing() -> None:
    async with throwaway_redis() as embedded:
        client = redis.asyncio.Redis.from_url(embedded.url)
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await client.config_get("save") == {"save": ""}
        await client.aclose()


async def test_a_killed_postgres_is_started_again_with_what_was_committed() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as launch:
            await launch.up()
            await write_a_row(launch)

            os.kill(pid_of_postgres(data_dir), signal.SIGKILL)

            assert await launch.says("postgres stopped") == "postgres stopped (signal 9); starting it again"
            await launch.says("postgres runs again")
            assert await read_the_rows(launch) == [7]


async def test_a_killed_redis_is_started_again() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as launch:
            await launch.up()

            os.kill(pid_of_redis(data_dir), signal.SIGKILL)

            assert await launch.says("redis stopped") == "redis stopped (signal 9); starting it again"
            await launch.says("redis runs again")


async def test_a_killed_launcher_leaves_nothing_running_after_five_seconds_and_loses_nothing() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as launch:
            await launch.up()
            await write_a_row(launch)
            busy = await launch.connect()
            query = asyncio.create_task(busy.execute("SELECT count(*) FROM generate_series(1, 1000000000)"))
            left = working_in(data_dir)

            launch.process.kill()

            await ended(left, within_s=5)
            assert working_in(data_dir) == set()
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await query
        async with launched(data_dir) as launch:
            await launch.up()
            assert await read_the_rows(launch) == [7]


async def test_a_launcher_started_right_after_a_killed_one_waits_for_its_postgres() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as first:
            await first.up()
            await write_a_row(first)
            first.process.kill()
            async with launched(data_dir) as second:
                await second.up()
                assert await read_the_rows(second) == [7]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_everything_cleanly(number: signal.Signals) -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as launch:
            await launch.up()
            await write_a_row(launch)
            left = working_in(data_dir)

            launch.process.send_signal(number)

            status, said = await launch.ends()
            await ended(left, within_s=0.5)
            assert status == 0, said
            log = (data_dir / "log" / "postgres.log").read_text()
            assert "database system was not properly shut down" not in log
        async with launched(data_dir) as launch:
            await launch.up()
            assert await read_the_rows(launch) == [7]
            assert "not properly shut down" not in (data_dir / "log" / "postgres.log").read_text()


async def test_a_signal_before_everything_is_up_stops_what_is() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as launch:
            await launch.says("starting")
            launch.process.send_signal(signal.SIGINT)
            status, said = await launch.ends()
            assert status == 0, said
            assert working_in(data_dir) == set()


async def test_two_data_directories_serve_at_once_even_with_spaces_in_their_paths() -> None:
    with passable_folder() as folder:
        one, two = folder / "first of two", folder / "second"
        async with launched(one) as first, launched(two) as second:
            await first.up()
            await second.up()
            await write_a_row(first)
            assert first.socket_dir != second.socket_dir
            assert first.socket_dir.is_relative_to(one)
            assert await read_the_rows(first) == [7]
            with pytest.raises(asyncpg.UndefinedTableError):
                await read_the_rows(second)


async def test_a_path_too_long_for_a_socket_gets_a_short_private_folder() -> None:
    with passable_folder() as folder:
        data_dir = folder / ("long" * 20) / ("name, with: odd% signs" * 3)
        async with launched(data_dir) as launch:
            await launch.up()
            await write_a_row(launch)
            assert not launch.socket_dir.is_relative_to(data_dir)
            assert launch.socket_dir.stat().st_mode & 0o777 == 0o700


async def test_the_same_data_directory_serves_one_launcher_at_a_time() -> None:
    with passable_folder() as data_dir:
        async with launched(data_dir) as first:
            await first.up()
            async with launched(data_dir) as second:
                status, said = await second.ends()
            assert status == 1
            assert f"already runs in {data_dir} (process {first.process.pid})" in said
            await write_a_row(first)
