"""The simulated marketplaces over real HTTP, each under its name, with a shop window at `/`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html import escape
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from connectors.simulator import Dropped, Sandbox
from models.text import money


def application(sandboxes: Mapping[str, Sandbox]) -> Starlette:
    """An ASGI app: `/<marketplace>/…` is its API, `/` shows what each sells."""

    async def window(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(shop_window, sandboxes))

    mounts = [Mount(f"/{name}", app=_Api(sandbox)) for name, sandbox in sandboxes.items()]
    return Starlette(routes=[Route("/", window), *mounts])


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


def shop_window(sandboxes: Mapping[str, Sandbox]) -> str:
    """A page for looking: every marketplace with its listings as a buyer would see them."""
    parts = [_shelf(sandbox.show()) for sandbox in sandboxes.values()]
    return PAGE.replace("{shelves}", "\n".join(parts))


def _shelf(shown: Mapping[str, Any]) -> str:
    listings = sorted(shown["listings"], key=lambda one: str(one["title"]))
    live = sum(one["status"] == "live" for one in listings)
    rows = "\n".join(_row(one) for one in listings)
    counts = shown["requests"]
    return (
        f"<section><h2>{escape(shown['marketplace'])} <small>sandbox · {live} tin đang bán · "
        f"{counts['read']} lần đọc, {counts['write']} lần ghi, {counts['refused']} lần từ chối</small></h2>"
        f"<table><tr><th>Mã</th><th>Tên</th><th>Giá</th><th>Tồn kho</th><th>Trạng thái</th></tr>{rows}</table>"
        "</section>"
    )


def _row(one: Mapping[str, Any]) -> str:
    state = STATES.get(one["status"], one["status"])
    cells = (one["key"], one["title"], money(Decimal(str(one["price"])), one["currency"]), one["stock"], state)
    return f'<tr class="{escape(one["status"])}">' + "".join(f"<td>{escape(str(c))}</td>" for c in cells) + "</tr>"


STATES = {"live": "đang bán", "pending": "chờ duyệt", "rejected": "bị từ chối", "hidden": "đã gỡ"}
PAGE = """<!doctype html><html lang="vi"><meta charset="utf-8"><title>Cây Bẹo – sàn mô phỏng</title>
<style>
body{font:15px/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
h1{color:#0a6b4b}small{font-weight:400;color:#666;font-size:.6em}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}tr.hidden td{color:#999}tr.pending td{color:#a60}
td:nth-child(3),td:nth-child(4){text-align:right;white-space:nowrap}
</style><h1>Cây Bẹo <small>các sàn mô phỏng (sandbox), không phải sàn thật</small></h1>{shelves}</html>"""
