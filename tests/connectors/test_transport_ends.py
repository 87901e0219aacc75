"""When a session stops: no time left, nothing to spend, nobody who lets us in, an address of somebody else."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from connectors.contract import Connector, Limits, Rate
from connectors.errors import (
    AuthorisationFailed,
    ClockSkew,
    ConnectorError,
    Misconfigured,
    NotSent,
    OutOfTime,
    Refused,
    Throttled,
    Unanswered,
)
from connectors.gate import open_client
from connectors.registry import connector as connector_of
from connectors.simulator import Sandbox, SandboxTransport
from connectors.transport import BUDGET, RETRY_COSTS, TIMEOUT_COSTS, WRITE_ATTEMPTS
from models.faultpoint import on_visit
from tests.connectors.stall import NoMedia, Pieces, RecordingClock, Token, Wire, answer, declared, session
from tests.scenarios.world import HandClock


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


def create(account: Any, **more: Any) -> Any:
    return account.call("create", "POST", "items", json={}, **more).data


# --- a request's time -------------------------------------------------------------------------------------------------


def test_N07_an_answer_that_comes_in_pieces_has_one_deadline(clock) -> None:
    """Twenty seconds for all of it, not for each piece."""

    def dripping():
        for _ in range(100):
            clock.advance(seconds=5)
            yield b" "

    body = Pieces(dripping())
    wire = Wire([lambda: httpx.Response(200, stream=body)])

    with pytest.raises(Unanswered, match="deadline"):
        create(session(wire, clock))

    assert body.taken == 4


def test_N07_an_answer_after_the_deadline_is_none(clock) -> None:
    def late() -> httpx.Response:
        clock.advance(seconds=21)
        return answer()

    with pytest.raises(Unanswered, match="deadline"):
        create(session(Wire([late]), clock))


def test_P16_a_request_that_slept_past_its_own_deadline_does_not_leave(clock) -> None:
    """The permit was for a moment that is over; a fresh attempt gets a fresh one."""
    wire, sleeps = Wire([answer]), iter([60.0])

    def sleep(point: str) -> None:
        if point == "request.leaving":
            clock.advance(seconds=next(sleeps, 0.0))

    on_visit(sleep)
    try:
        assert create(session(wire, clock)) == {}
    finally:
        on_visit(None)

    assert len(wire.requests) == 1
    assert clock.ticks > 60


# --- a run's time -----------------------------------------------------------------------------------------------------


def test_nothing_begins_that_could_not_end_within_the_run(clock) -> None:
    wire = Wire([answer])
    account = session(wire, clock, ends=100.0)
    create(account)
    clock.advance(seconds=81)

    with pytest.raises(OutOfTime):
        create(account)

    assert len(wire.requests) == 1
    assert clock.waits == []


def test_no_retry_begins_that_could_not_end_within_the_run(clock) -> None:
    wire = Wire([httpx.ConnectError("refused")])

    with pytest.raises(NotSent, match="ConnectError"):
        create(session(wire, clock, ends=20.0))

    assert (len(wire.requests), clock.waits) == (1, [])


def test_M01_a_wait_that_lasts_longer_than_the_run_is_not_begun(clock) -> None:
    wire = Wire([lambda: answer(429, b"", {"Retry-After": "90"})])

    with pytest.raises(Throttled):
        create(session(wire, clock, ends=100.0))

    assert (len(wire.requests), clock.ticks) == (1, 0)


def test_a_wait_for_a_permit_ends_with_the_run(clock) -> None:
    account = session(Wire([answer]), clock, connector=declared(Rate(permits=1, seconds=60.0)), ends=50.0)
    create(account)

    with pytest.raises(OutOfTime):
        create(account)

    assert clock.ticks <= 35


def test_P16_the_last_look_comes_after_the_wait_for_a_permit(clock) -> None:
    """What was true before a minute of waiting is not true after it."""
    seen: list[float] = []
    account = session(
        Wire([answer]),
        clock,
        connector=declared(Rate(permits=1, seconds=60.0)),
        before_send=lambda: seen.append(clock.ticks),
    )

    create(account)
    create(account)

    assert seen[-1] == clock.ticks >= 60


# --- what the marketplace reports of its limits -----------------------------------------------------------------------


def test_M19_an_answer_that_empties_the_quota_holds_the_next_call(clock) -> None:
    told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}
    wire = Wire([lambda: answer(200, b"{}", told), answer])
    account = session(wire, clock, connector=declared(Rate(permits=100, seconds=1.0)))
    create(account)
    assert clock.ticks == 0

    create(account)

    assert 40 <= clock.ticks <= 41


def test_M01_a_login_that_is_refused_for_now_holds_the_calls_too(clock) -> None:
    wire = Wire([lambda: answer(429, b"{}", {"Retry-After": "30"}), answer])
    account = session(wire, clock, connector=strict(auth=lambda credentials, clock: Patient(), limits=hundred()))

    create(account)

    assert clock.ticks >= 30
    assert account.throttle.throttled == 1


def hundred() -> Limits:
    return replace(declared().limits, rates=(Rate(permits=100, seconds=1.0),))


class Patient(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield httpx.Request("POST", request.url.copy_with(raw_path=b"/api/login"))
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Throttled("429", retry_after=1.0)
        yield request


# --- what it spends on retries ----------------------------------------------------------------------------------------


def test_the_documented_prices_of_a_retry() -> None:
    assert (BUDGET, RETRY_COSTS, TIMEOUT_COSTS) == (100, 5, 10)


@pytest.mark.parametrize(
    ("fault", "retries"), [(lambda: answer(503), 20), (httpx.ReadTimeout("slow"), 10)], ids=["error", "time-out"]
)
def test_N15_retries_end_when_their_budget_does(fault, retries) -> None:
    """Between failures lie enough successes for the breaker to stay closed; each gives one token back."""
    clock, count = RecordingClock(), 0

    class Far(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal count
            if request.url.path.endswith("good"):
                return answer()
            count += 1
            if isinstance(fault, Exception):
                raise fault
            return fault()

    account = session(Far(), clock)
    for _ in range(30):
        with pytest.raises(Unanswered):
            account.call("x", "POST", "bad", repeatable=True)
        for _ in range(4):
            account.call("x", "POST", "good")

    earned = 120 // (RETRY_COSTS if retries == 20 else TIMEOUT_COSTS)
    assert 30 + retries <= count <= 30 + retries + earned


def test_a_session_with_budget_retries_as_documented(clock) -> None:
    wire = Wire([httpx.ConnectError("refused")])

    with pytest.raises(NotSent):
        create(session(wire, clock))

    assert len(wire.requests) == WRITE_ATTEMPTS


# --- a doubt stays one ------------------------------------------------------------------------------------------------

LATER = {
    "never-left": httpx.ConnectError("refused"),
    "throttled": lambda: answer(429, b"", {"Retry-After": "999999"}),
    "refused": lambda: answer(422, b"{}"),
    "unauthorised": lambda: answer(401, b"{}"),
    "redirected": lambda: answer(302, b""),
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_N06_what_a_first_attempt_left_in_doubt_no_later_one_makes_certain(later, clock) -> None:
    """The first may have been carried out; that the second was not sent, or refused, says nothing about it."""
    wire = Wire([httpx.ReadTimeout("slow"), later])

    with pytest.raises(Unanswered, match="ReadTimeout"):
        create(session(wire, clock, connector=strict()), repeatable=True)

    assert len(wire.requests) >= 2


def test_M02_a_later_attempt_that_succeeds_settles_the_doubt(clock) -> None:
    assert create(session(Wire([lambda: answer(503), answer]), clock), repeatable=True) == {}


def strict(**changes: Any) -> Connector:
    """401 and 403 mean that nobody lets us in."""

    def classify(response: httpx.Response, data: Any) -> Exception | None:
        if response.status_code in (401, 403):
            return AuthorisationFailed(f"HTTP {response.status_code}")
        return Refused(str(response.status_code)) if response.is_client_error else None

    return replace(declared(), classify=classify, **changes)


# --- M12: nobody lets us in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_M12_a_refused_login_is_not_repeated_and_ends_the_session(status, clock) -> None:
    wire = Wire([lambda: answer(status, b"{}")])
    account = session(wire, clock, connector=strict())

    for method in ("GET", "POST", "GET"):
        with pytest.raises(AuthorisationFailed, match=f"HTTP {status}"):
            account.call("any", method, "items")

    assert len(wire.requests) == 1


def test_M12_threads_that_wait_to_log_in_do_not_all_try(clock) -> None:
    """Eight wrong passwords in a second lock an account for good."""
    wire = Wire([lambda: answer(401, b"{}")])
    account = session(wire, clock, connector=strict(auth=lambda credentials, clock: LogsIn()))
    errors: list[type] = []

    def one() -> None:
        with pytest.raises(ConnectorError) as raised:
            create(account)
        errors.append(type(raised.value))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == [AuthorisationFailed] * 8
    assert len(wire.requests) == 1


class LogsIn(httpx.Auth):
    """Asks for a token first; one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        with self._lock:
            response = yield httpx.Request("POST", request.url.copy_with(raw_path=b"/api/login"))
            if response.status_code != httpx.codes.OK:
                raise AuthorisationFailed(f"HTTP {response.status_code}")
        yield request


