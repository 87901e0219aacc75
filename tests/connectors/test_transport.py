"""The one way to a marketplace: what it refuses to do, what it repeats, and what it never takes for success."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bodies import BODY_BYTES, Unparsed, parse
from connectors.contract import Policy, Rate
from connectors.errors import ConnectorError, Misconfigured, NotSent, OtherShape, Refused, Throttled, Unanswered
from connectors.rate_headers import retry_after
from connectors.transport import READ_ATTEMPTS, WRITE_ATTEMPTS, agreed_rates, open_client
from models.lease import LeaseLost
from tests.connectors.stall import Pieces, RecordingClock, Wire, answer, declared, session
from tests.scenarios.world import HandClock


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


# --- where it may go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example/api",
        "http://127.0.0.1.shop.example/",
        "http://localhost.shop.example/",
        "http://10.0.0.1/",
        "http://127.0.0.1@shop.example/",
        "ftp://127.0.0.1/",
        "//shop.example/",
        "shop.example",
        "",
    ],
)
def test_only_https_leaves_this_machine(address) -> None:
    with pytest.raises(Misconfigured) as refused:
        open_client(address, auth=httpx.Auth(), seconds=20, in_flight=1)

    assert refused.value.field == "base_url"


@pytest.mark.parametrize(
    "address", ["https://shop.example/", "http://127.0.0.1:8800/", "http://localhost/", "http://[::1]:8800/voso"]
)
def test_https_and_this_machine_itself_are_fine(address) -> None:
    with open_client(address, auth=httpx.Auth(), seconds=20, in_flight=1) as client:
        assert str(client.base_url).startswith(address)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_N10_a_redirect_is_never_followed(status, clock) -> None:
    """Httpx would carry custom headers such as an API key to the other host."""
    wire = Wire([lambda: answer(status, b"", {"Location": "https://elsewhere.example/"})])

    with pytest.raises(Misconfigured, match="redirect"):
        session(wire, clock).call("list", "GET", "items")

    assert [str(request.url) for request in wire.requests] == ["https://stall.example/api/items"]


def test_nothing_is_sent_once_the_lease_is_lost(clock) -> None:
    def lost() -> None:
        raise LeaseLost("stall")

    wire = Wire([answer])

    with pytest.raises(LeaseLost):
        session(wire, clock, before_send=lost).call("list", "GET", "items")

    assert wire.requests == []


def test_answers_are_asked_for_uncompressed_and_by_our_name(clock) -> None:
    wire = Wire([answer])

    session(wire, clock).call("list", "GET", "items")

    headers = wire.requests[0].headers
    assert (headers["Accept-Encoding"], headers["User-Agent"]) == ("identity", "caybeo")


def test_json_leaves_as_utf8_and_says_so(clock) -> None:
    wire = Wire([answer])

    session(wire, clock).call("put", "PUT", "items/T%C3%B4m%2F1", json={"name": "Tôm khô"}, headers={"X-Key": "1"})

    sent = wire.requests[0]
    assert sent.content == '{"name":"Tôm khô"}'.encode()
    assert (sent.headers["Content-Type"], sent.headers["X-Key"]) == ("application/json", "1")
    assert sent.url.raw_path == b"/api/items/T%C3%B4m%2F1"


# --- what it takes for an answer --------------------------------------------------------------------------------------


def test_a_good_answer_is_parsed(clock) -> None:
    wire = Wire([lambda: answer(200, b'{"id": 7}', {"X-Left": "3"})])
    account = session(wire, clock)

    reply = account.call("list", "GET", "items")

    assert (reply.status, reply.data, reply.headers["x-left"]) == (200, {"id": 7}, "3")
    assert account.requests == 1


RUBBISH = {
    "html": b"<!doctype html><html><body>Welcome</body></html>",
    "nan": b'{"price": NaN}',
    "infinity": b'{"price": -Infinity}',
    "deep": b"[" * 100_000,
    "deep-and-closed": b"[" * 100_000 + b"]" * 100_000,
    "cut": b'{"id": 7, "name": "T',
    "invalid-utf8": b'{"name": "\xff\xfe"}',
    "two-documents": b"{}{}",
    "gzip-nobody-asked-for": gzip.compress(b'{"id": 7}'),
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "blank": b"   ",
}


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH)
def test_N11_a_write_answered_with_rubbish_is_a_doubt(body, clock) -> None:
    """Never a success, never a crash, and never sent again."""
    wire = Wire([lambda: answer(200, body)])

    with pytest.raises(Unanswered):
        session(wire, clock).call("create", "POST", "items", json={})

    assert len(wire.requests) == 1


@pytest.mark.parametrize("body", RUBBISH.values(), ids=RUBBISH)
def test_N11_a_read_answered_with_rubbish_is_asked_again(body, clock) -> None:
    wire = Wire([lambda: answer(200, body), lambda: answer(200, b'{"id": 7}')])

    assert session(wire, clock).call("list", "GET", "items").data == {"id": 7}


def test_an_empty_body_is_nothing_and_not_an_empty_document() -> None:
    """Whether nothing is an answer only the connector's classify can tell."""
    assert parse(b"") is None
    assert parse(b"{}") == {}


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789.-eE trufalsn\\').map(str.encode))
def test_any_body_is_read_as_what_it_says_or_not_at_all(body) -> None:
    found = parse(body)

    assert isinstance(found, Unparsed) or found == (json.loads(body) if body else None)


