"""The simulated marketplaces over real HTTP: what goes over a socket arrives byte for byte, or visibly not at all."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5, sha256
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.errors import Misconfigured, NotSent, Unanswered
from connectors.registry import connector
from connectors.server import application
from connectors.simulator import Fault, Sandbox
from connectors.transport import Session
from connectors.window import Pictures, page
from models.clock import Clock, SystemClock
from tests.connectors.stall import Stall, declared, session
from tests.scenarios.world import HandClock

READY_SECONDS = 20


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(Stall)


@pytest.fixture(autouse=True)
def emptied(sandbox) -> None:
    sandbox.reset()


@pytest.fixture(scope="module")
def address(sandbox) -> Iterator[str]:
    with serving({"stall": sandbox, "voso": Sandbox(connector("voso").simulator_class())}) as url:
        yield url


@pytest.fixture
def join() -> Iterator[Callable[..., Session]]:
    """Opens sessions over real sockets, and closes them at the end."""
    opened: list[Session] = []

    def open_one(base_url: str, clock: Clock | None = None, **more: object) -> Session:
        opened.append(session(None, clock or HandClock(), base_url=base_url, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@contextmanager
def serving(sandboxes: dict[str, Sandbox], media: Path | None = None, **options: object) -> Iterator[str]:
    """The server in a thread, on a port nobody else has."""
    config = uvicorn.Config(
        application(sandboxes, media), log_level="critical", lifespan="off", ws="none", timeout_keep_alive=1, **options
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        latest = time.monotonic() + READY_SECONDS
        while not server.started:
            assert time.monotonic() < latest, "the server did not start"
            time.sleep(0.01)
        yield f"http{'s' if options else ''}://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(READY_SECONDS)


def test_a_marketplace_answers_under_its_name(address, sandbox, join) -> None:
    account = join(f"{address}/stall")

    reply = account.call("put", "PUT", "items/a", content=b"one")

    assert (reply.status, reply.data) == (201, {"number": 1})
    assert [one["key"] for one in sandbox.show()["listings"]] == ["items/a"]


@pytest.mark.parametrize("raw", ["a%2Fb", "T%C3%B4m%20kh%C3%B4%3F", "100%25", "a%2fb", "a+b&c", "%E2%80%A6"])
def test_paths_arrive_byte_for_byte(address, raw, join) -> None:
    """A signature covers the path as it was sent: %2F is not /, and %2f is not %2F."""
    account = join(f"{address}/stall")

    seen = account.call("get", "GET", f"items/{raw}", params={"q": "x y"}).data

    assert seen["raw_path"] == f"/stall/items/{raw}?q=x+y"


def test_a_lost_answer_breaks_the_connection(address, sandbox) -> None:
    sandbox.fault(Fault(times=1, drop=True))

    with pytest.raises(httpx.RemoteProtocolError), httpx.Client(trust_env=False) as client:
        client.put(f"{address}/stall/a", content=b"one")

    assert len(sandbox.show()["listings"]) == 1


def test_N06_a_lost_answer_is_a_doubt_that_is_not_sent_again(address, sandbox, join) -> None:
    """Applied there, unknown here."""
    account = join(f"{address}/stall")
    sandbox.fault(Fault(times=5, drop=True))

    with pytest.raises(Unanswered):
        account.call("create", "POST", "a", content=b"one")

    assert sandbox.show()["requests"]["write"] == 1


def test_the_next_request_after_a_lost_answer_is_served(address, sandbox, join) -> None:
    account = join(f"{address}/stall")
    sandbox.fault(Fault(times=2, drop=True))

    assert account.call("list", "GET", "x").status == 200
    assert account.requests == 3


def test_a_refused_request_is_not_applied(address, sandbox, join) -> None:
    account = join(f"{address}/stall")
    sandbox.fault(Fault(times=9))

    with pytest.raises(Unanswered):
        account.call("create", "POST", "a", content=b"one")

    assert sandbox.show()["listings"] == []


@pytest.mark.parametrize("status", [500, 503, 404])
def test_a_status_fault_reaches_the_caller(address, sandbox, status) -> None:
    sandbox.fault(Fault(times=1, status=status))

    with httpx.Client(trust_env=False) as client:
        assert client.put(f"{address}/stall/a", content=b"one").status_code == status


def test_an_answer_later_than_the_deadline_is_a_doubt(address, sandbox, join) -> None:
    account = join(f"{address}/stall", connector=declared(seconds=0.2))
    sandbox.fault(Fault(times=1, seconds=0.6))

    with pytest.raises(Unanswered, match="ReadTimeout"):
        account.call("create", "POST", "a", content=b"one")

    assert len(sandbox.show()["listings"]) == 1


def test_N02_where_nobody_listens_nothing_was_sent(join) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    account = join(f"http://127.0.0.1:{port}")

    with pytest.raises(NotSent):
        account.call("create", "POST", "a", content=b"one")


def test_N13_a_proxy_of_the_environment_is_ignored(address, monkeypatch, join) -> None:
    """It would see every token."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    account = join(f"{address}/stall")

    assert account.call("list", "GET", "x").status == 200


