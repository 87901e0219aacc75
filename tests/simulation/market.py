"""A simulated marketplace behind a wire that loses, delays, doubles and spoils what it carries."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, NamedTuple

import httpx
import msgspec

from connectors.contract import Connector
from connectors.madeincamau import simulator as madeincamau
from connectors.postmart import simulator as postmart
from connectors.simulator import Answer, below
from connectors.voso import simulator as voso
from tests.simulation.schedule import Hub, HubClock, Worker
from tests.simulation.workload import REFUSED_WORDS

NETWORK = (0.004, 0.06)  # seconds there and back
_encode, _decode = msgspec.json.encode, msgspec.json.decode


class Shown(NamedTuple):
    """What matters of one stored product."""

    sku: str
    price: int
    stock: int
    title: str
    up: bool  # offered to buyers, or about to be: neither hidden nor a draft nor refused


class Documents:
    """The simulators' State in dictionaries; values are kept as JSON, so that nobody shares them."""

    def __init__(self, stored: Callable[[str, str, bytes | None, bytes | None], None]) -> None:
        self.kinds: dict[str, dict[str, bytes]] = {}
        self._stored = stored

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def get(self, kind: str, key: str) -> Any:
        raw = self.kinds.get(kind, {}).get(key)
        return None if raw is None else _decode(raw)

    def put(self, kind: str, key: str, value: Any) -> None:
        these = self.kinds.setdefault(kind, {})
        raw = _encode(value)
        if kind == "product":
            self._stored(kind, key, these.get(key), raw)
        these[key] = raw

    def delete(self, kind: str, key: str) -> None:
        old = self.kinds.get(kind, {}).pop(key, None)
        if kind == "product" and old is not None:
            self._stored(kind, key, old, None)

    def items(self, kind: str, after: str = "", most: int = -1) -> list[tuple[str, Any]]:
        these = self.kinds.get(kind, {})
        keys = sorted(key for key in these if key > after)
        return [(key, _decode(these[key])) for key in (keys if most < 0 else keys[:most])]

    def next_number(self, name: str) -> int:
        value = int(self.get("counter", name) or 0) + 1
        self.put("counter", name, value)
        return value

    def clear(self) -> None:
        self.kinds.clear()

    def close(self) -> None:
        pass

    def copy(self) -> dict[str, dict[str, bytes]]:
        return {kind: dict(these) for kind, these in self.kinds.items()}


@dataclass
class Arrival:
    """One request on its way; what the sender knows is only the answer, if one comes."""

    request: httpx.Request
    worker: Worker
    fault: str
    late: bool
    answer: httpx.Response | None = None
    lost: Exception | None = None


@dataclass(kw_only=True)
class Wiring:
    """What may go wrong on the way to one marketplace."""

    chance: float = 0.0  # of a fault, for each request
    lag: float = 0.0  # at most, between a write and the reads that show it
    flaps: float = 0.0  # of a search that misses what is there, once for each process
    poison: frozenset[str] = frozenset()  # SKUs whose every write is answered 500
    kinds: tuple[str, ...] = ()
    doubled: bool = True


FAULTS = (
    *("refused", "refused", "reset-before", "reset-after", "drop-after", "drop-after", "drop-after"),
    *("500-before", "502-before", "503-before", "500-after", "502-after", "504-after"),
    *("429-seconds", "429-date", "429-past", "429-far", "429-rubbish", "429-bare"),
    *("truncated", "html", "empty", "null", "list", "error-200", "not-done-200", "not-done-200"),
    *("double", "double", "slow", "slow", "slow-answer", "revoke"),
    *("shuffle", "missing", "doubled-line", "extra-line", "contradiction"),
)  # fmt: skip
LINES = {"shuffle", "missing", "doubled-line", "extra-line", "contradiction"}


