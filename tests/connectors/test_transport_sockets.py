"""What a network does to requests, over real sockets on this machine: every fault ends as what it is, and in time."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConnectorError, Misconfigured, NotSent, Unanswered
from connectors.transport import READ_ATTEMPTS, WRITE_ATTEMPTS, Session
from connectors.wire import Wire, tls
from models.clock import SystemClock
from tests.connectors.far import OK, Answer, Authority, Far, drips, json, resets, says, waits_for
from tests.connectors.stall import declared, session

DEADLINE = 0.4
MUCH = 60_000_000  # bytes: takes seconds, drop by drop
TRUNCATED = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": 7'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Restless(SystemClock):
    """Real time, but nobody waits between two attempts."""

    def sleep(self, seconds: float) -> None:
        pass


@contextmanager
def account(far: Far | str, seconds: float = 5.0, **more: Any) -> Iterator[Session]:
    url = far if isinstance(far, str) else far.url
    found = session(more.pop("transport", None), Restless(), connector=declared(seconds=seconds), base_url=url, **more)
    yield found
    found.close()


def create(one: Session, **more: Any) -> Any:
    """A write that may not be repeated."""
    return one.call("create", "POST", "items", json={}, **more).data


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def test_an_answer_is_read_over_a_connection_that_is_used_again() -> None:
    with Far() as far, account(far) as one:
        assert [create(one) for _ in range(3)] == [{"id": 7}] * 3
        assert far.connections == 1


# --- N01, N02: nothing can have been sent -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["no-such-shop.invalid", "a..b", "x" * 64 + ".example"])
def test_N01_a_name_that_does_not_resolve_is_nothing_sent(host) -> None:
    """Tried again, because names fail for a moment; what no name server could ever know is the address's own fault."""
    with pytest.raises((NotSent, Misconfigured)) as raised, account(f"https://{host}/api") as one:
        create(one)

    assert "x" * 64 not in str(raised.value)


def test_N02_a_refused_connection_is_nothing_sent() -> None:
    with account(f"http://127.0.0.1:{closed_port()}") as one:
        with pytest.raises(NotSent, match="ConnectError"):
            create(one)

        assert one.requests == WRITE_ATTEMPTS


# --- N03: certificates ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.made()


BAD = {
    "expired": {"valid": timedelta(days=-1)},
    "of-another-host": {"hosts": ["elsewhere.example"]},
    "without-a-host": {"hosts": []},
    "self-signed": {"self_signed": True},
}


def test_N03_a_good_certificate_is_taken(authority: Authority, tmp_path: Path) -> None:
    """Otherwise the refusals below would prove nothing."""
    with Far(context=authority.context(tmp_path)) as far, trusting(authority, far) as one:
        assert create(one) == {"id": 7}


@pytest.mark.parametrize("fault", BAD.values(), ids=BAD)
def test_N03_a_bad_certificate_ends_the_account_before_a_byte_is_sent(fault, authority: Authority, tmp_path) -> None:
    with Far(context=authority.context(tmp_path, **fault)) as far, trusting(authority, far) as one:
        with pytest.raises(Misconfigured, match="certificate"):
            create(one)

        assert (far.heard, far.connections) == ([], 1)


def test_N03_an_authority_of_ones_own_is_not_trusted_by_default(authority: Authority, tmp_path: Path) -> None:
    with Far(context=authority.context(tmp_path)) as far, account(far) as one:
        with pytest.raises(Misconfigured, match="certificate"):
            create(one)

        assert far.heard == []


