"""The same faults through every connector: what a read and a write of each make of a spoilt or doubled wire."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from connectors.errors import Unanswered
from connectors.registry import connector as connector_of
from connectors.simulator import Sandbox, SandboxTransport
from models.report import DONE
from tests.connectors.stall import Pieces, RecordingClock, session
from tests.scenarios.world import MARKETPLACES, World, priced

LOGINS = ("/oauth/token", "/Login", "/ownerconnect")
EMPTY = {"null": b"null", "list": b"[]", "nothing": b"", "html": b"<p>Welcome</p>", "text": b'"ok"', "number": b"200"}


class Spoilt(httpx.BaseTransport):
    """The first answers that are not about logging in are replaced."""

    def __init__(self, sandbox: Sandbox, body: bytes, times: int) -> None:
        self._far, self._body, self._left = SandboxTransport(sandbox), body, times

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._far.handle_request(request)
        if request.url.path.endswith(LOGINS) or not self._left:
            return response
        self._left -= 1
        return httpx.Response(200, stream=Pieces([self._body]))


def reader(name: str, body: bytes, times: int) -> tuple[Callable[[], object], Sandbox]:
    """A read of that marketplace."""
    found, clock = connector_of(name), RecordingClock()
    sandbox = Sandbox(found.simulator_class(), clock=clock)
    account = session(
        Spoilt(sandbox, body, times),
        clock,
        connector=found,
        base_url=f"https://sandbox.invalid/{name}",
        credentials=found.credentials(**sandbox.marketplace.credentials),
    )
    return found.client(account).check, sandbox


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("name", MARKETPLACES)
def test_N11_a_read_that_gives_no_object_is_asked_again(name, body) -> None:
    check, sandbox = reader(name, body, 2)

    assert str(check())
    sandbox.state.close()


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("name", MARKETPLACES)
def test_N11_a_read_that_never_gives_an_object_is_no_answer(name, body) -> None:
    check, sandbox = reader(name, body, 100)

    with pytest.raises(Unanswered):
        check()
    sandbox.state.close()


class Doubling(httpx.BaseTransport):
    """A proxy that delivers every request twice, and gives the first answer or the second."""

    def __init__(self, inner: httpx.BaseTransport, which: int) -> None:
        self._inner, self._which = inner, which

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return [self._inner.handle_request(request) for _ in range(2)][self._which]


@pytest.mark.parametrize("which", [0, 1], ids=["first-answer", "second-answer"])
@pytest.mark.parametrize("name", ["madeincamau", "postmart"])
def test_N12_what_a_proxy_delivers_twice_has_the_effect_of_once(name, which, tmp_path: Path) -> None:
    """Classes A and B; a marketplace without keys of its own is swept afterwards."""
    world = World(tmp_path, [name], pool=lambda workers: ThreadPoolExecutor(1))
    world.wires[name] = Doubling(world.wires[name], which)  # type: ignore[assignment]  # a transport like the other
    world.put(*world.shrimps(3))

    world.night()
    world.put(*(priced(product, 260_000) for product in world.shrimps(3)))
    world.night()
    report = world.night()

    assert report.exit_code == DONE, report.as_json()
    world.assert_in_step()
    world.close()