class Market:
    """One marketplace with one account of ours."""

    def __init__(self, hub: Hub, connector: Connector, rng: random.Random, wiring: Wiring, watch: Any) -> None:
        self.hub, self.connector, self.rng, self.wiring, self.watch = hub, connector, rng, wiring, watch
        self.name = connector.name
        self.state = Documents(self._stored)
        kind = connector.simulator_class()
        self.simulator = kind(self.state, HubClock(hub), random.Random(rng.getrandbits(32)))
        self.requests = self.writes = self.faults = 0
        self.sender: Arrival | None = None
        self._past: deque[tuple[float, dict[str, dict[str, bytes]]]] = deque()
        self._flapping = random.Random()
        self._flapping.setstate(rng.getstate())  # its own draws: the other faults of a seed stay as they are
        self._flapped: set[int] = set()
        self._reader = READERS[self.name]

    # The far end

    def arrive(self, arrival: Arrival) -> None:
        """The request is here: it is counted, judged, perhaps carried out, perhaps answered."""
        request, fault = arrival.request, arrival.fault
        write = is_write(self.name, request)
        self.requests += 1
        self.writes += write
        self.watch.arrived(self, arrival, write)
        if write and self.wiring.poison and any(sku.encode() in _named(request) for sku in self.wiring.poison):
            arrival.answer = httpx.Response(500, text="poisoned")
            return
        if fault.endswith("-before") or fault.startswith(("429", "not-done")):
            self._refuse(arrival)
            return
        answer = self._handle(arrival, write)
        if fault == "double":
            answer = self.rng.choice((answer, self._handle(arrival, write)))
        self._send_back(arrival, answer.response)

    def shown(self) -> dict[str, Shown]:
        """By the marketplace's own key, as of now."""
        self.simulator.listings()  # what is due there happens
        reading = ((key, self._read(key, raw)) for key, raw in sorted(self.state.kinds.get("product", {}).items()))
        return dict(reading)

    def listed_already(self) -> None:
        """Tells the oracle what was here before it began to watch."""
        for key, raw in sorted(self.state.kinds.get("product", {}).items()):
            self.watch.known(self, key, self._read(key, raw))

    def sku(self, key: str) -> str:
        return self._read(key, self.state.kinds["product"][key]).sku

    def submit_at_once(self) -> None:
        """Vỏ Sò as for a trusted shop: a create needs no second request, so one that is sent twice is live twice."""
        simulator, create = self.simulator, self.simulator._create

        def created(request: httpx.Request) -> dict[str, Any]:
            product = self.state.get("product", f"{create(request)['product_id']:012}")
            due = self.hub.now() + timedelta(seconds=simulator.review_seconds)
            return dict(simulator._store(product | {"status": "Chờ duyệt", "review_until": due.isoformat()}))

        simulator._routes["v2/product/create"] = voso.Route(created, "write")

    def refuse(self, sku: str) -> None:
        """From now on a rule that no document mentions stands against this product."""
        REFUSING[self.name](self.simulator, sku)

    def live(self) -> list[dict[str, Any]]:
        return [one for one in self.simulator.listings() if one["status"] == "live"]

    def _handle(self, arrival: Arrival, write: bool) -> Answer:
        self.sender = arrival
        path = below(arrival.request, self.name)
        try:
            if self._flaps(arrival):
                return self._handle_with({**self.state.kinds, "product": {}, "code": {}}, arrival.request, path)
            if not write and self.wiring.lag and self.hub.faults and is_lagging(self.name, arrival.request):
                return self._handle_in_the_past(arrival.request, path)
            if write and self.wiring.lag:
                self._remember()
            return self.simulator.handle(arrival.request, path)
        finally:
            self.sender = None

    def _remember(self) -> None:
        """How things stood until now."""
        self._past.append((self.hub.seconds, self.state.copy()))
        while self._past and self._past[0][0] < self.hub.seconds - self.wiring.lag:
            self._past.popleft()

    def _flaps(self, arrival: Arrival) -> bool:
        """A search by SKU misses everything, however long it has been there; the next one of that process does not."""
        if not (self.wiring.flaps and self.hub.faults and is_search(self.name, arrival.request)):
            return False
        number = arrival.worker.number
        if number in self._flapped or self._flapping.random() >= self.wiring.flaps:
            return False
        self._flapped.add(number)
        self.hub.note(f"{self.name} misses everything")
        return True

    def _handle_in_the_past(self, request: httpx.Request, path: list[str]) -> Answer:
        """An old copy answers: how old it is changes from one read to the next."""
        then = self.hub.seconds - self.rng.uniform(0, self.wiring.lag)
        old = next((kinds for at, kinds in self._past if at > then), None)
        if old is None or self.rng.random() < 0.3:
            return self.simulator.handle(request, path)
        self.hub.note(f"{self.name} reads an old copy")
        of_today = {kind: these for kind, these in self.state.kinds.items() if kind in ("token", "media", "picture")}
        return self._handle_with({**old, **of_today}, request, path)

    def _handle_with(self, kinds: dict[str, dict[str, bytes]], request: httpx.Request, path: list[str]) -> Answer:
        """As if these were the records; nothing that it changes there lasts."""
        now, self.state.kinds = self.state.kinds, {kind: dict(these) for kind, these in kinds.items()}
        watch, self.watch = self.watch, None
        try:
            return self.simulator.handle(request, path)
        finally:
            self.state.kinds, self.watch = now, watch

    def _refuse(self, arrival: Arrival) -> None:
        fault = arrival.fault
        if fault == "reset-before":
            arrival.lost = httpx.ReadError("reset")
        elif fault.startswith("429"):
            arrival.answer = self._too_many(fault)
        elif fault == "not-done-200":
            arrival.answer = httpx.Response(200, content=ERRORS[self.name])
        else:
            arrival.answer = httpx.Response(int(fault[:3]), text="simulated fault")

    def _too_many(self, fault: str) -> httpx.Response:
        answer = self.simulator.throttled(1)
        answer.headers.pop("Retry-After", None)
        now = self.hub.now()
        values = {
            "429-seconds": str(self.rng.randrange(1, 20)),
            "429-date": format_datetime(now + timedelta(seconds=self.rng.randrange(1, 20)), usegmt=True),
            "429-past": format_datetime(now - timedelta(hours=1), usegmt=True),
            "429-far": "999999" if self.rng.random() < 0.3 else "300",
            "429-rubbish": "soon",
        }
        if fault in values:
            answer.headers["Retry-After"] = values[fault]
        return answer

    def _send_back(self, arrival: Arrival, answer: httpx.Response) -> None:
        fault = arrival.fault
        body = answer.content
        if fault == "drop-after":
            arrival.lost = httpx.ReadTimeout("no answer")
        elif fault == "reset-after":
            arrival.lost = httpx.RemoteProtocolError("closed without an answer")
        elif fault.endswith("-after"):
            arrival.answer = httpx.Response(int(fault[:3]), text="simulated fault")
        elif fault in ("truncated", "html", "empty", "null", "list"):
            spoilt = {
                "truncated": body[: len(body) // 2],
                "html": b"<html>xin cho</html>",
                "null": b"null",
                "list": b"[]",
            }
            arrival.answer = httpx.Response(200, content=spoilt.get(fault, b""))
        elif fault == "error-200":
            arrival.answer = httpx.Response(200, content=ERRORS[self.name])
        elif fault == "revoke":
            self.state.kinds.pop("token", None)
            arrival.answer = answer
        elif fault in LINES:
            arrival.answer = httpx.Response(
                answer.status_code, headers=answer.headers, content=self._garble(fault, body)
            )
        else:
            arrival.answer = answer
        if arrival.answer is not None:  # as every server on the net does
            arrival.answer.headers["Date"] = format_datetime(self.hub.now(), usegmt=True)

    def _garble(self, fault: str, body: bytes) -> bytes:
        """Results of a batch in another order, some missing, some twice, some about nothing we sent."""
        data = _decode(body) if body else None
        lines = data.get("results") if isinstance(data, dict) else None
        if not lines:
            return body
        lines = list(lines)
        one = self.rng.choice(lines)
        if fault == "shuffle":
            self.rng.shuffle(lines)
        elif fault == "missing":
            lines.remove(one)
        elif fault == "doubled-line":
            lines.append(one)
        elif fault == "extra-line":
            lines.insert(0, one | {"external_id": "KHAC-1"})
        else:
            lines.append(
                one | {"status": "error", "errors": [{"code": "invalid_value", "field": "", "message_vi": ""}]}
            )
        return _encode(data | {"results": lines})

    def _stored(self, kind: str, key: str, old: bytes | None, new: bytes | None) -> None:
        if self.watch is not None:
            before = self._read(key, old) if old is not None else None
            self.watch.stored(self, key, before, self._read(key, new) if new is not None else None)

    def _read(self, key: str, raw: bytes) -> Shown:
        return self._reader(key, _decode(raw))

    # By hand, in the marketplace's own back office

    def find(self, sku: str) -> str | None:
        """The marketplace's key of the first product with our SKU."""
        for key, raw in sorted(self.state.kinds.get("product", {}).items()):
            if self._read(key, raw).sku == sku:
                return key
        return None

    def edit(self, key: str, change: Callable[[dict[str, Any]], None]) -> None:
        product = self.state.get("product", key)
        change(product)
        if isinstance(product.get("revision"), int):
            product["revision"] += 1
        self.state.put("product", key, product)

    def set_price(self, key: str, price: int) -> None:
        def change(product: dict[str, Any]) -> None:
            inside = {"madeincamau": "fields", "postmart": "price"}.get(self.name)
            place = product[inside] if inside else product
            place["price" if self.name == "voso" else "price_vnd"] = price

        self.edit(key, change)

    def set_hidden(self, key: str, *, hidden: bool) -> None:
        def change(product: dict[str, Any]) -> None:
            if self.name == "postmart":
                product["status"] = "hidden" if hidden else "live"
            else:
                product["hidden"] = hidden

        self.edit(key, change)

    def add_foreign(self, like: str, sku: str) -> None:
        """A listing our catalogue does not know, made by hand from one of ours."""
        product = self.state.get("product", like)
        if self.name == "voso":
            number = self.state.next_number("product")
            self.state.put("code", sku, [number])
            like, product = f"{number:012}", product | {"product_id": number, "product_code": sku, "status": "Đang bán"}
        elif self.name == "postmart":
            like, product = sku, product | {"external_id": sku, "remote_id": f"BD-{sku}"}
        else:
            like, product = sku, product | {"product_id": f"MCM-{sku}"}
        self.state.put("product", like, product)

    def drop(self, key: str) -> None:
        """Deleted by hand."""
        self.state.delete("product", key)


class Wire(httpx.BaseTransport):
    """The line from one process to one marketplace."""

    def __init__(self, market: Market, worker: Worker) -> None:
        self._market, self._worker = market, worker

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        market, worker = self._market, self._worker
        hub, rng = market.hub, market.rng
        worker.check()
        request.read()
        there, back = rng.uniform(*NETWORK), rng.uniform(*NETWORK)
        fault = self._draw(request)
        deadline = market.connector.limits.request_seconds
        if fault == "refused":
            hub.sleep(there)
            raise httpx.ConnectError("connection refused", request=request)
        if fault == "slow" and not market.watch.counts(market):
            there += rng.uniform(0, deadline * 0.9)
        if fault in ("slow", "slow-answer"):
            back += rng.uniform(0, deadline * 0.9 - min(there, deadline * 0.9))
        create = request.url.path.endswith("/create")
        dies = hub.faults and rng.random() < (hub.chances.orphan if create else 0.0) + hub.chances.crash * 2
        if dies and (create or rng.random() < 0.5) and not market.watch.counts(market):
            there = rng.uniform(0, deadline * 0.9)  # the process is gone, its request still travels
        if hub.unguarded and hub.faults and create and rng.random() < 0.2:
            worker.late = True
            hub.freeze(worker, "request.leaving", rng.uniform(100, 400))
        arrival = Arrival(request, worker, fault, worker.late)
        worker.late = False
        hub.at(hub.seconds + there, lambda: market.arrive(arrival))
        if dies:
            hub.sleep(rng.uniform(0, min(1.0, there + back)))
            worker.die("the wire")
        hub.sleep(there + back + 0.000_002)
        if arrival.lost is not None:
            if isinstance(arrival.lost, httpx.ReadTimeout):
                hub.sleep(max(0.0, deadline - there - back))
            raise arrival.lost
        answer = arrival.answer
        if answer is None:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))

    def _draw(self, request: httpx.Request) -> str:
        market = self._market
        if not market.hub.faults or market.rng.random() >= market.wiring.chance:
            return ""
        fault = market.rng.choice(market.wiring.kinds or FAULTS)
        if fault == "double" and not market.wiring.doubled:
            return ""
        market.faults += 1
        market.hub.note(f"{self._worker.name} wire: {fault}")
        return fault