def test_N03_old_tls_is_refused_and_not_fallen_back_to(authority: Authority, tmp_path: Path) -> None:
    old = authority.context(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is why
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")

    with Far(context=old) as far, trusting(authority, far) as one, pytest.raises(Misconfigured, match="tls"):
        create(one)

    assert far.heard == []


def test_N03_a_server_without_tls_hears_nothing_in_clear() -> None:
    def speak_plainly(door: socket.socket) -> None:
        guest, _ = door.accept()
        with guest:
            heard.append(guest.recv(4096))
            guest.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        far = threading.Thread(target=speak_plainly, args=(door,))
        far.start()
        with account(f"https://127.0.0.1:{door.getsockname()[1]}") as one, pytest.raises(Misconfigured, match="tls"):
            create(one)
        far.join()

    assert heard[0].startswith(b"\x16\x03")  # no more than the beginning of a handshake


@contextmanager
def trusting(authority: Authority, far: Far) -> Iterator[Session]:
    wire = Wire(SystemClock(), 2, tls(authority.pem))
    with account(far, transport=wire) as one:
        yield one


# --- N04 to N08: sent, and no answer that can be trusted --------------------------------------------------------------

LOST: dict[str, Answer] = {
    "N04-reset-before-an-answer": resets(),
    "N05-reset-in-the-head": resets(HEAD),
    "N05-reset-in-the-body": resets(TRUNCATED),
    "N06-closed-without-an-answer": says(b"", close=True),
    "N08-body-shorter-than-promised": says(TRUNCATED, close=True),
    "N08-chunks-without-an-end": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n" + b'{"id": 7}\r\n', close=True),
    "N08-json-cut-where-no-length-was-promised": says(HEAD + b'Connection: close\r\n\r\n{"id": 7', close=True),
    "N08-a-length-that-is-none": says(HEAD + b'Content-Length: 9x\r\n\r\n{"id": 7}', close=True),
    "N08-two-lengths": says(HEAD + b'Content-Length: 9\r\nContent-Length: 8\r\n\r\n{"id": 7}', close=True),
    "N11-not-even-http": says(b"SSH-2.0-OpenSSH_9.2\r\n", close=True),
    "N11-a-head-without-end": says(b"HTTP/1.1 200 OK\r\n" + b"X-A: 0123456789abcdef\r\n" * 20_000, close=True),
}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_N05_a_write_whose_answer_is_lost_is_a_doubt_and_not_repeated(lost: Answer) -> None:
    with Far(lost) as far, account(far) as one:
        with pytest.raises(Unanswered):
            create(one)

        assert len(far.heard) == 1


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_N06_a_read_whose_answer_is_lost_is_asked_again(lost: Answer) -> None:
    with Far(lost, says(OK)) as far, account(far) as one:
        assert one.call("list", "GET", "items").data == {"id": 7}
        assert len(far.heard) == 2


def test_N04_a_reset_before_the_request_was_read_is_a_doubt() -> None:
    """The bytes left this machine: who knows who read them."""
    with socket.create_server(("127.0.0.1", 0)) as door, account(f"http://127.0.0.1:{door.getsockname()[1]}") as one:
        guard = threading.Thread(target=lambda: resets()(door.accept()[0]))
        guard.start()

        with pytest.raises(Unanswered):
            create(one)

        guard.join()


# --- N07: time --------------------------------------------------------------------------------------------------------

DRIPS: dict[str, Answer] = {
    "silence": drips(b"", b""),
    "head": drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "body": drips(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunks": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "interim": drips(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
}


@pytest.mark.parametrize("dripping", DRIPS.values(), ids=DRIPS)
def test_N07_a_dripping_answer_ends_at_the_deadline_and_is_a_doubt(dripping: Answer) -> None:
    """Each drop comes well within any time-out that begins anew with it."""
    with Far(dripping) as far, account(far, DEADLINE) as one:
        begun = time.monotonic()

        with pytest.raises(Unanswered):
            create(one)

        assert time.monotonic() - begun >= DEADLINE * 0.9  # and it does end, though the drops never do


def test_N07_what_is_left_of_the_deadline_and_no_more_is_waited_for_the_next_drop() -> None:
    with Far(drips(HEAD, b"X", 1.8)) as far, account(far, 2.0) as one:
        begun = time.monotonic()

        with pytest.raises(Unanswered):
            create(one)

        assert time.monotonic() - begun < 3.4  # and not 1.8 and another 2.0


def test_N07_one_who_takes_our_request_drop_by_drop_is_left_at_the_deadline() -> None:
    def sips(door: socket.socket) -> None:
        guest, _ = door.accept()
        with guest:
            got = 0
            while got < MUCH and (piece := guest.recv(32_768)):  # far more often than any time-out
                got += len(piece)
                time.sleep(0.001)
            if got >= MUCH:
                guest.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as door:
        far = threading.Thread(target=sips, args=(door,))
        far.start()
        with account(f"http://127.0.0.1:{door.getsockname()[1]}", DEADLINE) as one, pytest.raises(Unanswered):
            one.call("create", "POST", "items", content=b"0" * MUCH)
        far.join()


def test_N07_a_slow_answer_within_the_deadline_is_one() -> None:
    slow = says(OK[:10], OK[10:])
    with Far(slow) as far, account(far, 5.0) as one:
        assert create(one) == {"id": 7}


# --- N09: size --------------------------------------------------------------------------------------------------------


def test_N09_a_compressed_answer_is_read_although_nobody_asked_for_it() -> None:
    packed = json(gzip.compress(b'{"id": 7}'), b"Content-Encoding: gzip")
    with Far(says(packed)) as far, account(far) as one:
        assert create(one) == {"id": 7}


CLIENT = '''
import re, sys
from pathlib import Path
from connectors.errors import Unanswered
from models.clock import SystemClock
from tests.connectors.stall import declared, session

def peak():
    """MiB; getrusage would count the parent's too, from before the exec."""
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

one = session(None, SystemClock(), connector=declared(seconds=30), base_url=sys.argv[1])
one.call("create", "POST", "items", json={})
idle = peak()
try:
    one.call("create", "POST", "items", json={})
    print("success", peak() - idle)
except Unanswered as error:
    print(error.code, peak() - idle)
'''
BOMBS = {
    "gzip": json(gzip.compress(b"0" * 400_000_000, 9), b"Content-Encoding: gzip"),
    "gzip-that-is-json": json(gzip.compress(b"[" + b"[]," * 3_300_000 + b"[]]", 1), b"Content-Encoding: gzip"),
    "plain": HEAD + b"Content-Length: 300000000\r\n\r\n" + b"0" * 30_000_000,
    "many-small-values": json(b"[" + b"{}," * 3_000_000 + b"{}]"),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_N09_a_bomb_costs_less_than_64_mib(bomb: bytes) -> None:
    """In a process of its own, so that nobody else's memory is measured."""
    with Far(says(OK), says(bomb)) as far:
        child = [sys.executable, "-c", CLIENT, far.url]
        ended = subprocess.run(child, capture_output=True, check=True, text=True, timeout=60)

    code, grown = ended.stdout.split()
    assert code in ("body-too-large", "too-many-values")
    assert float(grown) < 64


# --- N10, N13, N14: where it goes, and how many at once ---------------------------------------------------------------


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
def test_N10_a_redirect_is_not_followed_to_another_host_nor_round_in_a_circle(status) -> None:
    with Far() as other, Far() as far, account(far) as one:
        for target in (other.url, far.url):
            far._answers = [
                says(b"HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, target.encode()))
            ]
            with pytest.raises(Misconfigured, match="redirect"):
                create(one)

        assert (len(far.heard), other.connections) == (2, 0)


def test_N13_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with Far() as proxy, Far() as far:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

        with account(far) as one:
            assert create(one) == {"id": 7}

        assert (proxy.connections, far.connections) == (0, 1)


def test_N14_calls_wait_for_a_connection_and_all_come_through() -> None:
    """Six threads, two connections, and another account that is none of their business."""
    moment, done = threading.Event(), []
    with Far(waits_for(moment)) as far, Far() as other, account(far) as one, account(other) as free:
        threads = [threading.Thread(target=lambda: done.append(create(one))) for _ in range(6)]
        for thread in threads:
            thread.start()

        assert create(free) == {"id": 7}
        moment.set()
        for thread in threads:
            thread.join()

        assert done == [{"id": 7}] * 6
        assert far.connections == 2


def test_N14_who_waits_too_long_for_a_connection_has_sent_nothing() -> None:
    """Six requests and two connections that hang: who says that nothing was sent has not been heard."""
    moment = threading.Event()
    with Far(waits_for(moment)) as far, account(far, DEADLINE, ends=time.monotonic() + 2 * DEADLINE) as one:
        errors: list[ConnectorError] = []
        threads = [threading.Thread(target=_caught, args=(one, errors)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        hung = moment.is_set()
        moment.set()

        doubtful = [error for error in errors if isinstance(error, Unanswered)]
        others = {error.code for error in errors if error not in doubtful}
        assert (len(errors), hung) == (6, False)
        assert {error.code for error in doubtful} <= {"ReadTimeout", "WriteTimeout"}
        assert others <= {"PoolTimeout", "ConnectTimeout", "out-of-time", "down"}
        assert len(far.heard) <= len(doubtful)


def _caught(one: Session, errors: list[ConnectorError]) -> None:
    try:
        create(one)
    except ConnectorError as error:
        errors.append(error)


def test_a_read_is_given_up_after_its_attempts() -> None:
    with Far(says(b"", close=True)) as far, account(far) as one:
        with pytest.raises(Unanswered):
            one.call("list", "GET", "items")

        assert len(far.heard) == READ_ATTEMPTS