REVOKED = {"madeincamau": "/oauth/token", "voso": "/v2/user/Login", "postmart": "/account"}


@pytest.mark.parametrize("name", REVOKED)
def test_M12_every_connector_stops_at_revoked_credentials(name, clock) -> None:
    found = connector_of(name)
    sandbox = Sandbox(found.simulator_class(), clock=clock)
    credentials = found.credentials(**dict.fromkeys(sandbox.marketplace.credentials, "khac"))
    account = session(
        SandboxTransport(sandbox),
        clock,
        connector=found,
        base_url=f"https://sandbox.invalid/{name}",
        credentials=credentials,
    )

    for _ in range(3):
        with pytest.raises(AuthorisationFailed):
            found.client(account).check()

    paths = [entry["path"] for entry in sandbox.log()]
    assert len(paths) == 1
    assert paths[0].endswith(REVOKED[name])
    sandbox.state.close()


@pytest.mark.parametrize(("name", "requests"), [("madeincamau", 4), ("voso", 6)])
def test_M12_a_token_that_is_refused_again_and_again_is_renewed_once(name, requests, clock) -> None:
    """The login works, and what it gives does not: two logins, two refusals, the end."""
    found = connector_of(name)
    sandbox = Sandbox(found.simulator_class(), clock=clock)
    sandbox_wire = SandboxTransport(sandbox)

    class Forgets(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = sandbox_wire.handle_request(request)
            for key, _ in sandbox.state.items("token"):
                if not request.url.path.endswith("Login"):  # voso's first step of two
                    sandbox.state.delete("token", key)
            return response

    account = session(
        Forgets(),
        clock,
        connector=found,
        base_url=f"https://sandbox.invalid/{name}",
        credentials=found.credentials(**sandbox.marketplace.credentials),
    )

    with pytest.raises(AuthorisationFailed):
        found.client(account).check()

    assert len(sandbox.log()) == requests
    sandbox.state.close()


# --- M25: a clock that is wrong ---------------------------------------------------------------------------------------


class Skewed(httpx.BaseTransport):
    """A marketplace whose time is another one, and that says so, or not."""

    def __init__(self, sandbox: Sandbox, clock: HandClock, *, tells: bool) -> None:
        self._far, self._clock, self._tells = SandboxTransport(sandbox), clock, tells
        self.statuses: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._far.handle_request(request)
        self.statuses.append(response.status_code)
        if self._tells:
            response.headers["Date"] = format_datetime(self._clock.now(), usegmt=True)
        return response


def signed(clock: HandClock, ahead: timedelta, *, tells: bool) -> tuple[Any, Skewed]:
    """A client of the marketplace that signs with the time, and the line to it."""
    found, theirs = connector_of("postmart"), HandClock(clock.now() + ahead)
    sandbox = Sandbox(found.simulator_class(), clock=theirs)
    wire = Skewed(sandbox, theirs, tells=tells)
    account = session(
        wire,
        clock,
        connector=found,
        base_url="https://sandbox.invalid/postmart",
        credentials=found.credentials(**sandbox.marketplace.credentials),
    )
    return found.client(account), wire


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=-7)], ids=str)
def test_M25_a_wrong_clock_is_put_right_by_the_marketplace_once(ahead, clock) -> None:
    client, wire = signed(clock, ahead, tells=True)

    client.check()
    client.check()

    assert wire.statuses == [401, 200, 200]


