"""The roles are the same wherever they are made: by the embedded PostgreSQL, or by docker compose."""

import asyncio
import os
import re
from pathlib import Path
from typing import Final

import asyncpg

from server.embedded import EmbeddedPostgres
from server.supervisor import Supervisor
from tests.embedded import FAST, passable_folder, throwaway_postgres

SCRIPT: Final = Path(__file__).parents[2] / "deploy" / "init-roles.sh"
WHAT_IS_IN_FORCE: Final = """
    SELECT 'role', rolname, concat(rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolbypassrls)
      FROM pg_roles WHERE rolname LIKE 'hazina%'
    UNION ALL
    SELECT 'setting', rolname, setting FROM pg_db_role_setting
      JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
    UNION ALL
    SELECT 'member', member::regrole::text, roleid::regrole::text
      FROM pg_auth_members WHERE member::regrole::text LIKE 'hazina%'
    UNION ALL
    SELECT 'database', datname, concat(datdba::regrole, ' ', datacl)
      FROM pg_database WHERE datname <> 'template0'
"""


async def what_is_in_force(postgres: EmbeddedPostgres) -> set[tuple[str, str, str]]:
    connection = await asyncpg.connect(postgres.url("postgres", "postgres").replace("+asyncpg", ""))
    try:
        return {tuple(row) for row in await connection.fetch(WHAT_IS_IN_FORCE)}
    finally:
        await connection.close()


async def run_script(postgres: EmbeddedPostgres) -> None:
    process = await asyncio.create_subprocess_exec(
        "sh",
        str(SCRIPT),
        env={
            "PATH": f"{postgres.bin_dir}:{os.environ['PATH']}",
            "PGHOST": str(postgres.socket_dir),
            "PGDATABASE": "postgres",
            "POSTGRES_USER": "postgres",
            "HAZINA_OWNER_PASSWORD": "it's a secret",
            "HAZINA_TENANT_PASSWORD": "another one",
            "HAZINA_MIGRATOR_PASSWORD": "a third",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_docker_compose_puts_the_same_roles_in_force_as_the_embedded_services() -> None:
    async with throwaway_postgres() as prepared:
        expected = await what_is_in_force(prepared)
    with passable_folder() as folder:
        bare = EmbeddedPostgres(folder, FAST)
        supervisor = Supervisor(print)
        await bare.prepare()
        try:
            await supervisor.start(bare.child())
            await run_script(bare)
            found = await what_is_in_force(bare)
        finally:
            await supervisor.stop()

    assert found == expected
    assert ("role", "hazina_migrator", "ftftf") in found


def test_each_role_of_docker_compose_has_a_password_of_its_own_and_the_server_no_migrator() -> None:
    compose = (SCRIPT.parents[1] / "docker-compose.yml").read_text()

    passwords = dict(re.findall(r"//(hazina_\w+):\$\{(\w+)", compose))
    _, _, server = compose.partition("\n  server:\n")
    server, _, _ = server.partition("\n  worker:\n")
    assert len(set(passwords.values())) == len(passwords) == 3
    assert "POSTGRES_PASSWORD: ${HAZINA_SUPERUSER_PASSWORD" in compose
    assert "migrating" not in server
    assert "MIGRATOR" not in compose.partition("x-migrating")[0]
