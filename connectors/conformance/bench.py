"""What a scenario works with: a shop on one connector's own simulator, a line that can be broken, and a hand clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx
import msgspec

from connectors.contract import Client, Connector, Policy
from connectors.errors import (
    Conflict,
    ConnectorError,
    Refused,
    Unanswered,
    problem_of,
)
from connectors.simulator import Sandbox, SandboxTransport
from connectors.tokens import InMemory
from connectors.transport import Session
from models.catalogue import English, Image, Money, Producer
from models.change import Change, Kind
from models.listing import FACETS, Facets, Item, Listing, Remote, Unlistable
from models.outcome import Outcome, Result
from models.text import Text
from models.value import replace

SHOTS = tuple(b"\x89PNG\r\n\x1a\n" + b"conformance kit" + extra for extra in (b"", b" 2", b" 3"))
PICTURES = {sha256(shot).hexdigest(): shot for shot in SHOTS}
IMAGES = tuple(
    Image(sha256=sha, media_type="image/png", width=1600, height=1600, size=len(shot)) for sha, shot in PICTURES.items()
)
DONG, ABROAD = Decimal(643_217), Decimal("24.50")
POLLS, POLL_SECONDS = 12, 5.0
REQUESTS_MOST = 1_000  # of one scenario: a client that never ends is stopped
SANDBOX = Policy(sandbox=True, requests_per_minute=100_000)
DOUBTS = {Unanswered: Outcome.UNKNOWN, Conflict: Outcome.UNKNOWN, Refused: Outcome.REJECTED}

JSON = {"Content-Type": "application/json"}

Tamper = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Failed(Exception):
    """The connector does not do what the scenario asks: what that was, and what was there instead."""

    def __init__(self, expected: Text, found: object) -> None:
        super().__init__(expected.en)
        self.expected, self.found = expected, str(found)

    @property
    def sentence(self) -> Text:
        told = Text("Phải thấy: {expected}. Thực tế: {found}", "Expected: {expected}. Found: {found}")
        return Text(
            told.vi.format(expected=self.expected.vi, found=self.found),
            told.en.format(expected=self.expected.en, found=self.found),
        )


class Inapplicable(Exception):
    """This connector has nothing that the scenario is about; `reason` says why."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


def expect(holds: object, expected: Text, found: object) -> None:
    if not holds:
        raise Failed(expected, found)


