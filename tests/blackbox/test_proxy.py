"""The fault proxy does to a line what each of its kinds says, and nothing to the requests that do not match."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.blackbox.proxy import KINDS, Proxy

ROOT = Path(__file__).parents[2]
ANSWER = b'{"ok": true, "words": "vang, da nhan"}'

pytestmark = pytest.mark.slow


class Far(ThreadingHTTPServer):
    """Remembers what was delivered and always says yes."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, str, bytes, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), Yes)


class Yes(BaseHTTPRequestHandler):
    server: Far

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.command, self.path, body, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def far() -> Iterator[Far]:
    with Far() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(far: Far) -> Iterator[Proxy]:
    with Proxy(f"http://127.0.0.1:{far.server_port}") as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=5) as made:
        yield made


def test_without_a_toxic_the_request_passes_byte_for_byte(far: Far, client: httpx.Client) -> None:
    answer = client.post("/a%2Fb?c=%20d", content=b"x" * 100_000, headers={"X-Signature": "abc"})

    assert answer.content == ANSWER
    ((method, path, body, headers),) = far.got
    assert (method, path, body) == ("POST", "/a%2Fb?c=%20d", b"x" * 100_000)
    assert headers["X-Signature"] == "abc"
    assert headers["Host"] == str(client.base_url.netloc, "ascii")


def test_only_what_matches_is_harmed_and_only_so_often(proxy: Proxy, client: httpx.Client) -> None:
    toxic = proxy.add("refuse", status=503, times=2, skip=1, method="POST", path="^/b")

    statuses = [client.post(path).status_code for path in ("/a", "/b", "/b", "/a", "/b", "/b")]

    assert statuses == [200, 200, 503, 200, 503, 200]
    assert toxic.met == 2
    assert [one.toxic for one in proxy.log] == ["", "", "refuse", "", "refuse", ""]


@pytest.mark.parametrize(
    ("kind", "delivered", "error"),
    [
        ("drop", 1, httpx.RemoteProtocolError),
        ("reset_peer", 0, (httpx.ReadError, httpx.RemoteProtocolError)),  # httpcore may note only the end
        ("reset_late", 1, httpx.ReadError),
        ("timeout", 0, httpx.RemoteProtocolError),
        ("limit_data", 1, httpx.RemoteProtocolError),
    ],
)
def test_an_answer_can_be_lost_before_and_after_the_target_did_its_work(
    far: Far, proxy: Proxy, client: httpx.Client, kind: str, delivered: int, error: Any
) -> None:
    proxy.add(kind, seconds=0.05)

    with pytest.raises(error):
        client.post("/a", content=b"x" * 200_000)
    answer = client.post("/a")

    assert answer.content == ANSWER
    assert len(far.got) == delivered + 1
    assert [one.delivered for one in proxy.log] == [delivered, 1]


def test_a_duplicate_is_delivered_twice(far: Far, proxy: Proxy, client: httpx.Client) -> None:
    proxy.add("duplicate")

    assert client.post("/a", content=b"once").content == ANSWER
    assert [body for _, _, body, _ in far.got] == [b"once", b"once"]


@pytest.mark.parametrize(
    ("kind", "how", "shortest"),
    [
        ("latency", {"seconds": 0.3}, 0.3),
        ("slow_close", {"seconds": 0.3}, 0.3),
        ("slicer", {"seconds": 0.02, "size": 16}, 0.1),
        ("bandwidth", {"seconds": 0.002}, 0.2),
    ],
)
def test_a_slow_line_brings_the_whole_answer_late(
    proxy: Proxy, client: httpx.Client, kind: str, how: dict[str, float], shortest: float
) -> None:
    proxy.add(kind, **how)
    begun = time.monotonic()

    assert client.post("/a").content == ANSWER
    assert time.monotonic() - begun >= shortest


def test_a_cut_body_claims_to_be_whole(proxy: Proxy, client: httpx.Client) -> None:
    proxy.add("cut", size=5)

    assert client.post("/a").content == ANSWER[:5]


def test_a_bomb_is_small_and_unpacks_to_its_size(proxy: Proxy, client: httpx.Client) -> None:
    proxy.add("gzip_bomb", size=3)

    with client.stream("POST", "/a") as answer:
        raw = b"".join(answer.iter_raw())

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(raw) < 10_000
    assert len(gzip.decompress(raw)) == 3 * 1024 * 1024


def test_garbage_redirects_and_rewritten_answers_are_what_the_test_says(
    far: Far, proxy: Proxy, client: httpx.Client
) -> None:
    proxy.add("garbage", body=b"<p>khong</p>", status=502)
    proxy.add("redirect", location="http://127.0.0.1:1/")
    proxy.add("rewrite", edit=lambda body: body.replace(b"true", b"false"))
    proxy.add("bad_gzip", body=b"not packed")

    garbage, redirect, rewritten = (client.post("/a") for _ in range(3))
    with client.stream("POST", "/a") as packed:
        raw = b"".join(packed.iter_raw())

    assert (garbage.status_code, garbage.content, garbage.headers["Content-Type"]) == (
        502,
        b"<p>khong</p>",
        "text/html",
    )
    assert (redirect.status_code, redirect.headers["Location"]) == (307, "http://127.0.0.1:1/")
    assert rewritten.json()["ok"] is False
    assert (packed.headers["Content-Encoding"], raw) == ("gzip", b"not packed")
    assert len(far.got) == 3


def test_a_held_answer_waits_until_it_is_let_go(far: Far, proxy: Proxy, client: httpx.Client) -> None:
    held = proxy.add("hold")
    answers: list[bytes] = []
    asking = Thread(target=lambda: answers.append(client.post("/a").content))
    asking.start()

    assert held.reached()
    assert (len(far.got), answers) == (1, [])
    proxy.calm()
    asking.join(5)
    assert answers == [ANSWER]


def test_a_kind_that_does_not_exist_is_refused(proxy: Proxy) -> None:
    with pytest.raises(ValueError, match="gremlin"):
        proxy.add("gremlin")
    assert {"latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"} <= set(KINDS)


def test_it_stands_before_a_server_from_the_command_line_and_takes_more_on_stdin(far: Far) -> None:
    target = f"http://127.0.0.1:{far.server_port}"
    words = ("--target", target, "--port", "0", "--toxic", "refuse times=1 status=503 method=POST")
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.blackbox.proxy", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = child.stdout.readline().split()[0]
        with httpx.Client(base_url=url, trust_env=False) as client:
            first, second = (client.post("/a").status_code for _ in range(2))
            logged = [child.stdout.readline() for _ in range(2)]
            child.stdin.write("garbage status=418\ngremlin\n")
            child.stdin.flush()
            refused = child.stdout.readline()
            third = client.post("/b").status_code
    finally:
        child.terminate()
        child.communicate(timeout=10)

    assert (first, second, third) == (503, 200, 418)
    assert "POST /a → 503 refuse" in logged[0]
    assert refused.startswith("? gremlin")
