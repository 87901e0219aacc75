"""A line to a simulated marketplace on which answers can be replaced or told differently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from tests.scenarios.world import Wire, World

Instead = Callable[[httpx.Request], httpx.Response | None]
Told = Callable[[httpx.Request, Any], Any]


class Retold(Wire):
    """`instead` answers in the marketplace's place, which then hears nothing; `told` rewrites the JSON it answers."""

    def __init__(self, world: World, market: str) -> None:
        super().__init__(world.sandboxes[market])
        self.instead: Instead = lambda request: None
        self.told: Told = lambda request, answer: answer
        world.wires[market] = self

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.instead(request)
        if answer is not None:
            self.sent.append(f"{request.method} {request.url.path}")
            return unread(answer)
        response = super().handle_request(request)
        body = response.read()
        try:
            told = msgspec.json.encode(self.told(request, msgspec.json.decode(body)))
        except msgspec.DecodeError:  # no JSON: left as it is
            told = body
        return unread(httpx.Response(response.status_code, headers=response.headers, content=told))


def unread(response: httpx.Response) -> httpx.Response:
    """As it comes from a wire: a stream that nobody has read."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(response.read()))


def body_of(request: httpx.Request) -> Any:
    """The request's JSON; None where it has none."""
    try:
        return msgspec.json.decode(request.content)
    except msgspec.DecodeError:
        return None


def envelope(code: int, words: str = "", data: Any = None) -> httpx.Response:
    """Everything voso says comes with HTTP 200."""
    return httpx.Response(200, json={"status": code, "error": code != 200, "message": words, "data": data})
