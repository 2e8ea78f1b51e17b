"""The private PostgreSQL through its whole life: started, stopped, killed, taken over, as root and as another user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.kernel.adapters.embedded import home as homes
from services.kernel.adapters.embedded import postmaster
from services.kernel.adapters.embedded.binaries import passable, reachable_copy, wheel_binaries
from services.kernel.adapters.embedded.home import FREE_UIDS, SOCKET_PATH_LIMIT
from services.kernel.adapters.embedded.postgres import EmbeddedPostgres, InUse
from services.kernel.runtime.fault import Fault
from tests.rig.postgres import PrivatePostgres, sweep, system_binaries

ORDINARY_UID = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    """A short folder that other users can walk through; `system` in it keeps one copy of the programs for all."""
    folder = Path(tempfile.mkdtemp(prefix="duly-t-", dir="/tmp"))
    folder.chmod(0o711)
    passable(folder / "system")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(top: Path) -> Iterator[Path]:
    """A folder for one test; servers left below it, or made for it by root, are ended by their id."""
    folder = Path(tempfile.mkdtemp(dir=top))
    folder.chmod(0o711)
    yield folder
    for pid_file in top.rglob("postmaster.pid"):
        pid = postmaster.live_pid(pid_file.parent)
        if pid is not None:
            postmaster.end(pid, pid_file.parent)


def embedded(place: Path, data: str = "data") -> EmbeddedPostgres:
    return EmbeddedPostgres(place / data, system=place.parent / "system")


def sql(dsn: str, statement: str) -> str:
    psql = wheel_binaries().program("psql")
    done = subprocess.run([psql, "-XAtq", "-d", dsn, "-c", statement], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def wait_gone(pid: int) -> None:
    assert postmaster.wait_until(lambda: not postmaster.is_alive(pid), 10)


def as_ordinary_user(act: Callable[[], None], uid: int = ORDINARY_UID) -> None:
    """Run in a child that has given up root, and fail here if it fails there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            code = 0
        except BaseException:  # noqa: BLE001 -- told by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def start_elsewhere(place: Path) -> subprocess.Popen[str]:
    """Start the server in another process, which then waits to be killed."""
    code = (
        "import sys, signal; from pathlib import Path\n"
        "from services.kernel.adapters.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), system=Path(sys.argv[2]))\n"
        "print(server.start(), flush=True); signal.pause()\n"
    )
    command = [sys.executable, "-c", code, str(place / "data"), str(place.parent / "system")]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert starter.stdout.readline().startswith("postgresql://")
    return starter


def test_data_outlive_stop_and_start(place: Path) -> None:
    server = embedded(place)
    sql(server.start(), "CREATE TABLE kept AS SELECT 1")
    server.stop()
    assert server.find() is None

    again = embedded(place)
    assert sql(again.start(), "SELECT * FROM kept") == "1"
    again.stop()


def test_starting_twice_in_one_process_answers_the_same(place: Path) -> None:
    server = embedded(place)
    assert server.start() == server.start()
    server.stop()
    server.stop()


def test_settings_are_the_durable_ones_and_nothing_listens_on_a_network(place: Path) -> None:
    server = embedded(place)
    dsn = server.start()
    shown = [sql(dsn, f"SHOW {name}") for name in ("fsync", "listen_addresses", "server_encoding", "timezone")]
    assert shown == ["on", "", "UTF8", "UTC"]
    server.stop()


def test_only_the_owner_may_enter_the_socket_folder(place: Path) -> None:
    server = embedded(place)
    dsn = server.start()
    folder = Path(dsn.partition("host=")[2].partition("&")[0])
    assert folder.stat().st_mode & 0o077 == 0
    server.stop()


def test_killed_server_recovers_what_was_committed(place: Path) -> None:
    server = embedded(place)
    sql(server.start(), "CREATE TABLE kept AS SELECT 7 AS n")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    server.stop()

    again = embedded(place)
    assert sql(again.start(), "SELECT n FROM kept") == "7"
    assert again.pid != pid
    again.stop()


def test_killed_server_is_started_again_by_its_living_owner(place: Path) -> None:
    server = embedded(place)
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert sql(server.start(), "SELECT 1") == "1"
    server.stop()


def test_server_of_a_killed_owner_is_taken_over_and_can_be_stopped(place: Path) -> None:
    starter = start_elsewhere(place)
    starter.kill()
    starter.communicate()

    server = embedded(place)
    found, pid = server.find(), server.pid
    assert found is not None
    assert pid is not None
    assert server.start() == found
    assert server.pid == pid
    server.stop()
    assert not postmaster.is_alive(pid)


