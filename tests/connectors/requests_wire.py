"""The line between a client that uses `requests` and a simulated marketplace: no socket."""

from __future__ import annotations

import io
from typing import Any

import httpx
import requests

from connectors.simulator import Sandbox, SandboxTransport


class RequestsWire(requests.adapters.BaseAdapter):
    """`root` is put before each path, where the simulator expects its own folder."""

    def __init__(self, sandbox: Sandbox, root: str = "") -> None:
        super().__init__()
        self._client, self._root = httpx.Client(transport=SandboxTransport(sandbox)), root

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        url = httpx.URL(str(request.url))
        url = url.copy_with(raw_path=self._root.encode() + url.raw_path)
        body: Any = request.body
        answer = self._client.request(str(request.method), url, headers=dict(request.headers), content=body)
        made = requests.Response()
        made.status_code, made.raw, made.url = answer.status_code, io.BytesIO(answer.content), str(request.url)
        made.headers.update(answer.headers)
        made.encoding = "utf-8"
        return made

    def close(self) -> None:
        self._client.close()
