"""Scenarios of a listing that is there already: what changes arrives, whatever it is, or is said not to have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from connectors.conformance.bench import IMAGES, Shop, expect, said
from connectors.conformance.scenario import batching, both, capable, inapplicable, scenario
from connectors.conformance.writing import AS_MEANT, all_taken, changed_facets, one_each, unlike
from models.change import Kind
from models.listing import Listing, Remote
from models.outcome import Outcome
from models.text import Text

NOT_SHOWN = Text("không báo là đang bán", "not read as live")


def as_meant(shop: Shop, *listings: Listing) -> None:
    there = shop.read(*(listing.key for listing in listings))
    for listing in listings:
        expect(listing.key in there, Text(f"đọc lại thấy {listing.key}", f"{listing.key} to be read back"), set(there))
        wrong = unlike(there[listing.key], listing.facets)
        expect(not wrong, AS_MEANT, wrong)


def updated(shop: Shop, before: Listing, there: Remote, **changed: Any) -> Listing:
    """Sends what differs, and reads everything back."""
    after = shop.listing(before.key, **changed)
    if facets := changed_facets(before, after):
        all_taken(shop.carry_out([shop.change(Kind.UPDATE, after, facets, there)]))
        as_meant(shop, after)
    return after


def steps(shop: Shop) -> Iterator[dict[str, Any]]:
    """What an item is from one night to the next: each time something else of it has changed."""
    item: dict[str, Any] = {"price": shop.dearer()}
    yield item
    yield (item := {**item, **shop.reworded()})
    yield (item := {**item, "stock": 7})
    if shop.connector.capabilities.images:
        yield {**item, "images": IMAGES[1:2]}


@scenario(
    "Đổi riêng từng phần: giá, nội dung, tồn kho, ảnh đều đến nơi",
    "Price, content, stock and pictures arrive, each changed alone",
    capable("partial_update"),
)
def one_facet_at_a_time(shop: Shop) -> None:
    there, listing = shop.make("KIT-1")["KIT-1"], shop.listing()
    for item in steps(shop):
        listing = updated(shop, listing, there, **item)
        there = shop.read("KIT-1")["KIT-1"]

    expect(shop.live() == ["KIT-1"], Text("vẫn đang bán", "still live"), shop.shown("KIT-1"))


@scenario("Hết hàng: số 0 cũng phải đến nơi", "Sold out: nothing is a number too", capable("partial_update"))
def sold_out(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]

    updated(shop, shop.listing(), there, stock=0)


def several_pictures(shop: Shop) -> None:
    if shop.connector.capabilities.max_images < len(IMAGES):
        inapplicable(f"nhận ít hơn {len(IMAGES)} ảnh", f"takes fewer than {len(IMAGES)} pictures")


@scenario("Nhiều ảnh: đủ, và đúng thứ tự", "Several pictures: all of them, in their order", capable("images"))
def pictures_in_order(shop: Shop) -> None:
    several_pictures(shop)
    before = shop.listing(images=IMAGES)
    fewer = changed_facets(before, shop.listing(images=IMAGES[:-1]))
    expect("images" in fewer, Text("ảnh nào cũng được đăng", "every picture to be in the listing"), before.facets)
    there = shop.make("KIT-1", images=IMAGES)["KIT-1"]
    as_meant(shop, before)

    updated(shop, before, there, images=(IMAGES[-1], IMAGES[0]))


@scenario("Bán lại với giá và tồn kho mới", "What is sold again has the price and stock of that day", capable("delist"))
def relist_with_changes(shop: Shop) -> None:
    before, there = shop.listing(), shop.make("KIT-1")["KIT-1"]
    all_taken(shop.carry_out([shop.change(Kind.DELIST, before, remote=there)]))
    there = shop.read("KIT-1").get("KIT-1", there)
    after = shop.listing(stock=7, price=shop.dearer())
    all_taken(shop.carry_out([shop.change(Kind.RELIST, after, changed_facets(before, after), there)]))

    one_each(shop, "KIT-1")
    expect(shop.live() == ["KIT-1"], Text("đang bán lại", "live again"), shop.shown("KIT-1"))
    as_meant(shop, after)


@scenario("Tin đã gỡ không đọc thành tin đang bán", "What was delisted is not read as live", capable("delist"))
def hidden_is_read_as_hidden(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    all_taken(shop.carry_out([shop.change(Kind.DELIST, shop.listing(), remote=there)]))

    read = [*shop.client.fetch(["KIT-1"]), *chain.from_iterable(shop.client.everything())]
    live = [remote.key for remote in read if remote.status == "live"]
    expect(not live, NOT_SHOWN, live)


@scenario(
    "Gỡ tin mà sàn không đáp: không coi là đã gỡ",
    "A delist that is not answered is not taken for done",
    capable("delist"),
)
def delist_without_an_answer(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    shop.wire.answer_all(500, b"{}", {"Content-Type": "application/json"})
    result = shop.wait(shop.push([shop.change(Kind.DELIST, shop.listing(), remote=there)]))["KIT-1"]
    shop.wire.clear()

    unsure = Text("một nghi ngờ hoặc hoãn lại", "a doubt or a deferral")
    expect(result.outcome not in (Outcome.ACKNOWLEDGED, Outcome.REJECTED), unsure, said(result))


@scenario(
    "Sửa bị từ chối: nói rõ, và mục khác vẫn được sửa",
    "A refused update is said, and the other one is made",
    capable("partial_update"),
)
def refused_update(shop: Shop) -> None:
    there, first, other = shop.make("KIT-1", "KIT-2"), shop.listing("KIT-1"), shop.listing("KIT-2", stock=7)
    bad, facets = shop.spoiled(first)
    changes = [
        shop.change(Kind.UPDATE, bad, facets, there["KIT-1"]),
        shop.change(Kind.UPDATE, other, ["stock"], there["KIT-2"]),
    ]
    results = shop.carry_out(changes)

    refused = Text("bị từ chối, có lý do", "a rejection with a problem")
    expect(results["KIT-1"].outcome is Outcome.REJECTED and results["KIT-1"].problem, refused, said(results["KIT-1"]))
    if results["KIT-2"].outcome is Outcome.UNKNOWN:  # some refuse without a word which of them
        results |= shop.recover(changes[1])
    all_taken({"KIT-2": results["KIT-2"]})
    as_meant(shop, first, other)


@scenario(
    "Một lô có cả đăng, sửa và gỡ", "One batch creates, updates and delists", both(batching, capable("partial_update"))
)
def mixed_batch(shop: Shop) -> None:
    there, update = shop.make("KIT-1", "KIT-2"), shop.listing("KIT-1", stock=7)
    changes = [
        *shop.create("KIT-3"),
        shop.change(Kind.UPDATE, update, ["stock"], there["KIT-1"]),
        shop.change(Kind.DELIST, shop.listing("KIT-2"), remote=there["KIT-2"]),
    ]
    all_taken(shop.carry_out(changes))

    expect(shop.live() == ["KIT-1", "KIT-3"], Text("KIT-1 và KIT-3 đang bán", "KIT-1 and KIT-3 live"), shop.live())
    as_meant(shop, update, shop.listing("KIT-3"))


@scenario(
    "Đăng mà tin đã có: tin đó thành đúng điều cần bán",
    "A create that finds its listing there makes it what it should be",
)
def create_of_what_is_there(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    after = shop.listing(stock=7, price=shop.dearer())
    all_taken(shop.carry_out([shop.change(Kind.CREATE, after, remote=there)]))

    one_each(shop, "KIT-1")
    as_meant(shop, after)


@scenario(
    "Tin bị xóa trên sàn: sửa nó không phải thành công, cũng không phải bị từ chối",
    "An update of what was deleted there is no success, and no fault of the record",
)
def update_of_what_is_gone(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    shop.sandbox.reset()
    after = shop.listing(stock=7)
    result = shop.carry_out([shop.change(Kind.UPDATE, after, ["stock"], there)])["KIT-1"]

    honest = Text("không tính là đã nhận khi không còn tin", "no success where nothing is there")
    expect(result.outcome is not Outcome.ACKNOWLEDGED or shop.live() == ["KIT-1"], honest, said(result))
    looked_up = Text("một nghi ngờ, để tra lại", "a doubt, so that it is looked up")
    expect(result.outcome is not Outcome.REJECTED, looked_up, said(result))


@scenario(
    "Đang chờ duyệt thì bị xóa: không tính là đã đăng",
    "What vanishes while it is under way is no success",
    capable("poll"),
)
def gone_while_under_way(shop: Shop) -> None:
    shop.far.hold()
    first = shop.push(shop.create("KIT-1"))
    if first["KIT-1"].outcome is not Outcome.ACCEPTED:
        inapplicable("không có việc chờ", "nothing is ever under way")
    shop.far.go_on()
    shop.sandbox.reset()

    last = shop.wait(first)["KIT-1"]
    expect(last.outcome is not Outcome.ACKNOWLEDGED, Text("không tính là đã đăng", "no success"), said(last))


# --- what a mapping lets through --------------------------------------------------------------------------------------

WORDS = "Tôm khô Rạch Gốc loại đặc biệt "
SIGNS = "Tôm & cua “loại 1” 'ngon' 100% + 5 < 6; a/b \\ #1 ½ kg – 🦐"


def edges(shop: Shop) -> Iterator[dict[str, Any]]:
    """Items at and beyond what some marketplace takes: too long, too dear, too cheap, too many."""
    most = shop.connector.capabilities.max_name_len or 100
    lengths = (*range(most // 2, most + 2, max(1, most // 16)), 4 * most)
    yield from ({"name": (WORDS * length)[:length].strip()} for length in lengths)
    yield from ({"description": (WORDS * length)[:length]} for length in (250, 1_000, 4_000, 60_000))
    yield from ({"price": shop.priced(amount)} for amount in (1, 500, 10**8, 10**9 + 1, 10**12))
    yield from ({"stock": stock} for stock in (10**4, 10**6, 10**9))
    yield from ({"name": SIGNS[:40]}, {"description": SIGNS}, {"images": IMAGES[:1] * 30}, {"brand": WORDS * 9})


@scenario(
    "Ánh xạ cho qua thì sàn nhận, và đọc lại giống vậy",
    "What the mapping lets through the marketplace takes, and shows as it was sent",
)
def let_through_is_taken(shop: Shop) -> None:
    projected = (shop.projected(**item) for item in edges(shop))
    let_through = [one for one in projected if isinstance(one, Listing)]
    listings = [Listing(key=f"KIT-{number}", facets=one.facets) for number, one in enumerate(let_through)]
    results = shop.carry_out([shop.change(Kind.CREATE, listing) for listing in listings])

    all_taken(results)
    as_meant(shop, *listings)