def test_second_owner_is_told_who_has_the_folder_and_others_can_connect(place: Path) -> None:
    starter = start_elsewhere(place)
    second = embedded(place)
    with pytest.raises(InUse, match=f"in use by process {starter.pid}"):
        second.start()
    second.stop()  # not its own: nothing happens
    found = second.find()
    assert found is not None
    assert sql(found, "SELECT 1") == "1"
    starter.kill()
    starter.communicate()


def test_two_starters_at_once_end_with_one_owner(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from services.kernel.adapters.embedded.postgres import EmbeddedPostgres, InUse\n"
        "try: EmbeddedPostgres(Path(sys.argv[1]), system=Path(sys.argv[2])).start(); print('mine', flush=True)\n"
        "except InUse: print('in use', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(place / "data"), str(place.parent / "system")]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.stdout.readline().strip() for process in both if process.stdout]
    for process in both:
        process.communicate()
    assert sorted(said) == ["in use", "mine"]


def test_signals_of_the_terminal_do_not_reach_the_server(place: Path) -> None:
    server = embedded(place)
    server.start()
    pid = server.pid
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)
    assert os.getpgid(pid) != os.getpgid(0)
    server.stop()


def test_stale_pid_that_now_belongs_to_another_process_is_not_touched(place: Path) -> None:
    server = embedded(place)
    server.start()
    cluster = server._home().cluster
    server.stop()
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    (cluster / "postmaster.pid").write_text(f"{bystander.pid}\n{cluster}\n0\n5432\n\n\n\n\n")

    assert postmaster.live_pid(cluster) is None
    assert sql(server.start(), "SELECT 1") == "1"
    server.stop()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_half_made_cluster_is_made_anew(place: Path) -> None:
    left = place / "data" / "making" / "cluster"
    left.mkdir(parents=True)
    (left / "PG_VERSION").write_text("18\n")
    server = embedded(place)
    assert sql(server.start(), "SELECT 1") == "1"
    server.stop()


def test_a_server_that_cannot_start_says_why_and_where(place: Path) -> None:
    server = EmbeddedPostgres(place / "data", system=place.parent / "system", settings={"shared_buffers": "many"})
    with pytest.raises(Fault) as refused:
        server.start()
    assert "shared_buffers" in refused.value.what
    assert refused.value.where.endswith("server.log")
    assert sql(embedded(place).start(), "SELECT 1") == "1"


def test_a_deep_folder_gets_its_socket_elsewhere(place: Path) -> None:
    server = embedded(place, "/".join(["a-long-folder-name"] * 6))
    dsn = server.start()
    folder = Path(dsn.partition("host=")[2].partition("&")[0])
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
    assert sql(dsn, "SELECT 1") == "1"
    server.stop()
    if folder.parent == homes.SHORT:
        folder.rmdir()


@as_root
def test_root_runs_it_as_a_user_without_name_and_opens_no_folder(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "data", system=place.parent / "system")
    server.start()
    pid = server.pid
    assert pid is not None
    assert Path(f"/proc/{pid}").stat().st_uid in FREE_UIDS
    assert closed.stat().st_mode & 0o777 == 0o700
    server.stop()


@as_root
def test_deleting_roots_data_folder_deletes_the_data(place: Path) -> None:
    server = embedded(place)
    sql(server.start(), "CREATE TABLE old AS SELECT 1")
    pid = server.pid
    server._disown()
    shutil.rmtree(place / "data")

    fresh = embedded(place)
    assert sql(fresh.start(), "SELECT to_regclass('old') IS NULL") == "t"
    assert pid is not None
    assert not postmaster.is_alive(pid)
    fresh.stop()


@as_root
def test_a_moved_data_folder_keeps_its_data_and_a_copied_one_gets_its_own(place: Path) -> None:
    server = embedded(place)
    sql(server.start(), "CREATE TABLE kept AS SELECT 1")
    server.stop()
    shutil.copytree(place / "data", place / "copy")
    copy = embedded(place, "copy")
    assert sql(copy.start(), "SELECT to_regclass('kept') IS NULL") == "t"
    copy.stop()
    (place / "data").rename(place / "moved")
    moved = embedded(place, "moved")
    assert sql(moved.start(), "SELECT * FROM kept") == "1"
    moved.stop()


