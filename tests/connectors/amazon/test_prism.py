"""Our client through Prism, which answers from Amazon's model and refuses what the model does not allow."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from contextlib import suppress

import httpx
import pytest

from connectors.amazon import CONNECTOR
from connectors.amazon.simulator import Simulator
from connectors.errors import ConnectorError
from connectors.transport import Session
from models.clock import SystemClock
from models.outcome import Outcome
from tests.connectors.amazon.official import FOLDER
from tests.connectors.amazon.shop import USD, create, listing
from tests.connectors.stall import NoMedia, Pieces

READY_SECONDS = 60
PRISM = shutil.which("prism")
pytestmark = [
    pytest.mark.skipif(PRISM is None, reason="prism (@stoplight/prism-cli) is not on the PATH"),
    pytest.mark.slow,
]


@pytest.fixture
def prism():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = str(FOLDER / "listingsItems_2021-08-01.json")
    process = subprocess.Popen([PRISM, "mock", model, "-p", str(port), "--errors"], stdout=subprocess.DEVNULL)
    try:
        yield wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url, process):
    for _ in range(READY_SECONDS * 2):
        assert process.poll() is None, "prism has ended"
        try:
            httpx.get(url)
        except httpx.TransportError:
            SystemClock().sleep(0.5)
        else:
            return url
    raise AssertionError("prism never answered")


class ToPrism(httpx.BaseTransport):
    """Only calls of that one model go to Prism; logging in and definitions are the simulator's."""

    def __init__(self, far, url):
        self._far, self._near, self._url = httpx.HTTPTransport(), far, httpx.URL(url)
        self.statuses = []

    def handle_request(self, request):
        if "/listings/" not in request.url.path:
            return self._near.handle_request(request)
        path = request.url.raw_path.partition(b"/amazon")[2]
        request.url = self._url.copy_with(raw_path=path)
        request.headers["Host"] = f"127.0.0.1:{self._url.port}"
        answer = self._far.handle_request(request)
        body = answer.read()
        answer.close()
        self.statuses.append(answer.status_code)
        return httpx.Response(answer.status_code, headers={"Content-Type": "application/json"}, stream=Pieces([body]))

    def close(self):
        self._far.close()


def test_the_model_takes_every_request_of_ours(shop, prism):
    wire = ToPrism(shop.wire, prism)
    session = Session(
        CONNECTOR, "https://sandbox.invalid/amazon", CONNECTOR.credentials(**Simulator.credentials), policy=USD,
        clock=shop.clock, media=NoMedia(), rng=random.Random(1), transport=wire,
    )  # fmt: skip
    client = CONNECTOR.client(session)

    (result,) = client.push([create(listing())])
    with suppress(ConnectorError):  # what it makes up is no answer about our listing
        client.fetch(["CM-TOMKHO-500G"])

    assert result.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN, Outcome.REJECTED)
    assert wire.statuses
    assert set(wire.statuses) == {200}, "422 or 500 would be Prism's own: the request is not as the model has it"
    session.close()
