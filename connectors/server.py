"""The simulated marketplaces over real HTTP, each under its name, with a shop window at `/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from connectors.simulator import Dropped, Sandbox
from connectors.window import Pictures, page


def application(sandboxes: Mapping[str, Sandbox], media: Path | None = None) -> Starlette:
    """An ASGI app: `/<marketplace>/…` is its API, `/` shows what each sells, with the pictures that lie in `media`."""
    pictures = Pictures(media)

    async def window(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(page, sandboxes, pictures))

    async def picture(request: Request) -> Response:
        file = pictures.file(request.path_params["digest"])
        return FileResponse(file) if file else Response(status_code=404)

    mounts = [Mount(f"/{name}", app=_Api(sandbox)) for name, sandbox in sandboxes.items()]
    return Starlette(routes=[Route("/", window), Route("/pictures/{digest}", picture), *mounts])


class _Api:
    """One marketplace's API as an ASGI app."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = httpx.Request(
            request.method,
            _url(request),
            headers=[(k, v) for k, v in request.headers.raw if k != b"transfer-encoding"],
            content=await request.body(),
        )
        try:
            answer = await run_in_threadpool(self._sandbox.handle, call)
        except Dropped:
            await _hang_up(send)
            return
        headers = [(k.lower(), v) for k, v in answer.headers.raw]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


def _url(request: Request) -> httpx.URL:
    """The address as it was sent: signatures cover the path byte for byte."""
    raw = request.scope["raw_path"].split(b"?")[0] + b"?" * bool(request.scope["query_string"])
    return httpx.URL(f"http://{request.headers.get('host', 'localhost')}").copy_with(
        raw_path=raw + request.scope["query_string"]
    )


async def _hang_up(send: Send) -> None:
    """Promises a body and breaks off: the client sees a connection closed without an answer."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    raise ConnectionAbortedError("simulated: the answer is lost")
