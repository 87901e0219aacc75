"""Zalo's side of the wire, written from its documents: HTTP 200 for everything, jobs behind tokens, rotating keys."""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

import httpx

from connectors.simulator import Answer, State, json_of, respond
from models.clock import Clock

REQUESTS_A_MINUTE = 4_000
WORKED_ON = 0.3  # seconds until a token has become an id
ACCESS_SECONDS, REFRESH_SECONDS = 90_000, 90 * 24 * 3600
PAGE = 10
TITLE, AUTHOR, DESCRIPTION = 150, 50, 300  # titles and descriptions of exactly these are refused too
CHOICES = {"type": ("normal",), "status": ("show", "hide"), "comment": ("show", "hide")}
FIELDS = {"id", "type", "title", "author", "cover", "description", "body", "related_medias", "tracking_link", "status",
          "comment"}  # fmt: skip
PARTS = {"text": {"content"}, "image": {"url", "caption"}, "video": {"url", "video_id", "thumb"}, "product": {"id"}}
TOO_LARGE = "qua-lon"  # in the address of a picture: Zalo tries to fetch it and gives up
WRITES = {"create", "update", "remove"}


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.body = {"error": code, "message": message}


class Simulator:
    name = "zalo"
    quota = (REQUESTS_A_MINUTE, 60.0)
    credentials = {  # noqa: RUF012  # constant
        "app_id": "431234567890123456",
        "app_secret": "zaloAppSecretSandbox01",
        "access_token": "aT-sandbox-0",
        "refresh_token": "rT-sandbox-0",
        "product_page": "https://cuahang.example/sp/{sku}",
        "picture": "https://cuahang.example/anh/{sha256}",
    }

    pace = (0.3, 0.6)
    refused_facets: ClassVar[Mapping[str, Any]] = {"content": {"title": "Tôm " * 60}}

    def __init__(self, state: State, clock: Clock, rng: random.Random) -> None:
        self._state, self._clock, self._rng = state, clock, rng

    def handle(self, request: httpx.Request, path: list[str]) -> Answer:
        self._settle()
        if path == ["v4", "oa", "access_token"]:
            return self._renew(request)
        try:
            self._authorise(request)
            return self._route(request, path)
        except Refusal as refusal:
            return Answer(self._respond(refusal.body), "refused")

    def throttled(self, seconds: int) -> httpx.Response:
        return self._respond({"error": -32, "message": "Your application has reached the rate limit"})

    def listings(self) -> list[dict[str, Any]]:
        self._settle()
        return [_shown(article_id, article) for article_id, article in self._state.items("article")]

    # What tests and people turn

    def settle_on(self, name: str, value: Any) -> None:
        """`articles` an OA may have, seconds `worked_on`, whether a `proof` is asked for and a `store` answers."""
        self._state.put("setting", name, value)

    def expire(self) -> None:
        """The access token in use ends now."""
        self._state.put("ends", "token", self._now())

    def _setting(self, name: str, usual: Any) -> Any:
        found = self._state.get("setting", name)
        return usual if found is None else found

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _respond(self, body: dict[str, Any]) -> httpx.Response:
        left, _ = self._state.get("quota", "all") or (REQUESTS_A_MINUTE, 0)
        headers = {"X-RateLimit-Limit": str(REQUESTS_A_MINUTE), "X-RateLimit-Remain": str(int(left))}
        return respond(200, body, headers)

    # Tokens

    def _pair(self) -> tuple[str, str]:
        """The access and the refresh token in use; the first ones are those of the credentials."""
        first = self.credentials["access_token"], self.credentials["refresh_token"]
        return self._state.get("token", "latest") or first[0], self._state.get("refresh", "latest") or first[1]

    def _ends(self, name: str, seconds: int) -> float:
        """Of the first pair from the moment it is first seen."""
        kept = self._state.get("ends", name)
        if kept is None:
            kept = self._now() + seconds
            self._state.put("ends", name, kept)
        return float(kept)

    def _renew(self, request: httpx.Request) -> Answer:
        """The secret is a header; a refresh token works once. Refusals have a shape of their own."""
        form = dict(parse_qsl(request.content.decode("ascii", "replace"), keep_blank_values=True))
        refusal = self._refresh_fault(request, form)
        if refusal:
            code, name = refusal
            body = {"error_name": name, "error_reason": name, "error_description": name, "error": code}
            return Answer(respond(200, body), "refused")
        number = self._state.next_number("pair")
        access, refresh = f"aT-sandbox-{number}", f"rT-sandbox-{number}"
        for kind, token, seconds in (("token", access, ACCESS_SECONDS), ("refresh", refresh, REFRESH_SECONDS)):
            self._state.put(kind, "latest", token)
            self._state.put("ends", kind, self._now() + seconds)
        said = {"access_token": access, "refresh_token": refresh, "expires_in": str(ACCESS_SECONDS)}
        return Answer(respond(200, said), "write")

    def _refresh_fault(self, request: httpx.Request, form: Mapping[str, str]) -> tuple[int, str] | None:
        kind = request.headers.get("Content-Type", "").partition(";")[0]
        if request.method != "POST" or kind != "application/x-www-form-urlencoded":
            return -14001, "Invalid request"
        if set(form) != {"refresh_token", "app_id", "grant_type"} or form["grant_type"] != "refresh_token":
            return -14001, "Invalid request"
        if form["app_id"] != self.credentials["app_id"]:
            return -14002, "Invalid app id"
        if request.headers.get("secret_key", "") != self.credentials["app_secret"]:
            return -14004, "Invalid secret key"
        if form["refresh_token"] != self._pair()[1] or self._ends("refresh", REFRESH_SECONDS) <= self._now():
            return -14014, "Invalid refresh token"
        return None

    def _authorise(self, request: httpx.Request) -> None:
        """A bare header and nothing else."""
        token = request.headers.get("access_token", "")
        if token != self._pair()[0]:
            raise Refusal(-216, "Access token is invalid")
        if self._ends("token", ACCESS_SECONDS) <= self._now():
            raise Refusal(-220, "access_token is expired or removed")
        if self._setting("proof", False):
            mac = hmac.new(self.credentials["app_secret"].encode(), digestmod=hashlib.sha256)
            mac.update(token.encode())
            if request.headers.get("appsecret_proof", "") != mac.hexdigest():
                raise Refusal(-242, "appsecret_proof provided is invalid")

    # Routes

    def _route(self, request: httpx.Request, path: list[str]) -> Answer:
        match request.method, path:
            case "GET", ["v2.0", "oa", "getoa"]:
                return self._answer({"oa_id": OA_ID, "name": OA, "is_verified": True, "package_name": "Nâng cao"})
            case "GET", ["v2.0", "article", "getslice"]:
                return self._answer(self._slice(dict(request.url.params)))
            case "GET", ["v2.0", "article", "getdetail"]:
                article_id = request.url.params.get("id", "")
                return self._answer({"id": article_id, **self._article(article_id)})
            case "POST", ["v2.0", "article", "create" | "update" | "remove" | "verify" as name]:
                done = {"create": self._create, "update": self._update, "remove": self._remove, "verify": self._verify}
                return self._answer(done[name](body_of(request)), "write" if name in WRITES else "read")
            case "GET", ["v2.0", "mstore", "product", "getproductofoa"] if self._setting("store", False):
                return self._answer({"products": [], "total": 0})
            case _, ["v2.0", "store" | "mstore", *_]:
                raise Refusal(-212, "App has not registered for this API")
        raise Refusal(-209, "API is not support")

    def _answer(self, data: Any, effect: Any = "read") -> Answer:
        return Answer(self._respond({"data": data, "error": 0, "message": "Success"}), effect)

    def _slice(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Newest first; of each article only what a list shows."""
        if asked.get("type") not in ("normal", "video"):
            raise Refusal(-201, "type accept only 2 value normal and video.")
        offset, limit = (asked.get(name, "") for name in ("offset", "limit"))
        if not re.fullmatch(r"[0-9]{1,9}", offset) or not re.fullmatch(r"[0-9]{1,9}", limit):
            raise Refusal(-201, "offset or limit is invalid")
        if not 1 <= int(limit) <= PAGE:
            raise Refusal(-201, "maximum limit is 10")
        rows = self._state.items("article")[::-1] if asked["type"] == "normal" else []
        page = rows[int(offset) : int(offset) + int(limit)]
        medias = [{"id": i, "type": "normal", "title": a["title"], "status": a["status"]} for i, a in page]
        return {"medias": medias, "total": len(rows)}

    def _article(self, article_id: Any) -> dict[str, Any]:
        found = self._state.get("article", article_id) if isinstance(article_id, str) else None
        if found is None:
            raise Refusal(-201, "id is invalid")
        return {name: value for name, value in found.items() if name != "at"}

    def _create(self, article: dict[str, Any]) -> dict[str, str]:
        if "id" in article:
            raise Refusal(-201, "id is invalid")
        check(article)
        coming = [token for token, article_id in self._state.items("waiting") if not article_id]
        if len(self._state.items("article")) + len(coming) >= self._setting("articles", 5_000):
            raise Refusal(-223, "OA has reached the quota of articles")
        return self._job("", article)

    def _update(self, article: dict[str, Any]) -> dict[str, str]:
        """Takes the place of the whole article once it is done."""
        article_id = article.get("id", "")
        self._article(article_id)
        if any(worked_on == article_id for _, worked_on in self._state.items("waiting")):
            raise Refusal(-214, "Article is being processed")
        check(article)
        return self._job(article_id, {name: value for name, value in article.items() if name != "id"})

    def _remove(self, asked: dict[str, Any]) -> dict[str, str]:
        self._article(asked.get("id"))
        self._state.delete("article", asked["id"])
        return {}

    # Jobs

    def _job(self, article_id: str, article: dict[str, Any]) -> dict[str, str]:
        token = f"tok_{self._state.next_number('job'):08}{self._rng.getrandbits(48):012x}"
        job = {"id": article_id, "article": article, "at": self._now(), "state": "waiting"}
        self._state.put("job", token, job)
        self._state.put("waiting", token, article_id)
        return {"token": token}

    def _settle(self) -> None:
        """What has had its time since somebody looked last."""
        for token, _ in self._state.items("waiting"):
            job = self._state.get("job", token)
            if self._now() - job["at"] >= self._setting("worked_on", WORKED_ON):
                self._state.put("job", token, job | self._carried_out(job) | {"article": {}})
                self._state.delete("waiting", token)

    def _carried_out(self, job: dict[str, Any]) -> dict[str, str]:
        if TOO_LARGE in str(job["article"]):
            return {"state": "failed"}
        defaults = {"author": "", "description": "", "tracking_link": "", "status": "hide", "comment": "show"}
        article_id = job["id"] or f"{self._state.next_number('article'):08}{self._rng.getrandbits(32):08x}"
        self._state.put("article", article_id, defaults | job["article"] | {"at": self._now()})
        return {"state": "done", "id": article_id}

    def _verify(self, asked: dict[str, Any]) -> dict[str, str]:
        token = asked.get("token")
        job = self._state.get("job", token) if isinstance(token, str) else None
        if job is None:
            raise Refusal(-201, "token is invalid")
        if job["state"] == "waiting":
            raise Refusal(-214, "Media is being processed")
        if job["state"] == "failed":
            raise Refusal(-200, "Upload media failed")
        return {"id": job["id"]}


OA, OA_ID = "Đặc sản Cà Mau (thử nghiệm)", "2876543210987654321"


def body_of(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json_of(request) if request.headers.get("Content-Type", "").startswith("application/json") else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(-201, "Body is invalid")
    return body


def check(article: dict[str, Any]) -> None:
    for fault in faults(article):
        raise Refusal(*fault)


def faults(article: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """As many characters as were sent count: text that was not composed has more of them."""
    for name in set(article) - FIELDS:
        yield -201, f"{name} is not a parameter"
    for name, choices in CHOICES.items():
        if article.get(name, choices[0]) not in choices or (name == "type" and name not in article):
            yield -201, f"{name} value is invalid"
    title, author, described = (article.get(name, "") for name in ("title", "author", "description"))
    if not isinstance(title, str) or not 0 < len(title) < TITLE:
        yield -210, "title allow 1 to 150 characters"
    if not isinstance(author, str) or len(author) > AUTHOR:
        yield -210, "author allow at most 50 characters"
    if not isinstance(described, str) or not len(described) < DESCRIPTION:
        yield -210, "description allow at most 300 characters"
    if not is_cover(article.get("cover")):
        yield -201, "cover value is invalid"
    if not isinstance(body := article.get("body"), list) or not body or not all(map(is_part, body)):
        yield -201, "body value is invalid"
    if not isinstance(link := article.get("tracking_link", ""), str) or (link and not is_address(link)):
        yield -201, "tracking_link is invalid"


def is_cover(cover: Any) -> bool:
    known = isinstance(cover, dict) and cover.get("status") in ("show", "hide")
    return known and cover.get("cover_type") == "photo" and is_address(cover.get("photo_url"))


def is_part(part: Any) -> bool:
    if not isinstance(part, dict) or part.get("type") not in PARTS:
        return False
    holds: Mapping[str, Callable[[], bool]] = {
        "text": lambda: isinstance(part.get("content"), str) and part["content"] != "",
        "image": lambda: is_address(part.get("url")),
    }
    return set(part) - {"type"} <= PARTS[part["type"]] and holds.get(part["type"], lambda: True)()


def is_address(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[!-~]+", value) is not None


def _shown(article_id: str, article: dict[str, Any]) -> dict[str, Any]:
    price = re.match(r"([0-9.]+) ₫", article["description"])
    return {
        "key": unquote(article["tracking_link"].rpartition("/")[2]),
        "remote_id": article_id,
        "title": article["title"],
        "price": int(price[1].replace(".", "")) if price else 0,
        "currency": "VND",
        "stock": int("Còn hàng" in article["description"]),  # an article tells no more than whether there is any
        "status": "hidden" if article["status"] == "hide" else "live",
        "updated_at": datetime.fromtimestamp(article["at"], UTC).isoformat(),
        "payload": {name: value for name, value in article.items() if name != "at"},
    }
