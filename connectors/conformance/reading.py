"""Scenarios of what is read back: all of it, as it is, or an error; never less than there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from connectors.conformance.answering import must_raise
from connectors.conformance.bench import JSON, Shop, expect
from connectors.conformance.scenario import capable, inapplicable, scenario
from connectors.conformance.writing import all_taken
from connectors.errors import ConnectorError
from models.change import Kind
from models.text import Text

SIZES = 12, 26, 51, 101  # of a shop: one that needs a second page is large enough
REPEATS = 20
PRESENT = Text("đọc lại thấy tin, hoặc báo lỗi", "the listing, or an error")


@scenario("Sàn mô phỏng đủ phần cho tài khoản thử", "The simulator has every part that its sandbox account needs")
def whole_simulator(shop: Shop) -> None:
    simulator = shop.simulator
    lacking = [part for part in ("name", "quota", "credentials", "pace") if not getattr(simulator, part, None)]

    expect(not lacking, Text("name, quota, credentials, pace", "name, quota, credentials and pace"), lacking)
    own = shop.connector.name
    expect(simulator.name == own, Text(f"tên “{own}”", f"the name “{own}”"), simulator.name)


@scenario("Cùng khóa đăng nhập luôn là cùng một gian hàng", "The credentials always belong to the same seller")
def same_seller(shop: Shop) -> None:
    first, second = shop.client.check(), shop.open().check()

    same = Text("hai lần hỏi ra cùng một mã gian hàng", "the same seller id twice")
    expect(first.id and first.id == second.id, same, (first, second))


@scenario("Mục không có thì không bịa ra", "What is not there is missing from the answer")
def nothing_made_up(shop: Shop) -> None:
    shop.make("KIT-1")

    found = sorted(remote.key for remote in shop.client.fetch(["KIT-1", "KIT-NOBODY"]))
    expect(found == ["KIT-1"], Text("chỉ KIT-1", "KIT-1 alone"), found)


@scenario(
    "Đã nhận thì sau thời gian khai báo phải đọc thấy", "What was acknowledged is seen after the declared settle time"
)
def seen_after_settling(shop: Shop) -> None:
    changes = shop.create("KIT-1")
    all_taken(shop.wait(shop.push(changes)))
    shop.clock.sleep(shop.connector.limits.settle_after)

    expect("KIT-1" in shop.read("KIT-1"), Text("đọc thấy KIT-1", "KIT-1 to be seen"), "nothing")


@scenario(
    "Đọc lại là đọc thật, không nhớ lần trước",
    "Every read asks again: nothing is remembered",
    capable("partial_update"),
)
def reads_are_fresh(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    ours, shop.client = shop.client, shop.open()
    listing = shop.listing("KIT-1", stock=7)
    all_taken(shop.carry_out([shop.change(Kind.UPDATE, listing, ["stock"], there)]))

    (now,) = ours.fetch(["KIT-1"])
    expect(now.facets["stock"] == listing.facets["stock"], Text("số tồn mới", "the new stock"), now.facets["stock"])


@scenario("Sàn tự sửa mô tả: đọc lại phải thấy khác", "A description rewritten there is read as it is there")
def description_rewritten(shop: Shop) -> None:
    there, words = shop.make("KIT-1")["KIT-1"], ("Tôm đất phơi nắng", "Sun-dried shrimp")
    met = False

    def cut(data: Any) -> Any:
        nonlocal met
        text = msgspec.json.encode(data).decode()
        met = met or any(word in text for word in words)
        for word in words:
            text = text.replace(word, "[…]")
        return msgspec.json.decode(text)

    shop.wire.rewrite(cut)
    (now,) = shop.client.fetch(["KIT-1"])
    if not met:
        inapplicable("mô tả không đọc lại được", "the description cannot be read back")
    told = Text("nội dung khác với lúc đầu", "another content than before")
    expect(now.facets["content"] != there.facets["content"], told, now.facets["content"])


@scenario("Đọc toàn bộ gian hàng: đủ mọi trang", "Everything is everything, page after page")
def every_page(shop: Shop) -> None:
    keys = filled(shop)
    found = sorted(remote.key for page in shop.client.everything() for remote in page)

    expect(found == keys, Text(f"{len(keys)} tin, mỗi tin một lần", f"{len(keys)} listings, each once"), len(found))


@scenario("Đọc toàn bộ và đọc từng mã thấy như nhau", "Everything shows each listing as fetch does")
def every_page_as_fetched(shop: Shop) -> None:
    shop.make("KIT-1", stock=7)
    shop.make("KIT-2")

    one_by_one = {r.key: (r.remote_id, r.status, r.facets) for r in shop.client.fetch(["KIT-1", "KIT-2"])}
    together = {r.key: (r.remote_id, r.status, r.facets) for page in shop.client.everything() for r in page}
    expect(together == one_by_one, Text(f"như fetch: {one_by_one}", f"what fetch reads: {one_by_one}"), together)


@scenario(
    "Trang lặp lại mãi: báo lỗi, không dừng nửa chừng", "A page that repeats is an error, neither an end nor endless"
)
def repeated_page(shop: Shop) -> None:
    filled(shop)
    first: list[bytes] = []

    def again(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if b"KIT-" not in response.read():
            return response
        first.append(response.content)
        expect(len(first) < REPEATS, Text("dừng lại vì trang lặp", "an end to a page that repeats"), len(first))
        return httpx.Response(200, headers=JSON, content=first[0])

    shop.wire.after = again
    must_raise(lambda: [remote.key for page in shop.client.everything() for remote in page], "everything")
    if len(first) < 2:
        inapplicable("mọi tin nằm trong một trang", "everything comes in one page")


def filled(shop: Shop) -> list[str]:
    """The keys of a shop that does not fit on one page, as far as can be helped."""
    keys: list[str] = []
    for size in SIZES:
        new = [f"KIT-{number}" for number in range(len(keys), size)]
        all_taken(shop.carry_out(shop.create(*new)))
        keys += new
        if len(list(shop.client.everything())) > 1:
            break
    return sorted(keys)


@scenario(
    "Sàn đổi tên hoặc kiểu một trường: báo lỗi, không mất tin",
    "A renamed or retyped field is an error, never a missing listing",
)
def schema_change(shop: Shop) -> None:
    shop.make("KIT-1")
    shop.wire.seen.clear()
    shop.client.fetch(["KIT-1"])
    for path in sorted({path for answer in shop.wire.seen for path in paths(answer)}):
        for kind in ("renamed", "retyped"):
            read_changed(shop, path, kind)
            shop.wire.clear()


def read_changed(shop: Shop, path: str, kind: str) -> None:
    shop.wire.rewrite(lambda data: with_field(data, path, kind))
    try:
        found = [remote.key for remote in shop.client.fetch(["KIT-1"])]
    except ConnectorError:
        return
    expect(found == ["KIT-1"], PRESENT, f"{found}: {path} {kind}")


def paths(data: Any, before: str = "") -> Iterator[str]:
    """Every field of a document; the rows of a list share theirs."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield f"{before}/{name}"
            yield from paths(value, f"{before}/{name}")
    elif isinstance(data, list):
        for value in data:
            yield from paths(value, before)


def with_field(data: Any, path: str, kind: str, before: str = "") -> Any:
    """The document with that field under another name, or of another type."""
    if isinstance(data, list):
        return [with_field(value, path, kind, before) for value in data]
    if not isinstance(data, dict):
        return data
    after = {}
    for name, value in data.items():
        here = f"{before}/{name}"
        if here != path:
            after[name] = with_field(value, path, kind, here)
        elif kind == "renamed":
            after[f"kit_{name}"] = value
        else:
            after[name] = {"kit": value}
    return after


@scenario(
    "Sàn đổi cách trả lời khi ghi: không coi là thành công", "An answer of another shape to a write is no success"
)
def schema_change_of_a_write(shop: Shop) -> None:
    shop.make("KIT-0")
    shop.wire.rewrite(lambda data: {"kit": data})
    result = shop.push(shop.create("KIT-1"))["KIT-1"]

    doubt = Text("không được tính là đã nhận hay bị từ chối", "neither acknowledged nor rejected")
    expect(result.outcome.value not in ("acknowledged", "rejected"), doubt, result.outcome.value)
