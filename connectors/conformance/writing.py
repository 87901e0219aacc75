"""Scenarios of what is sent: it arrives as it was meant, once, and nothing is said to have arrived that has not."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from connectors.conformance.bench import DONG, POLLS, Shop, expect, said
from connectors.conformance.scenario import batching, both, capable, in_dong, inapplicable, scenario, simulating
from connectors.contract import Previews
from models.change import Kind
from models.listing import Facets, Listing, Remote, differing, facet_hash
from models.outcome import Outcome, Result
from models.text import Text
from models.value import replace

ONE_EACH = Text("mỗi SKU đúng một tin", "one listing for each SKU")
AS_MEANT = Text("đọc lại giống điều đã gửi", "what is read back to be what was sent")
TAKEN = Text("sàn nhận", "the change to be taken")
HOUR = 3_600.0  # seconds: what was kept would be seen by then
NEVER_ACKNOWLEDGED = Text("không bao giờ được tính là đã nhận", "never counted as acknowledged")


def unlike(remote: Remote, wanted: Facets) -> dict[str, Any]:
    """The facets that are not as wanted: what is there."""
    return {f: remote.facets.get(f) for f, v in wanted.items() if facet_hash(remote.facets.get(f)) != facet_hash(v)}


def changed_facets(before: Listing, after: Listing) -> list[str]:
    return differing(before.facets, after.facets, after.facets)


def all_taken(results: Mapping[str, Result]) -> None:
    wrong = {key: said(r) for key, r in results.items() if r.outcome is not Outcome.ACKNOWLEDGED}
    expect(not wrong, TAKEN, wrong)


def one_each(shop: Shop, *keys: str) -> None:
    counts = {key: len(shop.shown(key)) for key in keys}
    expect(set(counts.values()) == {1}, ONE_EACH, counts)


@scenario("Tin mới đọc lại đúng từng mục", "A new listing reads back as it was meant, in every facet")
def read_back(shop: Shop) -> None:
    listing = shop.listing()
    there = shop.make("KIT-1")

    expect(set(there) == {"KIT-1"}, Text("tin đã đăng đọc lại được", "the listing to be read back"), set(there))
    expect(there["KIT-1"].status == "live", Text("tin đang bán", "the listing to be live"), there["KIT-1"].status)
    expect(not unlike(there["KIT-1"], listing.facets), AS_MEANT, unlike(there["KIT-1"], listing.facets))
    one_each(shop, "KIT-1")


@scenario("Ánh xạ cùng một mặt hàng luôn ra cùng một tin", "The same item always maps to the same listing")
def mapping_repeats(shop: Shop) -> None:
    first, second = shop.listing(), shop.listing()

    expect(first == second, Text("hai lần ánh xạ như nhau", "two mappings to be equal"), (first, second))


@scenario("Gửi hai lần cùng một lô không sinh tin thứ hai", "The same batch twice makes no second listing")
def same_batch_twice(shop: Shop) -> None:
    changes = shop.create("KIT-1", "KIT-2")
    all_taken(shop.carry_out(changes))
    if shop.connector.safety in "CD":  # there the engine reads before it repeats
        there = shop.read("KIT-1", "KIT-2")
        changes = [replace(c, remote_id=there[c.key].remote_id, revision=there[c.key].revision) for c in changes]

    all_taken(shop.carry_out(changes))

    one_each(shop, "KIT-1", "KIT-2")
    expect(shop.live() == ["KIT-1", "KIT-2"], ONE_EACH, shop.live())


@scenario(
    "Một SKU tạo hai lần: một tin, hoặc đọc lại thấy cả hai", "A SKU made twice is one listing, or is read as two"
)
def duplicate_sku(shop: Shop) -> None:
    shop.make("KIT-1")
    shop.client = shop.open()
    shop.wait(shop.push(shop.create("KIT-1")))
    shop.clock.sleep(shop.connector.limits.settle_after)
    there = len(shop.shown("KIT-1"))

    expect(there == 1 or shop.connector.safety in "CD", ONE_EACH, there)
    read = [remote.remote_id for remote in shop.client.fetch(["KIT-1"])]
    expect(len(read) == there, Text(f"đọc lại thấy {there} tin", f"{there} listings to be read back"), read)


@scenario("Một mục bị từ chối không kéo theo mục khác", "A refused item takes no other one with it")
def part_rejected(shop: Shop) -> None:
    results = shop.carry_out([*shop.create("KIT-1"), shop.unacceptable(), *shop.create("KIT-2")])

    bad = results["KIT-BAD"]
    refused = Text("mục sai bị từ chối, có lý do", "the wrong item to be rejected, with a problem")
    expect(bad.outcome is Outcome.REJECTED and bad.problem, refused, said(bad))
    all_taken({key: r for key, r in results.items() if key != "KIT-BAD"})
    expect(shop.live() == ["KIT-1", "KIT-2"], Text("hai mục đúng đang bán", "the two right items live"), shop.live())


@scenario(
    "Cả lô bị từ chối: chia đôi đến khi còn riêng mục sai",
    "A batch refused whole is split until the bad item stands alone",
    both(batching, simulating("refused_batch")),
)
def batch_refused_whole(shop: Shop) -> None:
    """The marketplace refuses every write that names the bad item, and takes the others."""
    shop.make("KIT-0")
    shop.wire.answer_naming(b"KIT-BAD", shop.simulator.refused_batch)
    results = shop.carry_out(shop.create("KIT-1", "KIT-BAD", "KIT-2"))

    bad = results["KIT-BAD"]
    refused = Text("mục sai bị từ chối, có lý do", "the wrong item to be rejected, with a problem")
    expect(bad.outcome is Outcome.REJECTED and bad.problem, refused, said(bad))
    all_taken({key: r for key, r in results.items() if key != "KIT-BAD"})
    right = Text("các mục đúng đang bán", "the right items live")
    expect(shop.live() == ["KIT-0", "KIT-1", "KIT-2"], right, shop.live())


@scenario(
    "Đã ghi nhưng mất câu trả lời: nghi ngờ, rồi đúng một tin",
    "An answer lost after the commit is a doubt, then one listing",
)
def time_out_after_commit(shop: Shop) -> None:
    shop.make("KIT-0")  # its picture is there now: the next write is the listing's own
    (change,) = shop.create("KIT-1")
    shop.wire.lose_next_write()
    result = shop.wait(shop.push([change]))["KIT-1"]

    doubt = Text("một nghi ngờ hoặc đã nhận, không phải “chưa gửi”", "a doubt or a success, never “surely not applied”")
    expect(result.outcome not in (Outcome.DEFERRED, Outcome.REJECTED), doubt, said(result))
    recovered = shop.recover(change)
    all_taken(recovered)
    one_each(shop, "KIT-1")


@scenario(
    "Mất câu trả lời khi cập nhật: cuối cùng đúng giá mới",
    "An update whose answer is lost ends with the new price",
    capable("partial_update"),
)
def lost_update(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    listing = shop.listing("KIT-1", stock=7)
    shop.wire.lose_next_write()
    result = shop.wait(shop.push([shop.change(Kind.UPDATE, listing, ["stock"], there)]))["KIT-1"]

    doubt = Text("một nghi ngờ hoặc đã nhận", "a doubt or a success")
    expect(result.outcome not in (Outcome.DEFERRED, Outcome.REJECTED), doubt, said(result))
    now = shop.read("KIT-1")["KIT-1"]
    all_taken(shop.carry_out([shop.change(Kind.UPDATE, listing, ["stock"], now)]))
    wrong = unlike(shop.read("KIT-1")["KIT-1"], listing.facets)
    expect(not wrong, AS_MEANT, wrong)


@scenario(
    "Sàn nhận rồi mới từ chối: kết quả cuối là từ chối",
    "What is accepted and then rejected ends as rejected",
    capable("poll"),
)
def accepted_then_rejected(shop: Shop) -> None:
    change = shop.unacceptable("KIT-1")
    simulator = shop.connector.simulator_class()
    if hasattr(simulator, "refused_later"):
        (change,) = shop.create("KIT-1", **simulator.refused_later)
    first = shop.push([change])
    if first["KIT-1"].outcome is not Outcome.ACCEPTED:
        expect(first["KIT-1"].outcome is Outcome.REJECTED, NEVER_ACKNOWLEDGED, said(first["KIT-1"]))
        inapplicable("từ chối ngay khi gửi; “refused_later” không được khai báo", "refuses at once; no “refused_later”")
    last = shop.wait(first)["KIT-1"]

    refused = Text("bị từ chối, có lý do", "a rejection with a problem")
    expect(last.outcome is Outcome.REJECTED and last.problem, refused, said(last))
    words = [text for text in texts(shop.wire.seen) if " " in text and text not in set(texts(change.listing))]
    told = Text("lời của người duyệt", f"the reviewer's own words, one of {words}")
    expect(any(text in said(last) for text in words), told, said(last))
    expect(shop.live() == [], Text("không tin nào đang bán", "nothing live"), shop.live())


@scenario(
    "Sàn nhận mà chưa xong: không tự coi là xong",
    "What is accepted and never finished stays under way",
    capable("poll"),
)
def accepted_never_finished(shop: Shop) -> None:
    shop.far.hold()
    (change,) = shop.create("KIT-1")
    results = shop.push([change])
    if results["KIT-1"].outcome is Outcome.ACKNOWLEDGED and shop.live() == ["KIT-1"]:
        inapplicable("trả lời ngay, không có việc chờ", "answers at once: nothing is ever under way")
    for _ in range(POLLS):
        outcome = results["KIT-1"].outcome
        expect(outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN), Text("vẫn đang chờ", "still under way"), outcome)
        shop.clock.sleep(POLL_STEP)
        results = shop.poll(results)
    shop.far.go_on()
    waiting = results["KIT-1"].outcome is Outcome.ACCEPTED
    all_taken(shop.wait(results) if waiting else shop.recover(change))


POLL_STEP = 10.0  # seconds: all of them together stay below what signatures allow a clock to differ


@scenario("Gỡ tin đã gỡ vẫn yên", "Delisting what is gone already is no error", capable("delist"))
def delist_of_what_is_gone(shop: Shop) -> None:
    listing, there = shop.listing(), shop.make("KIT-1")["KIT-1"]
    for _ in range(2):
        all_taken(shop.carry_out([shop.change(Kind.DELIST, listing, remote=there)]))
        expect(shop.live() == [], Text("không còn bán", "nothing live"), shop.live())
        there = shop.read("KIT-1").get("KIT-1", there)


@scenario("Gỡ rồi bán lại", "What was delisted is sold again", capable("delist"))
def relist(shop: Shop) -> None:
    listing, there = shop.listing(), shop.make("KIT-1")["KIT-1"]
    all_taken(shop.carry_out([shop.change(Kind.DELIST, listing, remote=there)]))
    there = shop.read("KIT-1").get("KIT-1", there)
    all_taken(shop.carry_out([shop.change(Kind.RELIST, listing, (), there)]))

    one_each(shop, "KIT-1")
    expect(shop.live() == ["KIT-1"], Text("đang bán lại", "live again"), shop.shown("KIT-1"))


@scenario(
    "Bỏ một quy cách: quy cách kia còn nguyên",
    "A variant is removed and the other one stays as it is",
    capable("delist"),
)
def variant_removed(shop: Shop) -> None:
    there = shop.make("KIT-1", "KIT-2", group="KIT")
    all_taken(shop.carry_out([shop.change(Kind.DELIST, shop.listing("KIT-1"), remote=there["KIT-1"])]))

    expect(shop.live() == ["KIT-2"], Text("chỉ còn KIT-2 đang bán", "only KIT-2 live"), shop.live())
    other = unlike(shop.read("KIT-2")["KIT-2"], shop.listing("KIT-2").facets)
    expect(not other, AS_MEANT, other)


@scenario(
    "Chỉ sửa tồn kho thì mục khác giữ nguyên",
    "An update of the stock leaves everything else as it is",
    capable("partial_update"),
)
def only_the_facet(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    listing = shop.listing("KIT-1", stock=7)
    all_taken(shop.carry_out([shop.change(Kind.UPDATE, listing, ["stock"], there)]))

    expect(shop.live() == ["KIT-1"], Text("vẫn đang bán", "still live"), shop.shown("KIT-1"))
    wrong = unlike(shop.read("KIT-1")["KIT-1"], listing.facets)
    expect(not wrong, AS_MEANT, wrong)


@scenario(
    "Bỏ giá niêm yết và để trống mục khác: sàn cũng bỏ",
    "A value taken away is taken away there too: null, absent and empty",
)
def null_absent_and_empty(shop: Shop) -> None:
    price = shop.item().price
    full = {"list_price": replace(price, amount=price.amount * 2), "usage": "Nấu canh", "brand": "Năm Căn"}
    there = shop.make("KIT-1", **full)["KIT-1"]
    before = shop.listing("KIT-1", **full)
    expect(not unlike(there, before.facets), AS_MEANT, unlike(there, before.facets))
    bare = shop.listing("KIT-1", list_price=None, usage="", brand="")
    all_taken(shop.carry_out([shop.change(Kind.UPDATE, bare, changed_facets(before, bare), there)]))

    wrong = unlike(shop.read("KIT-1")["KIT-1"], bare.facets)
    expect(not wrong, AS_MEANT, wrong)


@scenario("Chữ Việt đi và về ở dạng dựng sẵn (NFC)", "Vietnamese goes out and comes back composed (NFC)")
def composed_and_decomposed(shop: Shop) -> None:
    key = "TÔM-KHÔ-1"
    results = shop.carry_out(shop.create(key))
    all_taken(results)
    found = shop.sandbox.show()["listings"]

    expect([one["key"] for one in found] == [key], Text(f"khóa {key} ở dạng NFC", f"the key {key} in NFC"), found)
    told = decomposed(found)
    expect(not told, Text("mọi chữ trên sàn ở dạng NFC", "every text there in NFC"), told)
    expect(key in shop.read(key), Text("đọc lại được bằng chính khóa đó", "to be read back by that key"), "nothing")


def texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        yield from texts(list(data.values()))
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)


def decomposed(value: Any) -> list[str]:
    """Every text of a document that is not NFC."""
    texts = msgspec.json.encode(value).decode()
    return [] if unicodedata.is_normalized("NFC", texts) else [texts]


@scenario("Giá đồng là số nguyên, không thêm bớt", "Prices in đồng arrive whole and unrounded", in_dong)
def whole_dong(shop: Shop) -> None:
    there = shop.make("KIT-1")["KIT-1"]
    price = shop.shown("KIT-1")[0]["price"]

    expect(price == int(DONG), Text(f"giá {DONG} đồng", f"a price of {DONG} đồng"), price)
    wrong = unlike(there, {"price": shop.listing().facets["price"]})
    expect(not wrong, AS_MEANT, wrong)


@scenario(
    "Hỏi trước: nói đúng điều sẽ bị từ chối, và không lưu gì",
    "A preview says what would be refused, and keeps nothing",
    capable("preview"),
)
def preview_keeps_nothing(shop: Shop) -> None:
    client = cast(Previews, shop.client)
    good = client.preview(shop.listing("KIT-1"))
    bad = client.preview(Listing(key="KIT-BAD", facets=shop.unacceptable().listing))
    shop.clock.sleep(HOUR)

    expect(good is None, Text("mục đúng được nhận", "the right item to be taken"), good and good.message.en)
    expect(bad is not None, Text("mục sai bị từ chối, có lý do", "the wrong item to be refused, with a problem"), bad)
    expect(not shop.sandbox.show()["listings"], Text("không tin nào trên sàn", "no listing there"), "one")
