"""The shop window of the sandbox: what a buyer would see of each simulated marketplace, with pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from hashlib import md5
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from connectors.simulator import Sandbox
from models.text import money, number

STATES = {"live": "đang bán", "pending": "chờ duyệt", "rejected": "bị từ chối", "hidden": "đã gỡ"}
DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}")


class Pictures:
    """The files of one folder by what a listing may call them: SHA-256, or MD5 where the marketplace keeps a copy."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._seen: set[Path] = set()

    def look(self) -> None:
        """Takes in what has come since the last look."""
        for file in set(self._folder.glob("*")) - self._seen if self._folder else ():
            self._seen.add(file)
            if not DIGEST.fullmatch(file.stem):
                continue
            self._files |= dict.fromkeys((file.stem, md5(file.read_bytes(), usedforsecurity=False).hexdigest()), file)

    def file(self, digest: str) -> Path | None:
        return self._files.get(digest)

    def first(self, payload: Any) -> str:
        """The first picture that a listing names; empty where it shows none of ours."""
        named = DIGEST.findall(msgspec.json.encode(payload).decode())
        return next((digest for digest in named if digest in self._files), "")


def page(sandboxes: Mapping[str, Sandbox], pictures: Pictures) -> str:
    pictures.look()
    shown = [sandbox.show() for sandbox in sandboxes.values()]
    links = " ".join(f'<a href="#{escape(one["marketplace"])}">{escape(one["marketplace"])}</a>' for one in shown)
    return PAGE.replace("{links}", links).replace("{shelves}", "\n".join(_shelf(one, pictures) for one in shown))


def _shelf(shown: Mapping[str, Any], pictures: Pictures) -> str:
    listings = sorted(shown["listings"], key=lambda one: str(one["title"]))
    states = Counter(str(one["status"]) for one in listings)
    told = " · ".join(f"{number(count)} tin {STATES.get(state, state)}" for state, count in states.items())
    read, write, refused = (number(shown["requests"][kind]) for kind in ("read", "write", "refused"))
    asked = f"{read} lần đọc, {write} lần ghi, {refused} lần từ chối"
    name = escape(shown["marketplace"])
    cards = "\n".join(_card(one, pictures.first(one.get("payload"))) for one in listings)
    return (
        f'<section id="{name}"><h2>{name} <small>sandbox · {told or "chưa có tin nào"} · {asked}</small></h2>'
        f'<div class="shelf">{cards}</div></section>'
    )


def _card(one: Mapping[str, Any], picture: str) -> str:
    state = str(one["status"])
    shown = f'<img loading="lazy" src="/pictures/{picture}" alt="">' if picture else '<div class="no">không ảnh</div>'
    price = money(Decimal(str(one["price"])), one["currency"])
    return (
        f'<article class="{escape(state)}">{shown}<h3>{escape(str(one["title"]))}</h3><strong>{escape(price)}</strong>'
        f"<p>{escape(str(one['key']))} · còn {number(int(one['stock'] or 0))}</p>"
        f"<p class=state>{escape(STATES.get(state, state))}</p></article>"
    )


PAGE = """<!doctype html><html lang="vi"><meta charset="utf-8"><title>Cây Bẹo – sàn mô phỏng</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
body{font:15px/1.4 system-ui,sans-serif;margin:0 auto 2rem;max-width:76rem;padding:0 1rem;color:#222}
header{position:sticky;top:0;background:#fff;padding:.6rem 0;border-bottom:1px solid #ddd}
h1{color:#0a6b4b;margin:0}small{font-weight:400;color:#666;font-size:.6em}a{color:#0a6b4b;margin-right:.8rem}
section{scroll-margin-top:6rem}.shelf{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr))}
article{border:1px solid #ddd;border-radius:.5rem;padding:.6rem;display:flex;flex-direction:column}
article img,.no{width:100%;aspect-ratio:1;object-fit:contain;background:#f6f6f4;border-radius:.3rem}
.no{display:grid;place-items:center;color:#999}h3{font-size:1em;font-weight:500;margin:.4rem 0;flex:1}
strong{color:#b3261e}p{margin:.1rem 0;color:#666;font-size:.85em}.live .state{color:#0a6b4b}.pending .state{color:#a60}
.rejected .state{color:#b3261e}.hidden{opacity:.5}
</style>
<header><h1>Cây Bẹo <small>các sàn mô phỏng (sandbox), không phải sàn thật</small></h1><nav>{links}</nav></header>
{shelves}</html>"""
