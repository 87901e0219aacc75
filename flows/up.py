"""`caybeo up`: the Prefect server, our deployments and a worker as children of one command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from cryptography.fernet import Fernet

from flows.settings import Settings
from models.report import PEOPLE, USAGE
from models.text import Text

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent
POOL = "local"
START_SECONDS = 180.0
STOP_SECONDS = 20.0
LOG_BYTES = 20_000_000
CLIENT_ONLY = ("PREFECT_API_KEY", "PREFECT_PROFILE", "PREFECT_API_AUTH_STRING")  # would point the children elsewhere


class CannotStart(Exception):
    """Something here or in the surroundings keeps us from starting, or a child has ended by itself."""

    def __init__(self, message: Text, next_step: Text, code: int = USAGE) -> None:
        super().__init__(message.en)
        self.message, self.next_step, self.code = message, next_step, code


class Stopped(Exception):
    """The operator, or the system, asked us to end."""


def up(settings: Settings, port: int = 4200) -> int:
    """Runs until Ctrl-C, SIGTERM, or a child's end. Gives the exit code."""
    try:
        _check(port)
        with _stoppable(), ExitStack() as children:
            _run(settings, port, children)
    except Stopped:
        _say(settings, STOPPED)
        return 0
    except CannotStart as problem:
        _say(settings, problem.message)
        _say(settings, problem.next_step)
        return problem.code


def environment(settings: Settings, port: int) -> dict[str, str]:
    """What the children see: an instance of its own, on loopback, with its own key and no word to the vendor."""
    address = f"http://{HOST}:{port}"
    own = {
        "CAYBEO_HOME": str(settings.place),
        "PREFECT_HOME": str(_folder(settings, "prefect")),
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_UI_URL": address,
        "PREFECT_SERVER_UI_API_URL": f"{address}/api",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": address,
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_ENCRYPTION_KEY": _key(settings.place / "prefect.key"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONUTF8": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if name not in CLIENT_ONLY}
    return inherited | own


def _run(settings: Settings, port: int, children: ExitStack) -> NoReturn:
    nest = Nest(settings, port)
    _say(settings, STARTING)
    server = children.enter_context(nest.child("server", "prefect", "server", "start"))
    nest.await_health(server)
    nest.do("deploy", "flows.setting_up", POOL)
    worker = children.enter_context(nest.child("worker", "prefect", "worker", "start", "--pool", POOL))
    _say(settings, READY.fill(address=f"http://{HOST}:{port}"))
    nest.watch({"server": server, "worker": worker})


class Nest:
    """Starts our children, each with a log of its own."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._environment = environment(settings, port)
        self._logs = _folder(settings, "logs")
        self._health = f"http://{HOST}:{port}/api/health"

    @contextmanager
    def child(self, name: str, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A child in a process group of its own, ended on the way out."""
        process = self._start(name, module, *arguments)
        try:
            yield process
        finally:
            _end(process)

    def do(self, name: str, module: str, *arguments: str) -> None:
        """A child that ends by itself. Raises CannotStart where it fails."""
        with self.child(name, module, *arguments) as process:
            if process.wait(START_SECONDS) != 0:
                raise self._died(name, process)

    def await_health(self, server: subprocess.Popen[bytes]) -> None:
        latest = time.monotonic() + START_SECONDS
        while time.monotonic() < latest:
            if server.poll() is not None:
                break
            with suppress(httpx.HTTPError):
                if httpx.get(self._health, timeout=2, trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(0.2)
        raise self._died("server", server)

    def watch(self, children: dict[str, subprocess.Popen[bytes]]) -> NoReturn:
        """Until one of them ends: the others are of no use without it."""
        while True:
            for name, process in children.items():
                if process.poll() is not None:
                    raise self._died(name, process)
            time.sleep(0.5)

    def _start(self, name: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log(name).open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # our own interpreter and our own words
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,  # [tool.prefect] and prefect.yaml are read from there
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone; we end them in order
            )

    def _log(self, name: str) -> Path:
        log = self._logs / f"{name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        return log

    def _died(self, name: str, process: subprocess.Popen[bytes]) -> CannotStart:
        part, code = PARTS[name], process.poll()
        text = Text(DIED.vi.format(part=part.vi, code=code), DIED.en.format(part=part.en, code=code))
        return CannotStart(text, READ_LOG.fill(log=self._log(name)), PEOPLE)


def _check(port: int) -> None:
    """Raises CannotStart before anything is started."""
    if not (ROOT / "prefect.yaml").is_file():
        raise CannotStart(NO_YAML.fill(root=ROOT), GET_SOURCE)
    wanted = os.environ.get("PREFECT_SERVER_API_HOST", HOST)
    if wanted not in (HOST, "localhost"):
        raise CannotStart(OPEN_HOST.fill(host=wanted), KEEP_LOOPBACK)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: no wait after a stop
        try:
            probe.bind((HOST, port))
        except OSError:
            raise CannotStart(PORT_TAKEN.fill(port=port), OTHER_PORT.fill(port=port + 1)) from None


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM raise Stopped once; while children are being ended further ones are ignored."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise Stopped

    # A child inherits an ignored SIGINT from us, and a worker that ignores it does not stop on SIGTERM either.
    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks, waits, and then makes sure of the whole group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _folder(settings: Settings, name: str) -> Path:
    folder = settings.place / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _key(path: Path) -> str:
    """Made before the server first starts: otherwise it would keep a key of its own in its database."""
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Fernet.generate_key())
    return path.read_text()