def test_N09_a_body_without_end_is_given_up_after_ten_megabytes(clock) -> None:
    piece = b"0" * 65_536
    body = Pieces(piece for _ in range(10_000))
    wire = Wire([lambda: httpx.Response(200, stream=body)])

    with pytest.raises(Unanswered, match="body-too-large"):
        session(wire, clock).call("create", "POST", "items", json={})

    assert body.taken == BODY_BYTES // len(piece) + 1


def test_the_largest_body_allowed_is_read(clock) -> None:
    text = b'"' + b"0" * (BODY_BYTES - 2) + b'"'
    wire = Wire([lambda: answer(200, text)])

    assert len(session(wire, clock).call("list", "GET", "items").data) == BODY_BYTES - 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_M02_a_server_error_after_a_write_is_a_doubt(status, clock) -> None:
    """It may have been applied before it failed."""
    wire = Wire([lambda: answer(status, b'{"error": "x"}')])

    with pytest.raises(Unanswered, match=f"HTTP {status}"):
        session(wire, clock).call("create", "POST", "items", json={})

    assert len(wire.requests) == 1


def test_what_classify_says_is_raised_and_not_repeated(clock) -> None:
    wire = Wire([lambda: answer(422, b'{"error": "name"}')])

    with pytest.raises(Refused, match="422"):
        session(wire, clock).call("list", "GET", "items")

    assert len(wire.requests) == 1


# --- what it repeats --------------------------------------------------------------------------------------------------

