"""The connector contract: a marketplace is a declared value, and the few functions behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

import httpx
from pydantic import BaseModel

from models.change import Change
from models.listing import Facet, Item, Listing, Problem, Remote, Unlistable
from models.outcome import Result
from models.text import Text

if TYPE_CHECKING:
    from connectors.transport import Session

Safety = Literal["A", "B", "C", "D"]
Mode = Literal["api", "file", "dormant"]
OnDrift = Literal["report", "heal", "adopt", "ignore"]
OnDeleted = Literal["ask", "recreate", "leave"]


REQUEST_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most `permits` requests in any `seconds`; without `operations` of every kind together."""

    permits: int
    seconds: float
    operations: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    batch_size: int  # changes in one push
    in_flight: int  # pushes at once
    rates: tuple[Rate, ...]
    fetch_size: int = 50  # keys in one fetch
    poll_after: float = 1.0  # seconds until a handle is worth asking about
    settle_after: float = 0.0  # seconds until a read sees what a write did
    request_seconds: float = REQUEST_SECONDS  # from leaving to the end of the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What the planner may ask for; names as in vn-marketplaces §5."""

    poll: bool = False
    delist: bool = True
    images: bool = False
    partial_update: bool = False
    price_feed: bool = False
    stock_feed: bool = False
    read_back: bool = True
    idempotency: bool = False
    needs_review: bool = False
    preview: bool = False  # it says of a new listing what it would say, and keeps nothing
    html_description: bool = False
    max_images: int = 0
    max_name_len: int = 0
    file: bool = False
    ocop_badge: Literal["field", "category", "text", "none"] = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a person settled for one account; a mapping reads nothing of it from `currency` on.

    The catalogue's prices are đồng; `currency` is what this account sells in, `rate` how many đồng one unit of it is
    worth. `drift` says what happens to a facet that was edited there: report it, heal it (send ours again), adopt it
    (theirs stays until our record changes) or ignore it; `deleted` whether a listing that was deleted there is made
    again.
    """

    sandbox: bool = False
    age_gate: bool = False  # buyers under 18 neither find nor see nor buy alcohol
    cashless_only: bool = False
    currency: str = "VND"
    rate: Decimal | None = None
    requests_per_minute: int = 0  # agreed with the operator; 0 = what the connector declares
    drift: dict[Facet, OnDrift] = field(default_factory=dict)  # a facet that is not named is reported
    deleted: OnDeleted = "ask"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seller:
    """Whose credentials these are: an id that stays the same, and the shop's name."""

    id: str
    name: str

    def __str__(self) -> str:
        return self.name if self.name == self.id else f"{self.name} ({self.id})"


class Client(Protocol):
    """One account's calls. Raises ConnectorError; one of push or poll then counts for every change in it."""

    def check(self) -> Seller:
        """Reads who the credentials belong to."""

    def push(self, changes: Sequence[Change]) -> list[Result]:
        """Sends one batch: exactly one Result per change, in any order."""

    def poll(self, pending: Sequence[Result]) -> list[Result]:
        """Asks about accepted changes; the ones still under way come back ACCEPTED.

        After a crash the handle may be no more than the `remote_id` that fetch gave.
        """

    def fetch(self, keys: Sequence[str]) -> list[Remote]:
        """What is there now under these keys; an absent one is missing from the answer."""

    def everything(self) -> Iterator[list[Remote]]:
        """All listings of the account, page by page; raises rather than end early."""


class Previews(Protocol):
    """What the client of a connector that declares `preview` does besides."""

    def preview(self, listing: Listing) -> Problem | None:
        """Why this listing would be refused as a new one, None where it would not; raises where neither is said."""


class Media(Protocol):
    """Pictures by content hash, and the ids a marketplace gave them."""

    def read(self, sha256: str) -> bytes: ...

    def remote_id(self, sha256: str) -> str | None: ...

    def remember(self, sha256: str, remote_id: str) -> None:
        """An empty id forgets: the marketplace no longer has the picture."""


@dataclass(frozen=True, kw_only=True)
class Connector:
    """One marketplace.

    `simulator` is the dotted path of the class in simulator.py, imported only when the sandbox runs. `live_mode` is
    what a live account starts with; `live_note` says why where that is not "api". `operation` names are free, `rates`
    refer to them.
    """

    name: str
    title: str
    safety: Safety
    mapping_version: int  # raise it when project maps differently: every listing is looked at again
    credentials: type[BaseModel]
    capabilities: Capabilities
    limits: Limits
    project: Callable[[Item, Policy], Listing | Unlistable]
    auth: Callable[..., httpx.Auth]  # of (credentials, clock); of (credentials, clock, tokens) where `rotates`
    client: Callable[[Session], Client]
    classify: Callable[[httpx.Response, Any], Exception | None]
    simulator: str
    base_url: str = ""  # empty where none is documented: a live account must name it
    live_mode: Mode = "api"
    live_note: Text | None = None
    modes: tuple[Mode, ...] = ("api", "file", "dormant")
    currencies: tuple[str, ...] = ("VND",)  # that a listing may have here; the first is the sandbox's
    rotates: bool = False  # its tokens renew themselves: auth keeps the latest in connectors.tokens.Tokens
    hosts: tuple[str, ...] = field(default=())  # beside the base URL's own

    def simulator_class(self) -> Any:
        module, _, name = self.simulator.rpartition(".")
        return getattr(import_module(module), name)