@as_root
def test_an_ordinary_user_runs_it_in_the_data_folder_and_root_goes_on_with_it(place: Path) -> None:
    programs = reachable_copy(wheel_binaries(), place.parent / "system")
    mine = place / "mine"
    mine.mkdir(mode=0o755)
    os.chown(mine, ORDINARY_UID, ORDINARY_UID)

    def first_day() -> None:
        server = EmbeddedPostgres(mine / "data", binaries=programs, system=place / "nowhere")
        sql_with = programs.program("psql")
        statement = "CREATE TABLE kept AS SELECT 5"
        subprocess.run([sql_with, "-XAtq", "-d", server.start(), "-c", statement], check=True)
        pid = server.pid
        assert pid is not None
        assert Path(f"/proc/{pid}").stat().st_uid == ORDINARY_UID
        os.kill(pid, signal.SIGKILL)
        server.start()
        server.stop()

    as_ordinary_user(first_day)
    server = EmbeddedPostgres(mine / "data", system=place.parent / "system")
    assert sql(server.start(), "SELECT * FROM kept") == "5"
    server.stop()

    def third_day() -> None:
        again = EmbeddedPostgres(mine / "data", binaries=programs, system=place / "nowhere")
        again.start()
        again.stop()

    as_ordinary_user(third_day)


@as_root
def test_an_ordinary_user_is_told_that_the_folder_is_anothers(place: Path) -> None:
    server = embedded(place)
    server.start()
    server.stop()

    def refused() -> None:
        with pytest.raises(Fault, match="data folder"):
            embedded(place).start()
        with pytest.raises(Fault, match="made by another user"):
            embedded(place).find()

    as_ordinary_user(refused)


@as_root
def test_a_user_without_a_name_is_told_that_postgresql_needs_one(place: Path) -> None:
    programs = reachable_copy(wheel_binaries(), place.parent / "system")
    place.chmod(0o777)

    def refused() -> None:
        with pytest.raises(Fault, match="has none -- /etc/passwd"):
            EmbeddedPostgres(place / "data", binaries=programs).start()

    as_ordinary_user(refused, uid=FREE_UIDS[-1])


def test_private_server_for_tests_clones_a_prepared_database_quickly() -> None:
    server = PrivatePostgres(binaries=system_binaries() or wheel_binaries())
    server.start()
    try:
        server.make_template(lambda dsn: sql(dsn, "CREATE TABLE prepared AS SELECT 3 AS n") and None)
        began = time.monotonic()
        dsn = server.new_database(template="migrated")
        assert time.monotonic() - began < 2
        assert sql(dsn, "SELECT n FROM prepared") == "3"
        assert sql(dsn, "SHOW fsync") == "off"
    finally:
        server.remove()
    assert not server.folder.exists()


def test_private_server_of_a_killed_test_run_is_swept_away() -> None:
    code = (
        "from tests.rig.postgres import PrivatePostgres\n"
        "server = PrivatePostgres(); server.start()\n"
        "print(server.folder, server.server.pid, flush=True); input()"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    folder, pid = run.stdout.readline().split()
    sweep()
    assert Path(folder).exists()
    run.kill()
    run.communicate()
    sweep()
    assert not Path(folder).exists()
    assert not postmaster.is_alive(int(pid))


@as_root
def test_root_that_may_not_give_files_away_is_told_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *_ids: int, **_options: bool) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "chown", refuse)
    server = embedded(place)
    with pytest.raises(Fault, match=r"Operation not permitted.*DULY_DATABASE_URL"):
        server.start()
    monkeypatch.undo()
    assert sql(server.start(), "SELECT 1") == "1"
    server.stop()


def test_ctrl_c_in_the_terminal_leaves_the_server_to_its_owner(place: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from services.kernel.adapters.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), system=Path(sys.argv[2]))\n"
        "dsn = server.start()\n"
        "try: print(dsn, server.pid, flush=True); sys.stdin.read()\n"  # the signal may come as soon as this is told
        "except KeyboardInterrupt: print(server.find() is not None, flush=True); server.stop()\n"
    )
    command = [sys.executable, "-c", code, str(place / "data"), str(place.parent / "system")]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline().split()[1])
    os.killpg(owner.pid, signal.SIGINT)
    assert owner.communicate()[0].strip() == "True"
    assert owner.returncode == 0
    assert not postmaster.is_alive(pid)