def test_a_password_file_of_the_environment_is_ignored(address, sandbox, monkeypatch, tmp_path: Path, join) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[httpx.Request] = []
    monkeypatch.setattr(sandbox, "handle", lambda request: seen.append(request) or httpx.Response(200))
    account = join(f"{address}/stall")

    account.call("list", "GET", "x")

    assert "authorization" not in seen[0].headers


@pytest.mark.parametrize("vouching", ["nobody", "the environment"])
def test_N03_a_certificate_no_authority_vouches_for_is_refused(tmp_path: Path, join, monkeypatch, vouching) -> None:
    """Over real TLS; neither can verification be switched off, nor a stranger be named an authority."""
    certificate, key = _self_signed(tmp_path)
    if vouching == "the environment":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serving({"stall": Sandbox(Stall)}, ssl_certfile=str(certificate), ssl_keyfile=str(key)) as address:
        account = join(f"{address}/stall")
        with pytest.raises(Misconfigured, match="certificate"):
            account.call("list", "GET", "x")
        assert account.requests == 1


def test_a_real_connector_signs_in_over_http(address, join) -> None:
    found = connector("voso")
    credentials = found.credentials(**found.simulator_class().credentials)
    signed = join(f"{address}/voso", clock=SystemClock(), connector=found, credentials=credentials)

    assert found.client(signed).check()


# --- the shop window --------------------------------------------------------------------------------------------------


def test_the_window_shows_what_is_on_sale(address, sandbox) -> None:
    with httpx.Client(trust_env=False, base_url=address) as client:
        client.put("/stall/TK1", content="Tôm khô Rạch Gốc".encode())
        page = client.get("/")

    assert page.headers["Content-Type"].startswith("text/html")
    assert all(word in page.text for word in ("Tôm khô Rạch Gốc", "TK1", "1.000 ₫", "đang bán", "1 tin đang bán"))


def test_the_window_says_that_nothing_in_it_is_real(address) -> None:
    with httpx.Client(trust_env=False) as client:
        assert "không phải sàn thật" in client.get(address).text


def test_the_window_runs_no_script_of_a_listing(sandbox) -> None:
    """D17: a title is data, also where a marketplace let it through."""
    attack = '<script>alert("x")</script>&<img src=x onerror=alert(1)>'
    sandbox.handle(httpx.Request("PUT", "https://sandbox.invalid/stall/%3Cb%3E%22k", content=attack.encode()))

    shown = page({"stall": sandbox}, Pictures(None))

    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&lt;img" in shown


def test_the_window_shows_a_picture_by_either_of_its_names(tmp_path: Path) -> None:
    """Some marketplaces keep our name of a picture, others name their copy by its MD5."""
    data = b"a picture"
    ours, theirs = sha256(data).hexdigest(), md5(data, usedforsecurity=False).hexdigest()
    pictures = Pictures(tmp_path)
    pictures.look()
    (tmp_path / f"{ours}.png").write_bytes(data)

    assert pictures.first({"images": [ours]}) == ""
    pictures.look()
    for name in (ours, theirs):
        assert pictures.first({"images": ["e" * 64, f"https://cdn.example/H{name}.jpg"]}) == name
        assert pictures.file(name) == tmp_path / f"{ours}.png"


def test_a_picture_is_served_and_nothing_else_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    name = sha256(b"a picture").hexdigest()
    (tmp_path / f"{name}.png").write_bytes(b"a picture")

    with serving({"stall": Sandbox(Stall)}, media=tmp_path) as address, httpx.Client(trust_env=False) as client:
        assert client.get(address).status_code == 200
        assert client.get(f"{address}/pictures/{name}").content == b"a picture"
        for other in ("secret", f"{name}.png", "..%2Fsecret.txt", "f" * 64):
            assert client.get(f"{address}/pictures/{other}").status_code == 404


def test_an_unknown_address_is_not_found(address) -> None:
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{address}/nowhere/x").status_code == 404


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(pem))
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return certificate, secret