class HandClock:
    """Stands still until someone sleeps."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
        self.ticks = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds


class FarClock:
    """The marketplace's: ours, unless its work is held up."""

    def __init__(self, near: HandClock) -> None:
        self._clock = near
        self.held_at: datetime | None = None

    def hold(self) -> None:
        self.held_at = self._clock.now()

    def go_on(self) -> None:
        self.held_at = None

    def now(self) -> datetime:
        return self.held_at or self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class Shelf:
    """Some pictures, and what the marketplace calls them."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def read(self, sha256: str) -> bytes:
        return PICTURES[sha256]

    def remote_id(self, sha256: str) -> str | None:
        return self._ids.get(sha256) or None

    def remember(self, sha256: str, remote_id: str) -> None:
        self._ids[sha256] = remote_id


class Wire(httpx.BaseTransport):
    """The line to the simulator: `before` may answer in its place, `after` may change or lose what it answered."""

    def __init__(self, sandbox: Sandbox, clock: HandClock) -> None:
        self._far, self._sandbox, self._clock = SandboxTransport(sandbox), sandbox, clock
        self.at: list[float] = []  # when each request left
        self.seen: list[Any] = []  # the parsed answers
        self.asked: list[bytes] = []  # the requests, as bytes
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Tamper = lambda request, response: response

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if len(self.at) >= REQUESTS_MOST:
            raise Failed(Text("một số yêu cầu có hạn", "a limited number of requests"), f"{len(self.at)}")
        self.at.append(self._clock.monotonic())
        request.read()
        self.asked.append(bytes(request.url.raw_path) + repr(request.headers.raw).encode() + request.content)
        answer = self.before(request)
        if answer is None:
            answer = self.after(request, self._far.handle_request(request))
        body = answer.read()
        self.seen.append(parsed(body))
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))

    def clear(self) -> None:
        self.before = lambda request: None
        self.after = lambda request, response: response

    def writes(self) -> int:
        return int(self._sandbox.show()["requests"]["write"])

    def lose_next_write(self) -> None:
        """The next write is carried out, and its answer never comes."""
        before = self.writes()

        def lost(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if self.writes() == before:
                return response
            self.clear()
            raise httpx.ReadTimeout("no answer", request=request)

        self.after = lost

    def answer_all(self, status: int, body: bytes, headers: Mapping[str, str], *, times: int = -1) -> None:
        """These answers instead of the marketplace's; without `times` until told otherwise."""
        left = times

        def instead(request: httpx.Request) -> httpx.Response | None:
            nonlocal left
            if left == 0:
                return None
            left -= 1
            return httpx.Response(status, headers=headers, content=body)

        self.before = instead

    def answer_naming(self, word: bytes, answer: Callable[[], httpx.Response]) -> None:
        """That answer to every write which names the word."""

        def instead(request: httpx.Request) -> httpx.Response | None:
            named = request.method != "GET" and word in request.url.raw_path + request.content
            return answer() if named else None

        self.before = instead

    def rewrite(self, change: Callable[[Any], Any]) -> None:
        """Every JSON answer as `change` leaves it."""

        def changed(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            data = parsed(response.read())
            if data is None:
                return response
            headers = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
            return httpx.Response(response.status_code, headers=headers, content=msgspec.json.encode(change(data)))

        self.after = changed


class Shop:
    """One account on one simulator, used as the engine uses it."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.clock = HandClock()
        self.far = FarClock(self.clock)
        self.media = Shelf()
        self.tokens = InMemory()
        self.sandbox = Sandbox(connector.simulator_class(), clock=self.far, seed=1)
        self.simulator: Any = self.sandbox.marketplace  # with what it says beyond the contract
        self.wire = Wire(self.sandbox, self.clock)
        self.credentials = connector.credentials(**self.sandbox.marketplace.credentials)
        self.sessions: list[Session] = []
        self.client = self.open()
        self._tokens = 0

    def open(self, **changed: Any) -> Client:
        """Another client of the same account: another process."""
        given: dict[str, Any] = {
            "credentials": self.credentials,
            "policy": self.policy,
            "clock": self.clock,
            "media": self.media,
            "rng": random.Random(7),  # noqa: S311  # jitter, and the same each time
            "transport": self.wire,
            "tokens": self.tokens,
        }
        session = Session(self.connector, f"https://sandbox.invalid/{self.connector.name}", **(given | changed))
        self.sessions.append(session)
        return self.connector.client(session)

    def close(self) -> None:
        for session in self.sessions:
            session.close()
        self.sandbox.state.close()

    @property
    def policy(self) -> Policy:
        currency = self.connector.currencies[0]
        if currency == "VND":
            return SANDBOX
        return Policy(sandbox=True, requests_per_minute=100_000, currency=currency, rate=Decimal(26_250))

    # --- what is sent -------------------------------------------------------------------------------------------------

    def item(self, sku: str = "KIT-1", **changed: Any) -> Item:
        currency = self.connector.currencies[0]
        return replace(replace(SHRIMP, price=self.priced(DONG if currency == "VND" else ABROAD)), sku=sku, **changed)

    def priced(self, amount: Decimal | int) -> Money:
        return Money(amount=Decimal(amount), currency=self.connector.currencies[0])

    def dearer(self) -> Money:
        """Than the sample item, by less than any marketplace may find odd."""
        price = self.item().price
        return replace(price, amount=price.amount + (1_000 if price.currency == "VND" else 1))

    def reworded(self) -> dict[str, Any]:
        """Another description, in both languages."""
        return {"description": "Tôm đất phơi ba ngày nắng.", "english": replace(ENGLISH, description="Dried for days.")}

    def projected(self, sku: str = "KIT-1", **changed: Any) -> Listing | Unlistable:
        return self.connector.project(self.item(sku, **changed), self.policy)

    def listing(self, sku: str = "KIT-1", **changed: Any) -> Listing:
        listing = self.projected(sku, **changed)
        if isinstance(listing, Listing):
            return listing
        told = "; ".join(f"{p.field}: {p.message.en}" for p in listing.problems)
        raise Failed(Text("mặt hàng mẫu của bộ kiểm đăng được", "the kit's sample item to be listable"), told)

    def change(
        self, kind: Kind, listing: Listing, facets: Sequence[str] = FACETS, remote: Remote | None = None
    ) -> Change:
        self._tokens += 1
        return Change(
            key=listing.key,
            kind=kind,
            facets=() if kind is Kind.DELIST else tuple(facets),
            listing={} if kind is Kind.DELIST else listing.facets,
            token=f"kit-{self._tokens}",
            remote_id=remote.remote_id if remote else "",
            revision=remote.revision if remote else "",
        )

    def create(self, *skus: str, **changed: Any) -> list[Change]:
        return [self.change(Kind.CREATE, self.listing(sku, **changed)) for sku in skus or ("KIT-1",)]

    def unacceptable(self, sku: str = "KIT-BAD") -> Change:
        """A create that the marketplace refuses: its prices are below nothing, unless the simulator names others."""
        return self.change(Kind.CREATE, self.spoiled(self.listing(sku))[0])

    def spoiled(self, listing: Listing) -> tuple[Listing, list[str]]:
        """The same as the marketplace refuses it, and which facets it refuses."""
        declared: Facets = getattr(self.simulator, "refused_facets", {})
        wrong = {name: listing.facets[name] | value for name, value in declared.items()}
        wrong = wrong or {"price": negative(listing.facets["price"])}
        return replace(listing, facets=listing.facets | wrong), list(wrong)

    # --- what becomes of it -------------------------------------------------------------------------------------------

    def push(self, changes: Sequence[Change]) -> dict[str, Result]:
        """In the connector's own batches; a failed call counts for every change in it, as in the engine."""
        size = self.connector.limits.batch_size
        parts = [changes[start : start + size] for start in range(0, len(changes), size)]
        return {r.key: r for part in parts for r in self._push(part)}

    def _push(self, changes: Sequence[Change]) -> list[Result]:
        try:
            return each_once(changes, self.client.push(changes))
        except Refused as error:
            if len(changes) > 1:
                middle = len(changes) // 2
                return self._push(changes[:middle]) + self._push(changes[middle:])
            return whole_batch(changes, error)
        except ConnectorError as error:
            return whole_batch(changes, error)

    def poll(self, results: Mapping[str, Result]) -> dict[str, Result]:
        """Asked once about everything that is under way."""
        pending = [r for r in results.values() if r.outcome is Outcome.ACCEPTED]
        try:
            told = self.client.poll(pending) if pending else []
        except ConnectorError:
            return dict(results)
        each_once(pending, told)
        return {**results, **{r.key: r for r in told}}

    def wait(self, results: Mapping[str, Result]) -> dict[str, Result]:
        """Until nothing is under way, or long enough."""
        known = dict(results)
        for _ in range(POLLS):
            if all(r.outcome is not Outcome.ACCEPTED for r in known.values()):
                break
            self.clock.sleep(max(POLL_SECONDS, self.connector.limits.poll_after))
            known = self.poll(known)
        return known

    def carry_out(self, changes: Sequence[Change]) -> dict[str, Result]:
        """Pushed, polled to the end, and old enough to be read."""
        results = self.wait(self.push(changes))
        self.clock.sleep(self.connector.limits.settle_after)
        return results

    def make(self, *skus: str, **changed: Any) -> dict[str, Remote]:
        """On sale there: by key what is read back."""
        results = self.carry_out(self.create(*skus, **changed))
        wrong = {k: said(r) for k, r in results.items() if r.outcome is not Outcome.ACKNOWLEDGED}
        expect(not wrong, Text("các mặt hàng mẫu đăng được", "the sample items to be taken"), wrong)
        return self.read(*(skus or ("KIT-1",)))

    def read(self, *skus: str) -> dict[str, Remote]:
        return {remote.key: remote for remote in self.client.fetch(list(skus))}

    def recover(self, change: Change) -> dict[str, Result]:
        """As the engine after a doubt: read it back, then say again what should be, by the id that was found."""
        self.clock.sleep(max(60.0, self.connector.limits.settle_after))
        found = self.read(change.key).get(change.key)
        again = replace(change, remote_id=found.remote_id, revision=found.revision) if found else change
        return self.carry_out([again])

    def shown(self, key: str) -> list[dict[str, Any]]:
        """Everything the marketplace has under this key, whatever its state."""
        return [one for one in self.sandbox.show()["listings"] if one["key"] == key]

    def live(self) -> list[str]:
        return sorted(one["key"] for one in self.sandbox.show()["listings"] if one["status"] == "live")


def each_once(asked: Sequence[Change | Result], told: Iterable[Result]) -> list[Result]:
    """Exactly one answer for each that was asked about."""
    results = list(told)
    keys = sorted(r.key for r in results)
    wanted = sorted(a.key for a in asked)
    expect(keys == wanted, Text(f"mỗi khóa đúng một kết quả: {wanted}", f"one result for each key: {wanted}"), keys)
    return results


def whole_batch(changes: Sequence[Change], error: ConnectorError) -> list[Result]:
    outcome = next((o for kind, o in DOUBTS.items() if isinstance(error, kind)), Outcome.DEFERRED)
    return [Result(key=change.key, outcome=outcome, problem=problem_of(error)) for change in changes]


def said(result: Result) -> str:
    problem = result.problem
    return f"{result.outcome.value} {problem.code}: {problem.message.en}" if problem else result.outcome.value


def parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:
        return None


def negative(value: Any) -> Any:
    """Every number below nothing, also those written as text."""
    if isinstance(value, dict):
        return {name: negative(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [negative(inner) for inner in value]
    if isinstance(value, str):
        return f"-{value}" if value[:1].isdecimal() else value
    return -value if isinstance(value, int | float) and not isinstance(value, bool) else value


ENGLISH = English(
    name="Dried shrimp from Rach Goc",
    description="Sun-dried shrimp, fragrant and sweet.",
    ingredients="Shrimp, salt",
    storage="Keep in a cool, dry place",
    usage="Ready to eat, or for soup",
)
SHRIMP = Item(
    sku="KIT-1",
    group="KIT",
    name="Tôm khô Rạch Gốc",
    brand="Năm Căn",
    description="Tôm đất phơi nắng, thơm và ngọt.\nĐóng gói tại Cà Mau.",
    producer=Producer(producer_id="P1", legal_name="HTX Rạch Gốc", commune="Phan Ngọc Hiển", province="Cà Mau"),
    price=Money(amount=DONG),
    list_price=None,
    price_confirmed_on=date(2026, 11, 20),
    stock=20,
    pack="500 g/hộp",
    gtin="",
    set_no=8,
    certificate=None,
    is_alcohol=False,
    alcohol_percent=None,
    ingredients="Tôm đất, muối",
    shelf_life="12 tháng",
    storage="Nơi khô mát",
    usage="Ăn liền hoặc nấu canh",
    warnings="",
    origin="Cà Mau",
    marks="",
    images=IMAGES[:1],
    english=ENGLISH,
)