def _say(settings: Settings, text: Text) -> None:
    sys.stdout.write(text.to(settings.lang) + "\n")
    sys.stdout.flush()


PARTS = {
    "server": Text("Máy chủ Prefect", "The Prefect server"),
    "worker": Text("Tiến trình chạy việc (worker)", "The worker"),
    "deploy": Text("Bước cài đặt các lượt chạy", "Setting up the deployments"),
}
STARTING = Text("Đang khởi động, mất khoảng nửa phút…", "Starting; this takes about half a minute…")
READY = Text(
    "Sẵn sàng. Mở {address} trong trình duyệt.\n"
    "  - Gửi lại một tài khoản: Deployments → resync → Run → Custom run, chọn tài khoản, bấm Submit.\n"
    "  - Xem kết quả: Runs → mở lượt chạy → Artifacts.\n"
    "  - Duyệt kế hoạch đang chờ: Runs → review-plan-… → ⋮ → Resume.\n"
    "Lượt chạy đêm tự bắt đầu lúc 01:30. Nhấn Ctrl-C để dừng.",
    "Ready. Open {address} in a browser.\n"
    "  - Send an account again: Deployments → resync → Run → Custom run, choose the account, Submit.\n"
    "  - See the result: Runs → open the run → Artifacts.\n"
    "  - Decide about a plan that waits: Runs → review-plan-… → ⋮ → Resume.\n"
    "The nightly run starts by itself at 01:30. Ctrl-C stops.",
)
STOPPED = Text("Đã dừng.", "Stopped.")
DIED = Text("{part} đã dừng ngoài dự kiến (mã {code}).", "{part} ended unexpectedly (code {code}).")
READ_LOG = Text("Xem {log} để biết vì sao, rồi chạy lại “caybeo up”.", "See {log} for why, then run “caybeo up” again.")
NO_YAML = Text("Không thấy prefect.yaml trong {root}.", "There is no prefect.yaml in {root}.")
GET_SOURCE = Text(
    "Chạy “caybeo up” từ bản mã nguồn đầy đủ (git clone, rồi make ui).",
    "Run “caybeo up” from a full checkout (git clone, then make ui).",
)
OPEN_HOST = Text(
    "Không mở giao diện trên {host}: ai vào được cổng đó sẽ có mọi quyền, vì chưa có đăng nhập và mã hóa đường truyền.",
    "The UI is not opened on {host}: without a login and TLS whoever reaches that port may do everything.",
)
KEEP_LOOPBACK = Text(
    "Bỏ biến PREFECT_SERVER_API_HOST. Cần vào từ máy khác thì dùng VPN hoặc proxy TLS có đăng nhập trỏ về 127.0.0.1.",
    "Unset PREFECT_SERVER_API_HOST. From other machines use a VPN, or a TLS proxy with a login, to 127.0.0.1.",
)
PORT_TAKEN = Text("Cổng {port} đang có chương trình khác dùng.", "Port {port} is in use.")
OTHER_PORT = Text(
    "Dừng chương trình đó, hoặc chạy “caybeo up --port {port}”.",
    "Stop that program, or run “caybeo up --port {port}”.",
)
