"""What every simulated marketplace shares: it fails when told, refuses beyond its quota, and forgets nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from connectors.errors import NotSent, Throttled, Unanswered
from connectors.simulator import LOGGED, Fault, Sandbox, SandboxTransport, State, below, json_of
from connectors.transport import READ_ATTEMPTS, WRITE_ATTEMPTS
from tests.connectors.stall import ADDRESS, RecordingClock, Stall, session

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


@pytest.fixture
def sandbox(clock) -> Sandbox:
    return Sandbox(Stall, clock=clock)


@pytest.fixture
def client(sandbox) -> httpx.Client:
    with httpx.Client(transport=SandboxTransport(sandbox), base_url="https://sandbox.invalid/stall") as client:
        yield client


def _titles(sandbox: Sandbox) -> set[str]:
    return {one["title"] for one in sandbox.show()["listings"]}


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_status_fault_answers_with_it_and_does_nothing(sandbox, client) -> None:
    sandbox.fault(Fault(times=1, status=503))

    assert client.put("a", content="one").status_code == 503
    assert _titles(sandbox) == set()


def test_a_lost_answer_was_applied_all_the_same(sandbox, client) -> None:
    sandbox.fault(Fault(times=1, drop=True))

    with pytest.raises(httpx.ReadTimeout):
        client.put("a", content="one")

    assert _titles(sandbox) == {"one"}


def test_a_refused_connection_applied_nothing(sandbox, client) -> None:
    sandbox.fault(Fault(times=1))

    with pytest.raises(httpx.ConnectError):
        client.put("a", content="one")

    assert _titles(sandbox) == set()


def test_a_late_answer_arrives(sandbox, client, clock) -> None:
    sandbox.fault(Fault(times=1, seconds=8.0))

    answer = client.put("a", content="one")

    assert (answer.status_code, clock.waits, _titles(sandbox)) == (201, [8.0], {"one"})


def test_an_answer_can_be_late_and_then_lost(sandbox, client, clock) -> None:
    sandbox.fault(Fault(times=1, seconds=8.0, drop=True))

    with pytest.raises(httpx.ReadTimeout):
        client.put("a", content="one")

    assert (clock.waits, _titles(sandbox)) == ([8.0], {"one"})


def test_a_fault_lasts_for_as_many_requests_as_it_says(sandbox, client) -> None:
    sandbox.fault(Fault(times=2, status=500))

    assert [client.get("x").status_code for _ in range(3)] == [500, 500, 200]


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        (Fault(times=9, drop=True), Unanswered, 1),
        (Fault(times=9), NotSent, 0),
        (Fault(times=9, status=502), Unanswered, 0),
        (Fault(times=9, status=429), Throttled, 0),
    ],
)
def test_the_transport_calls_each_fault_by_its_name(sandbox, clock, fault, error, applied) -> None:
    account = session(SandboxTransport(sandbox), clock, base_url="https://sandbox.invalid/stall")
    sandbox.fault(fault)

    with pytest.raises(error):
        account.call("put", "PUT", "a", content=b"one")

    assert len(sandbox.show()["listings"]) == applied


def test_repeated_reads_outlast_a_short_trouble(sandbox, clock) -> None:
    account = session(SandboxTransport(sandbox), clock, base_url="https://sandbox.invalid/stall")
    sandbox.fault(Fault(times=READ_ATTEMPTS - 1, status=503))
    assert account.call("list", "GET", "x").status == 200

    sandbox.fault(Fault(times=WRITE_ATTEMPTS - 1, drop=True))
    account.call("put", "PUT", "a", content=b"one", repeatable=True)

    assert sandbox.state.get("counter", "n") == WRITE_ATTEMPTS


# --- quota ------------------------------------------------------------------------------------------------------------


def test_beyond_its_quota_it_answers_429_in_its_own_words(sandbox, client) -> None:
    answers = [client.get("x") for _ in range(Stall.quota[0] + 1)]

    assert [a.status_code for a in answers] == [200] * Stall.quota[0] + [429]
    assert answers[-1].json() == {"error": "too many"}
    assert answers[-1].headers["Retry-After"] == "1"


def test_who_waits_as_long_as_it_says_is_served(sandbox, client, clock) -> None:
    for _ in range(Stall.quota[0]):
        client.get("x")

    clock.advance(seconds=float(client.get("x").headers["Retry-After"]))

    assert client.get("x").status_code == 200


def test_the_quota_fills_up_to_its_size_and_not_beyond(sandbox, client, clock) -> None:
    client.get("x")
    clock.advance(days=1)

    answers = [client.get("x").status_code for _ in range(Stall.quota[0] + 1)]

    assert answers.count(200) == Stall.quota[0]


def test_a_refused_request_does_nothing(sandbox, client) -> None:
    for _ in range(Stall.quota[0]):
        client.get("x")

    client.put("a", content="one")

    assert _titles(sandbox) == set()


# --- state ------------------------------------------------------------------------------------------------------------


def test_what_it_holds_survives_the_process(tmp_path: Path, clock) -> None:
    file = tmp_path / "stall.sqlite"
    first = Sandbox(Stall, file, clock=clock)
    with httpx.Client(transport=SandboxTransport(first), base_url=ADDRESS) as client:
        client.put("a", content="một")
    first.fault(Fault(times=1, status=500))
    first.state.close()

    second = Sandbox(Stall, file, clock=clock)

    assert _titles(second) == {"một"}
    assert second.show()["requests"] == {"read": 0, "write": 1, "refused": 0}
    with httpx.Client(transport=SandboxTransport(second), base_url=ADDRESS) as client:
        assert client.get("x").status_code == 500
    second.state.close()


def test_threads_are_served_one_after_the_other(tmp_path: Path, clock) -> None:
    sandbox = Sandbox(Stall, tmp_path / "stall.sqlite", clock=clock)
    numbers: list[int] = []

    def work() -> None:
        with httpx.Client(transport=SandboxTransport(sandbox), base_url=ADDRESS) as client:
            numbers.extend(client.put("a", content="x").json()["number"] for _ in range(10))

    _together([threading.Thread(target=work) for _ in range(4)])

    assert sorted(numbers) == list(range(1, 41))
    sandbox.state.close()


COUNTING = """
import sys
from pathlib import Path
from connectors.simulator import State
state = State(Path(sys.argv[1]))
for _ in range(100):
    with state.transaction():
        state.next_number("n")
