"""Scenarios of tokens that end while a batch is under way, and of those that work once."""

from __future__ import annotations

import httpx

from connectors.conformance.bench import Shop, expect
from connectors.conformance.scenario import both, rotating, scenario, simulating
from connectors.conformance.writing import all_taken, one_each
from connectors.tokens import InMemory, TokenPair
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