def _voso(key: str, product: dict[str, Any]) -> Shown:
    status = product["status"]  # a review that is over is written down only when the product changes next
    up = not product["hidden"] and (
        status == "Đang bán" or (status == "Chờ duyệt" and REFUSED_WORDS not in product["name"])
    )
    return Shown(product["product_code"], product["price"], product["stock"], product["name"], up)


def _postmart(key: str, product: dict[str, Any]) -> Shown:
    price, stock, title = product["price"]["price_vnd"], product["stock"]["qty"], product["content"]["name"]
    return Shown(product["external_id"], price, stock, title, product["status"] == "live")


def _madeincamau(key: str, product: dict[str, Any]) -> Shown:
    fields = product["fields"]
    return Shown(key, fields["price_vnd"], fields["stock"], fields["name"], not product["hidden"])


def _refuse_at_voso(simulator: Any, sku: str) -> None:
    judge = simulator._judge

    def strict(product: dict[str, Any]) -> None:
        if product["product_code"] == sku:
            raise voso.invalid("category_id", "danh mục không còn")
        judge(product)

    simulator._judge = strict


def _refuse_at_postmart(simulator: Any, sku: str) -> None:
    faults = simulator._faults

    def strict(item: Any) -> Iterator[dict[str, str]]:
        if item.external_id == sku and not isinstance(item, postmart.Visibility):
            yield postmart.fault("unknown_category", "content.categories")
        yield from faults(item)

    simulator._faults = strict


