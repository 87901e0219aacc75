"""A simulated marketplace behind a wire that loses, delays, doubles and spoils what it carries."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import msgspec

from connectors.contract import Connector
from connectors.simulator import Answer, below
from tests.simulation.schedule import Hub, HubClock, Worker
from tests.simulation.wires import WAYS, Shown

NETWORK = (0.004, 0.06)  # seconds there and back
_encode, _decode = msgspec.json.encode, msgspec.json.decode


class Documents:
    """The simulators' State in dictionaries; values are kept as JSON, so that nobody shares them."""

    def __init__(self, watched: str, stored: Callable[[str, bytes | None, bytes | None], None]) -> None:
        """Tells of every change of a document of the kind `watched`."""
        self.kinds: dict[str, dict[str, bytes]] = {}
        self._watched, self._stored = watched, stored

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def get(self, kind: str, key: str) -> Any:
        raw = self.kinds.get(kind, {}).get(key)
        return None if raw is None else _decode(raw)

    def put(self, kind: str, key: str, value: Any) -> None:
        these = self.kinds.setdefault(kind, {})
        raw = _encode(value)
        if kind == self._watched:
            self._stored(key, these.get(key), raw)
        these[key] = raw

    def delete(self, kind: str, key: str) -> None:
        old = self.kinds.get(kind, {}).pop(key, None)
        if kind == self._watched and old is not None:
            self._stored(key, old, None)

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
        self.name, self.ways = connector.name, WAYS[connector.name]
        self.state = Documents(self.ways.kind, self._stored)
        simulator = connector.simulator_class()
        self.simulator: Any = simulator(self.state, HubClock(hub), random.Random(rng.getrandbits(32)))
        self.credentials = self.simulator.credentials
        self.requests = self.writes = self.faults = 0
        self._past: deque[tuple[float, dict[str, dict[str, bytes]]]] = deque()
        self._flapping = random.Random()
        self._flapping.setstate(rng.getstate())  # its own draws: the other faults of a seed stay as they are
        self._flapped: set[int] = set()

    # The far end

    def arrive(self, arrival: Arrival) -> None:
        """The request is here: it is counted, judged, perhaps carried out, perhaps answered."""
        request, fault = arrival.request, arrival.fault
        write = self.ways.writes(request)
        self.requests += 1
        self.writes += write
        self.watch.arrived(self, arrival, write)
        if write and self._is_poisoned(request):
            arrival.answer = httpx.Response(500, text="poisoned")
            return
        if fault.endswith("-before") or fault.startswith(("429", "not-done")):
            self._refuse(arrival)
            return
        answer = self._handle(arrival, write)
        if fault == "double":
            answer = self.rng.choice((answer, self._handle(arrival, write)))
        if write and self.ways.done_after:
            self.hub.at(self.hub.seconds + self.ways.done_after, self._look)
        self._send_back(arrival, answer.response)

    def _look(self) -> None:
        """What is due there happens."""
        self.simulator.listings()

    def shown(self) -> dict[str, Shown]:
        """By the marketplace's own key, as of now."""
        self._look()
        return dict(self._products())

    def listed_already(self) -> None:
        """Tells the oracle what was here before it began to watch."""
        for key, shown in self._products():
            self.watch.known(self, key, shown)

    def sku(self, key: str) -> str:
        return self._read(key, self.state.kinds[self.ways.kind][key]).sku

    def _products(self) -> list[tuple[str, Shown]]:
        these = self.state.kinds.get(self.ways.kind, {})
        return [(key, self._read(key, raw)) for key, raw in sorted(these.items())]

    def _is_poisoned(self, request: httpx.Request) -> bool:
        """By SKU, or by the marketplace's own key."""
        if not self.wiring.poison:
            return False
        keys = {key for key, shown in self._products() if shown.sku in self.wiring.poison}
        return any(name.encode() in _named(request) for name in self.wiring.poison | keys)

    def refuse(self, sku: str) -> None:
        """From now on a rule that no document mentions stands against this product."""
        self.ways.refuses(self.simulator, sku)

    def live(self) -> list[dict[str, Any]]:
        """In the catalogue's words and money."""
        listings = [one for one in self.simulator.listings() if one["status"] == "live"]
        told = (("title", self.ways.title), ("price", self.ways.dong))
        return [one | {name: ours(one[name]) for name, ours in told} for one in listings]

    def authorise(self) -> bool:
        """Whether the shop's owner could agree once more, where a pair of tokens is worth nothing any more."""
        if self.ways.authorise is None:
            return False
        self.credentials = self.ways.authorise(self.simulator)
        return True

    def _handle(self, arrival: Arrival, write: bool) -> Answer:
        path = below(arrival.request, self.name)
        if self._flaps(arrival):
            kinds = {**self.state.kinds, **{kind: {} for kind in self.ways.emptied}}
            return self._handle_with(kinds, arrival.request, path)
        if not write and self.wiring.lag and self.hub.faults and self.ways.lags(arrival.request):
            return self._handle_in_the_past(arrival.request, path)
        if write and self.wiring.lag:
            self._remember()
        return self._answer(arrival.request, path)

    def _answer(self, request: httpx.Request, path: list[str]) -> Answer:
        answer: Answer = self.simulator.handle(request, path)
        return answer

    def _remember(self) -> None:
        """How things stood until now."""
        self._past.append((self.hub.seconds, self.state.copy()))
        while self._past and self._past[0][0] < self.hub.seconds - self.wiring.lag:
            self._past.popleft()

    def _flaps(self, arrival: Arrival) -> bool:
        """A search by SKU misses everything, however long it has been there; the next one of that process does not."""
        if not (self.wiring.flaps and self.hub.faults and self.ways.searches(arrival.request)):
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
            return self._answer(request, path)
        self.hub.note(f"{self.name} reads an old copy")
        of_today = {kind: these for kind, these in self.state.kinds.items() if kind in self.ways.current}
        return self._handle_with({**old, **of_today}, request, path)

    def _handle_with(self, kinds: dict[str, dict[str, bytes]], request: httpx.Request, path: list[str]) -> Answer:
        """As if these were the records; nothing that it changes there lasts."""
        now, self.state.kinds = self.state.kinds, {kind: dict(these) for kind, these in kinds.items()}
        watch, self.watch = self.watch, None
        try:
            return self._answer(request, path)
        finally:
            self.state.kinds, self.watch = now, watch

    def _refuse(self, arrival: Arrival) -> None:
        fault = arrival.fault
        if fault == "reset-before":
            arrival.lost = httpx.ReadError("reset")
        elif fault.startswith("429"):
            arrival.answer = self._too_many(fault)
        elif fault == "not-done-200":
            arrival.answer = httpx.Response(200, content=self.ways.error)
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
            arrival.answer = httpx.Response(200, content=self.ways.error)
        elif fault == "revoke":
            self.ways.revoke(self.simulator)
            arrival.answer = answer
        elif fault in LINES:
            name = self.ways.lines(arrival.request)
            content = self._garble(fault, name, body) if name else body
            arrival.answer = httpx.Response(answer.status_code, headers=answer.headers, content=content)
        else:
            arrival.answer = answer
        if arrival.answer is not None:  # as every server on the net does
            arrival.answer.headers["Date"] = format_datetime(self.hub.now(), usegmt=True)

    def _garble(self, fault: str, name: str, body: bytes) -> bytes:
        """Results of a batch in another order, some missing, some twice, some about nothing we sent."""
        data = _decode(body) if body else None
        lines = data.get(name) if isinstance(data, dict) else None
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
            lines.insert(0, self.ways.stranger(one))
        else:
            lines.append(self.ways.contradiction(one))
        return _encode(data | {name: lines})

    def _stored(self, key: str, old: bytes | None, new: bytes | None) -> None:
        if self.watch is not None:
            before = self._read(key, old) if old is not None else None
            self.watch.stored(self, key, before, self._read(key, new) if new is not None else None)

    def _read(self, key: str, raw: bytes) -> Shown:
        return self.ways.read(key, _decode(raw))

    # By hand, in the marketplace's own back office

    def set_price(self, key: str, price: int) -> None:
        self._edit(key, lambda product: self.ways.set_price(product, price))

    def set_hidden(self, key: str, *, hidden: bool) -> None:
        self._edit(key, lambda product: self.ways.set_hidden(product, hidden))

    def add_foreign(self, like: str, sku: str) -> None:
        """A listing our catalogue does not know, made by hand from one of ours."""
        key, product = self.ways.copied(self.state, like, self.state.get(self.ways.kind, like), sku)
        self.state.put(self.ways.kind, key, product)

    def drop(self, key: str) -> None:
        """Deleted by hand."""
        for kind in (self.ways.kind, *self.ways.beside):
            self.state.delete(kind, key)

    def _edit(self, key: str, change: Callable[[dict[str, Any]], None]) -> None:
        product = self.state.get(self.ways.kind, key)
        change(product)
        if isinstance(product.get("revision"), int):
            product["revision"] += 1
        self.state.put(self.ways.kind, key, product)


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
        create = bool(market.ways.creates(request))
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


def _named(request: httpx.Request) -> bytes:
    return request.url.raw_path + request.content