def test_M25_where_it_does_not_say_the_time_the_clock_is_named(clock) -> None:
    client, wire = signed(clock, timedelta(minutes=10), tells=False)

    with pytest.raises(ClockSkew) as raised:
        client.check()

    assert "Đồng hồ" in raised.value.message.vi
    assert wire.statuses == [401]


def test_M25_a_correction_that_does_not_help_ends_after_one_more_try(clock) -> None:
    client, wire = signed(clock, timedelta(minutes=10), tells=True)
    wire._clock = HandClock(clock.now() - timedelta(days=1))

    with pytest.raises(Misconfigured):
        client.check()

    assert wire.statuses == [401, 401]


# --- where it may go --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.example/items?token=canary-7f3a",
        "https://stall.example.elsewhere.example/items",
        "https://stall.example@elsewhere.example/items",
        "https://stall.example:8443/items",
    ],
)
def test_N10_nothing_goes_to_a_host_the_connector_does_not_name(path, clock) -> None:
    wire = Wire([answer])

    with pytest.raises(Misconfigured, match="foreign-host") as refused:
        session(wire, clock).call("list", "GET", path)

    assert wire.requests == []
    assert "canary" not in str(refused.value)


def test_N10_nothing_falls_back_to_plain_http(clock) -> None:
    wire = Wire([answer])

    with pytest.raises(Misconfigured, match="insecure-address"):
        session(wire, clock).call("list", "GET", "http://stall.example/api/items")

    assert wire.requests == []


