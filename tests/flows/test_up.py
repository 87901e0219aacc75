"""`caybeo up`: refuses what it cannot do safely, keeps its folder private, and leaves no process behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import up as ups
from flows.settings import Settings
from flows.up import Nest, environment, up
from tests.flows.instance import await_ready, free_port, start

HOLDS = "import time; time.sleep(60)"


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def group_of(pid):
    """Everything that still runs in a process's group or below it."""
    rows = subprocess.run(["/bin/ps", "-eo", "pid,ppid,pgid"], capture_output=True, text=True, check=True).stdout
    table = [tuple(map(int, line.split())) for line in rows.splitlines()[1:]]
    found = {pid}
    while grown := {p for p, parent, group in table if parent in found or group in found} - found:
        found |= grown
    return found & {p for p, _, _ in table}


def test_a_port_in_use_is_said_before_anything_starts(settings, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        assert up(settings, port) == 2

    said = capsys.readouterr().out
    assert f"Cổng {port} đang có chương trình khác dùng." in said
    assert f"caybeo up --port {port + 1}" in said
    assert not (settings.place / "logs").exists()


def test_another_host_than_loopback_is_refused(settings, capsys, monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_API_HOST", "0.0.0.0")

    assert up(settings, free_port()) == 2

    said = capsys.readouterr().out
    assert "Không mở giao diện trên 0.0.0.0" in said
    assert "VPN" in said


def test_without_prefect_yaml_it_says_what_is_missing(settings, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(ups, "ROOT", tmp_path)

    assert up(settings, free_port()) == 2
    assert f"Không thấy prefect.yaml trong {tmp_path}." in capsys.readouterr().out


def test_children_get_a_private_instance_on_loopback(settings, monkeypatch):
    monkeypatch.setenv("PREFECT_API_KEY", "of-another-server")
    monkeypatch.chdir(settings.place)

    seen = environment(Settings(home=Path("here")), 4317)

    assert seen["CAYBEO_HOME"] == str(settings.place / "here")
    assert seen["PREFECT_HOME"] == str(settings.place / "here" / "prefect")
    assert seen["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert seen["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4317"
    assert seen["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert seen["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_API_KEY" not in seen


def test_the_key_is_made_once_and_only_the_owner_reads_it(settings):
    first = environment(settings, 4200)["PREFECT_SERVER_ENCRYPTION_KEY"]
    second = environment(settings, 4200)["PREFECT_SERVER_ENCRYPTION_KEY"]

    assert first == second
    assert (settings.place / "prefect.key").stat().st_mode & 0o777 == 0o600
    assert (settings.place / "prefect").stat().st_mode & 0o777 == 0o700


def test_a_child_that_fails_names_its_log(settings):
    nest = Nest(settings, 4200)

    with pytest.raises(ups.CannotStart) as refused:
        nest.do("deploy", "flows.khong_co")

    log = settings.place / "logs" / "deploy.log"
    assert "Bước cài đặt các lượt chạy đã dừng ngoài dự kiến (mã 1)." in refused.value.message.vi
    assert str(log) in refused.value.next_step.vi
    assert "No module named" in log.read_text()


def test_a_child_that_ignores_the_request_to_end_is_ended_all_the_same(settings, monkeypatch):
    monkeypatch.setattr(ups, "STOP_SECONDS", 0.2)
    stubborn = subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); {HOLDS}"],
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    stubborn.stdout.readline()

    ups._end(stubborn)

    stubborn.stdout.close()
    assert stubborn.returncode == -signal.SIGKILL


def test_a_large_log_is_put_aside(settings, monkeypatch):
    monkeypatch.setattr(ups, "LOG_BYTES", 10)
    nest = Nest(settings, 4200)
    (settings.place / "logs" / "server.log").write_text("mười một chữ")

    assert not nest._log("server").exists()
    assert (settings.place / "logs" / "server.old.log").exists()


@pytest.mark.slow
def test_sigterm_and_a_dead_child_leave_nothing_behind(tmp_path):
    port = free_port()
    process = start(tmp_path, port)
    said = await_ready(process)
    children = group_of(process.pid)

    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)

    assert "Đang khởi động" in said
    assert process.returncode == 0
    assert "Đã dừng." in rest
    assert len(children) >= 3  # itself, the server, the worker
    assert not [pid for pid in children if _alive(pid)]
    assert not [p for p in (tmp_path / "prefect").rglob("*") if p.stat().st_mode & 0o077]


@pytest.mark.slow
def test_when_the_server_dies_the_rest_ends_and_says_where_to_look(tmp_path):
    process = start(tmp_path, free_port())
    await_ready(process)
    children = group_of(process.pid)
    server = next(pid for pid in children if "server" in _command(pid))

    os.kill(server, signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Máy chủ Prefect đã dừng ngoài dự kiến" in rest
    assert str(tmp_path / "logs" / "server.log") in rest
    assert not [pid for pid in children if _alive(pid)]


def _alive(pid):
    latest = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < latest:
        time.sleep(0.1)
    return Path(f"/proc/{pid}").exists()


def _command(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