def _refuse_at_madeincamau(simulator: Any, sku: str) -> None:
    body = simulator._body

    def strict(key: str, request: httpx.Request) -> Any:
        if key == sku:
            raise madeincamau.Refusal(422, ("category_id", "unknown_category"))
        return body(key, request)

    simulator._body = strict


REFUSING = {"voso": _refuse_at_voso, "postmart": _refuse_at_postmart, "madeincamau": _refuse_at_madeincamau}
READERS = {"voso": _voso, "postmart": _postmart, "madeincamau": _madeincamau}
ERRORS = {  # HTTP 200, and an error nobody has heard of
    "voso": b'{"status":500,"error":true,"message":"System error","data":null}',
    "postmart": b'{"error":{"code":"he_thong_ban","message_vi":"ban","field":""}}',
    "madeincamau": b'{"errors":[{"field":"","code":"he_thong_ban","message_vi":"ban"}]}',
}
VOSO_WRITES = ("create", "submit", "update", "updatePrice", "hide", "show")


def is_write(market: str, request: httpx.Request) -> bool:
    path = request.url.path
    if market == "voso":
        return path.rpartition("/")[2] in VOSO_WRITES or path.endswith("/media/upload")
    if market == "postmart":
        return request.method == "POST"
    return request.method != "GET" and not path.endswith("/oauth/token")


def is_lagging(market: str, request: httpx.Request) -> bool:
    """Searches and read-backs come from copies; what one product's own address answers at a write does not."""
    path = request.url.path
    if market == "voso":
        return path.endswith("/product/list")
    return "/products" in path


def is_search(market: str, request: httpx.Request) -> bool:
    """A look-up of some SKUs, and not a page of all there is."""
    return market == "voso" and is_lagging(market, request) and b"product_codes" in request.content


def _named(request: httpx.Request) -> bytes:
    return request.url.raw_path + request.content
