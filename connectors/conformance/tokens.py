"""Scenarios of tokens that end while a batch is under way, and of those that work once."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import SecretStr

from connectors.conformance.bench import Shop, expect, said
from connectors.conformance.scenario import both, rotating, scenario, simulating
from connectors.conformance.writing import all_taken, one_each
from connectors.errors import AuthorisationFailed, ConnectorError, Misconfigured
from connectors.tokens import InMemory, TokenPair
from models.outcome import Outcome
from models.text import Text

KEYS = ("KIT-1", "KIT-2", "KIT-3")


def expire(shop: Shop) -> None:
    with shop.sandbox.state.transaction():
        shop.simulator.expire()


@scenario(
    "Khóa phiên hết hạn giữa lô: đổi khóa rồi gửi nốt",
    "A token that ends in mid-batch is renewed and the rest is sent",
    simulating("expire"),
)
def token_ends_in_mid_batch(shop: Shop) -> None:
    shop.make("KIT-0")
    before = shop.wire.writes()

    def after_the_first(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if shop.wire.writes() > before:
            shop.wire.clear()
            expire(shop)
        return response

    shop.wire.after = after_the_first
    all_taken(shop.carry_out(shop.create(*KEYS)))
    one_each(shop, *KEYS)
    expect(shop.live() == ["KIT-0", *KEYS], Text("cả lô đang bán", "the whole batch live"), shop.live())


def mistyped(credentials: Any) -> Any:
    """With every secret as someone may enter it."""
    secrets = {name: value for name, value in credentials if isinstance(value, SecretStr)}
    return credentials.model_copy(update={n: SecretStr(v.get_secret_value()[::-1]) for n, v in secrets.items()})


@scenario(
    "Sai khóa đăng nhập: dừng cả tài khoản, không từ chối mặt hàng nào",
    "Wrong credentials stop the account, and reject no item",
)
def wrong_credentials(shop: Shop) -> None:
    wrong = mistyped(shop.credentials)
    shop.client = shop.open(credentials=wrong, tokens=InMemory())
    result = shop.push(shop.create("KIT-1"))["KIT-1"]
    unsent = Text("mặt hàng được hoãn lại", "the item to be deferred")
    expect(result.outcome is Outcome.DEFERRED, unsent, said(result))
    try:
        found: object = shop.open(credentials=wrong, tokens=InMemory()).check()
    except ConnectorError as error:
        found = error
    stops = Text(
        "check báo AuthorisationFailed hoặc Misconfigured", "check to raise AuthorisationFailed or Misconfigured"
    )
    expect(isinstance(found, AuthorisationFailed | Misconfigured), stops, type(found).__name__)


class Watched(InMemory):
    """Notes how many requests had left when a pair was saved."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.tokens.read())
        self._shop = shop
        self.saved: dict[str, int] = {}

    def save(self, pair: TokenPair) -> None:
        super().save(pair)
        self.saved[pair.access] = len(self._shop.wire.asked)


@scenario(
    "Khóa làm mới dùng một lần: hai tiến trình không giẫm nhau, cất trước khi dùng",
    "A refresh token that works once: kept before it is used, read again by the loser",
    both(rotating, simulating("expire")),
)
def refresh_raced(shop: Shop) -> None:
    shop.tokens = Watched(shop)
    first, second = shop.open(), shop.open()
    first.check(), second.check()
    expire(shop)
    sellers = {first.check().id, second.check().id, shop.open().check().id}

    expect(len(sellers) == 1, Text("cùng một gian hàng", "the same seller"), sellers)
    expect(shop.tokens.saved, Text("cặp khóa mới được cất", "the new pair to be kept"), "nothing")
    for access, saved in shop.tokens.saved.items():
        early = [n for n, request in enumerate(shop.wire.asked[:saved]) if access.encode() in request]
        expect(not early, Text("cất trước khi dùng", "a pair to be kept before it is used"), early)