NEVER_SENT = [httpx.ConnectError("no route"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy")]
NEVER_ANSWERED = [
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.RemoteProtocolError("closed"),
    OSError("broken pipe"),
]


def _call(wire: Wire, clock: HandClock, method: str, repeatable: bool | None) -> None:
    session(wire, clock).call("any", method, "items", repeatable=repeatable)


@pytest.mark.parametrize(
    ("method", "repeatable", "attempts"),
    [
        ("GET", None, READ_ATTEMPTS),
        ("GET", False, 1),
        ("POST", None, 1),
        ("POST", True, WRITE_ATTEMPTS),
        ("PUT", None, 1),
    ],
)
@pytest.mark.parametrize("error", NEVER_ANSWERED, ids=lambda e: type(e).__name__)
def test_N05_without_an_answer_only_what_does_no_harm_is_repeated(method, repeatable, attempts, error, clock) -> None:
    wire = Wire([error])

    with pytest.raises(Unanswered):
        _call(wire, clock, method, repeatable)

    assert len(wire.requests) == attempts


@pytest.mark.parametrize(
    ("method", "repeatable", "attempts"),
    [("GET", None, READ_ATTEMPTS), ("POST", None, WRITE_ATTEMPTS), ("POST", True, WRITE_ATTEMPTS)],
)
@pytest.mark.parametrize("error", NEVER_SENT, ids=lambda e: type(e).__name__)
def test_N02_what_never_left_is_always_repeated(method, repeatable, attempts, error, clock) -> None:
    wire = Wire([error])

    with pytest.raises(NotSent):
        _call(wire, clock, method, repeatable)

    assert len(wire.requests) == attempts


@pytest.mark.parametrize(("method", "attempts"), [("GET", READ_ATTEMPTS), ("POST", WRITE_ATTEMPTS)])
def test_what_was_refused_for_now_is_repeated(method, attempts, clock) -> None:
    wire = Wire([lambda: answer(429, b"{}")])

    with pytest.raises(Throttled):
        _call(wire, clock, method, None)

    assert len(wire.requests) == attempts


def test_the_documented_numbers_of_attempts() -> None:
    assert (READ_ATTEMPTS, WRITE_ATTEMPTS) == (5, 3)


def test_a_call_that_comes_through_at_last_is_a_success(clock) -> None:
    wire = Wire([httpx.ConnectError("no route"), lambda: answer(429, b""), lambda: answer(200, b"[1]")])

    assert session(wire, clock).call("create", "POST", "items", json={}).data == [1]


def test_N03_a_bad_certificate_ends_at_once(clock) -> None:
    """Nothing is repeated and nothing is downgraded."""
    wire = Wire([httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")])

    with pytest.raises(Misconfigured, match="certificate"):
        session(wire, clock).call("list", "GET", "items")

    assert len(wire.requests) == 1


def test_an_error_tells_nothing_of_address_headers_or_body(clock) -> None:
    """X01, X02: what is raised ends in logs, reports and Prefect."""
    wire = Wire([httpx.ReadTimeout("https://stall.example/?token=canary-7f3a")])

    with pytest.raises(ConnectorError) as raised:
        session(wire, clock).call("create", "POST", "items?token=canary-7f3a", headers={"X-Token": "canary-7f3a"})

    error = raised.value
    assert "canary" not in f"{error!r} {error} {error.words} {error.__cause__!r}"
    assert error.__suppress_context__


# --- how long it waits ------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_the_back_off_is_full_jitter_within_its_bounds(seed) -> None:
    clock = RecordingClock()

    with pytest.raises(Unanswered):
        session(Wire([httpx.ReadTimeout("slow")]), clock, seed=seed).call("list", "GET", "items")

    assert len(clock.waits) == READ_ATTEMPTS - 1
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(clock.waits))


def test_the_back_off_is_drawn_from_the_given_dice() -> None:
    drawn = []
    for seed in (1, 1, 2):
        clock = RecordingClock()
        with pytest.raises(Unanswered):
            session(Wire([httpx.ReadTimeout("slow")]), clock, seed=seed).call("list", "GET", "items")
        drawn.append(clock.waits)

    assert drawn[0] == drawn[1] != drawn[2]


def test_the_back_off_spreads_over_its_whole_range() -> None:
    """Jitter that never came near zero or the bound would bring all accounts back at once."""
    first = []
    for seed in range(200):
        clock = RecordingClock()
        with pytest.raises(Unanswered):
            session(Wire([httpx.ReadTimeout("slow")]), clock, seed=seed).call("x", "POST", "items", repeatable=True)
        first.append(clock.waits[0])

    assert min(first) < 0.05
    assert max(first) > 0.45


@pytest.mark.parametrize("after", ["7", "0"])
def test_what_the_marketplace_asks_for_is_the_least_wait(after, clock) -> None:
    wire = Wire([lambda: answer(429, b"", {"Retry-After": after}), answer])

    session(wire, clock).call("create", "POST", "items", json={})

    assert int(after) <= sum(clock.waits) <= max(1.0, int(after))


def test_a_wait_longer_than_two_minutes_is_left_to_the_next_run(clock) -> None:
    wire = Wire([lambda: answer(429, b"", {"Retry-After": "180"}), answer])

    with pytest.raises(Throttled) as raised:
        session(wire, clock).call("create", "POST", "items", json={})

    assert raised.value.retry_after == 180
    assert clock.waits == []


def test_M01_a_marketplace_that_asks_for_a_day_ends_the_call_instead() -> None:
    """A wait beyond the run's own patience leaves the rows planned and ends cleanly."""
    clock = RecordingClock()
    account = session(
        Wire([lambda: answer(429, b"", {"Retry-After": "86400"})]),
        clock,
        connector=declared(Rate(permits=10, seconds=1.0)),
    )

    with pytest.raises(Throttled):
        account.call("create", "POST", "items", json={})

    assert clock.ticks < 3600


def _headers(clock: HandClock, **later: float) -> dict[str, str]:
    return {"Retry-After": format_datetime(clock.now() + timedelta(**later), usegmt=True)}


@pytest.mark.parametrize(
    ("value", "seconds"), [("120", 120.0), ("0", 0.0), (" 30 ", 30.0), ("1.5", 1.5), ("999999", 999_999.0)], ids=str
)
def test_M01_retry_after_in_seconds(value, seconds, clock) -> None:
    assert retry_after({"Retry-After": value}, clock) == seconds


@pytest.mark.parametrize(("later", "seconds"), [(90, 90.0), (0, 0.0), (-3600, 0.0)])
def test_M01_retry_after_as_a_date_and_a_past_one_means_now(later, seconds, clock) -> None:
    assert retry_after(_headers(clock, seconds=later), clock) == seconds


def test_retry_after_as_a_date_without_zone_is_utc(clock) -> None:
    assert retry_after({"Retry-After": "Mon, 23 Nov 2026 02:01:00"}, clock) == 60.0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-5",
        "1.",
        "1e3",
        "١٢",
        "²",
        "NaN",
        "Thu, 99 Foo 2026 00:00:00 GMT",
        "Mon",
        "0x10",
        ";",
        "\x00",
        "9" * 5000,
    ],
)
def test_M01_rubbish_in_retry_after_says_nothing(value, clock) -> None:
    assert retry_after({"Retry-After": value}, clock) is None


@given(st.text(max_size=40))
def test_no_retry_after_breaks_the_reader(value) -> None:
    found = retry_after({"Retry-After": value}, HandClock())

    assert found is None or found >= 0


def test_a_missing_retry_after_says_nothing(clock) -> None:
    assert retry_after({}, clock) is None


# --- how much it sends ------------------------------------------------------------------------------------------------


def test_calls_keep_inside_the_declared_rate(clock) -> None:
    account = session(Wire([answer]), clock, connector=declared(Rate(permits=1, seconds=0.5)))

    for _ in range(21):
        account.call("list", "GET", "items")

    assert clock.ticks >= 10.0


def test_a_rate_granted_to_the_account_replaces_the_declared_one() -> None:
    connector = declared(Rate(permits=2, seconds=1.0))

    assert agreed_rates(connector, Policy()) == connector.limits.rates
    assert agreed_rates(connector, Policy(requests_per_minute=90)) == (Rate(permits=90, seconds=60),)


def test_a_refusal_for_now_holds_the_calls_that_follow(clock) -> None:
    wire = Wire([lambda: answer(429, b"", {"Retry-After": "30"}), answer])
    account = session(wire, clock, connector=declared(Rate(permits=100, seconds=1.0)))
    begun = clock.ticks

    account.call("create", "POST", "items", json={})

    assert clock.ticks - begun >= 30
    assert account.throttle.throttled == 1


def test_threads_share_one_account(clock) -> None:
    wire = Wire([answer])
    account = session(wire, clock)
    threads = [threading.Thread(target=_many, args=(lambda: account.call("list", "GET", "items"),)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(wire.requests) == 40


def _many(call: Callable[[], object]) -> None:
    for _ in range(10):
        call()


def test_M17_of_an_answer_that_is_no_json_only_status_and_length_are_kept(clock) -> None:
    """A page of a proxy may hold anything."""
    page = b"<html>0912345678</html>"
    one = session(Wire([lambda: answer(200, page)]), clock)

    with pytest.raises(OtherShape):
        one.call("create", "POST", "items", json={})

    (met,) = one.oddities.take()
    assert (met.operation, met.kind, met.name) == ("create", "shape", "not-json")
    assert met.sample == {"status": 200, "body": f"<text of {len(page)}>"}