"""


def test_processes_share_one_marketplace(tmp_path: Path) -> None:
    """`sandbox serve`, a nightly run and a look at it may all be under way."""
    file = tmp_path / "stall.sqlite"
    state = State(file)
    children = [subprocess.Popen([sys.executable, "-c", COUNTING, str(file)], cwd=ROOT) for _ in range(2)]
    for _ in range(100):
        with state.transaction():
            state.next_number("n")

    assert [child.wait(60) for child in children] == [0, 0]
    assert state.get("counter", "n") == 300
    state.close()


def test_a_request_waits_for_the_one_before_it(tmp_path: Path) -> None:
    """Two that read the same number first would both write the next one."""
    here, there = State(tmp_path / "stall.sqlite"), State(tmp_path / "stall.sqlite")

    def count() -> None:
        with there.transaction():
            there.next_number("n")

    other = threading.Thread(target=count)
    with here.transaction():
        seen = here.get("counter", "n") or 0
        other.start()
        other.join(0.2)
        assert other.is_alive()
        here.put("counter", "n", seen + 1)
    other.join(30)

    assert here.get("counter", "n") == 2
    here.close()
    there.close()


def test_a_request_that_breaks_leaves_nothing_half_done(sandbox, client) -> None:
    with pytest.raises(ZeroDivisionError):
        client.put("broken")

    assert _titles(sandbox) == set()
    assert client.put("a", content="one").status_code == 201


def test_reset_forgets_everything(sandbox, client) -> None:
    client.put("a", content="one")
    sandbox.fault(Fault(times=9, status=500))

    sandbox.reset()

    assert sandbox.show() == {
        "marketplace": "stall",
        "listings": [],
        "requests": {"read": 0, "write": 0, "refused": 0},
    }
    assert client.get("x").json()["number"] is None


def test_documents_are_paged_in_key_order() -> None:
    state = State()
    for key in ("c", "a", "b", "a/b"):
        state.put("item", key, {"key": key})
    state.put("other", "aa", {})

    first = state.items("item", most=2)
    rest = state.items("item", after=first[-1][0])

    assert [key for key, _ in first + rest] == ["a", "a/b", "b", "c"]
    state.delete("item", "b")
    assert state.get("item", "b") is None


# --- the log ----------------------------------------------------------------------------------------------------------


def test_each_request_is_counted_by_what_it_did(sandbox, client) -> None:
    client.get("x")
    client.put("a", content="one")
    sandbox.fault(Fault(times=1, status=418))
    client.put("b", content="two")

    assert sandbox.show()["requests"] == {"read": 1, "write": 1, "refused": 1}
    assert [(e["method"], e["path"], e["status"], e["effect"]) for e in sandbox.log()] == [
        ("GET", "/stall/x", 200, "read"),
        ("PUT", "/stall/a", 201, "write"),
        ("PUT", "/stall/b", 418, "refused"),
    ]


def test_the_log_keeps_the_latest_requests_only(sandbox, clock, monkeypatch) -> None:
    monkeypatch.setattr(Stall, "quota", (10_000, 1.0))
    request = httpx.Request("GET", "https://sandbox.invalid/stall/x")
    for _ in range(LOGGED + 5):
        sandbox.handle(request)

    assert len(sandbox.log()) == LOGGED
    assert sandbox.show()["requests"]["read"] == LOGGED + 5


def test_the_log_holds_no_query_and_no_header(sandbox, client) -> None:
    """X01: some marketplaces want their token in the query."""
    client.get("x?access_token=canary-7f3a", headers={"X-Token": "canary-7f3a"})

    assert "canary" not in str(sandbox.log())


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/stall/items/a%2Fb", ["items", "a/b"]),
        ("/stall/items/T%C3%B4m%20kh%C3%B4", ["items", "Tôm khô"]),
        ("/stall/items/a%3Fb%23c%25?page=2", ["items", "a?b#c%"]),
        ("/items/a+b", ["items", "a+b"]),
        ("/stall/stall", ["stall"]),
        ("/stall/", [""]),
    ],
)
def test_each_segment_of_a_path_is_decoded_by_itself(path, segments) -> None:
    """Our keys are SKUs, and a SKU may hold a slash."""
    assert below(httpx.Request("GET", f"https://sandbox.invalid{path}"), "stall") == segments


def test_a_body_that_is_no_json_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_of(httpx.Request("POST", ADDRESS, content=b"{not json"))


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