def test_hosts_the_connector_names_are_its_own_too(clock) -> None:
    wire = Wire([answer])
    account = session(wire, clock, connector=replace(declared(), hosts=("media.stall.example",)))

    account.call("list", "GET", "https://media.stall.example/items")

    assert str(wire.requests[0].url) == "https://media.stall.example/items"


def test_a_request_for_a_token_is_bound_to_the_same_hosts(clock) -> None:
    class Astray(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            yield httpx.Request("POST", "https://elsewhere.example/token", data={"secret": "canary"})
            yield request

    wire = Wire([answer])

    with pytest.raises(Misconfigured, match="foreign-host"):
        create(session(wire, clock, connector=strict(auth=lambda credentials, clock: Astray())))

    assert wire.requests == []


def test_a_request_for_a_token_has_a_deadline_and_a_size_of_its_own(clock) -> None:
    """An auth flow reads answers by itself; it gets them as bounded as everybody."""

    class Reads(httpx.Auth):
        requires_response_body = True

        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            yield httpx.Request("POST", request.url.copy_with(raw_path=b"/api/token"))
            yield request

    body = Pieces(b"0" * 65_536 for _ in range(10_000))
    wire = Wire([lambda: httpx.Response(200, stream=body)])

    with pytest.raises(Unanswered, match="body-too-large"):
        create(session(wire, clock, connector=strict(auth=lambda credentials, clock: Reads())))

    assert wire.requests[0].extensions["timeout"] == {"connect": 10.0, "read": 20.0, "write": 20.0, "pool": 20.0}


@pytest.mark.parametrize("address", ["https://[::1/", "https://" + "x" * 70 + ".example/", "https://a..b/"])
def test_an_address_that_is_none_is_refused_at_once(address) -> None:
    with pytest.raises(Misconfigured):
        open_client(address, auth=httpx.Auth(), seconds=20, in_flight=1)


def test_the_fault_points_of_a_request_come_in_their_order(clock) -> None:
    points: list[str] = []
    account = session(Wire([answer]), clock, before_send=lambda: points.append("last look"))
    on_visit(points.append)
    try:
        create(account)
    finally:
        on_visit(None)

    assert points == ["request.ready", "last look", "request.leaving", "request.answered"]
    assert isinstance(account.media, NoMedia)
    assert isinstance(account.credentials, Token)
