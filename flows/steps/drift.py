"""What one listing that was read back means: whose word counts for each facet, and what a person is told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from connectors.contract import OnDrift, Policy
from flows.steps.differences import Difference, brief, differences, there_instead, told
from flows.steps.project import Projection
from models.listing import FACET_NAMES, FACETS, Facet, Facets, Remote, Unlistable, facet_hash
from models.text import Text

TRIES = 2  # of sending the same again where the marketplace shows something else
MOST_TOLD = 5  # fields of one listing
# A person should look at these unless they are put right by the same run; the others are for knowing only.
ASKING = ("edited", "rewritten", "gone", "not-shown", "draft", "rejected", "shown", "duplicate", "foreign")
QUIET = ("agreed", "proven", "begun")  # written down in the state, told to nobody


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One way in which one listing is not what was acknowledged. `heal` says that ours is sent again."""

    sku: str
    kind: str
    facets: tuple[str, ...] = ()
    row: Row[Any] | None = None
    remote: Remote | None = None
    differences: tuple[Difference, ...] = ()
    ours: dict[str, str] = field(default_factory=dict)  # facet -> hash of what it should show today
    theirs: dict[str, str] = field(default_factory=dict)
    price: Decimal | None = None  # what stands there, where ours is known to be another
    stock: int | None = None
    heal: bool = False
    let_be: tuple[str, ...] = ()  # facets that stay as they are there though the listing is healed
    words: dict[str, str] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether a person has to look at it."""
        return self.kind in ASKING and not self.heal


def chosen(row: Row[Any], remotes: Sequence[Remote]) -> tuple[Remote | None, tuple[Remote, ...]]:
    """The listing that is ours, and all of them where more than one of the SKU is on sale or about to be."""
    selling = [remote for remote in remotes if remote.status in ("live", "pending")]
    if len(selling) > 1:
        return None, tuple(selling)
    named = [remote for remote in remotes if remote.remote_id == row.remote_id]
    return next(iter([*selling, *named, *remotes]), None), ()


def differing(row: Row[Any], remote: Remote) -> tuple[Facet, ...]:
    """Facets that are not what was acknowledged. What never was cannot have been edited."""
    known = [facet for facet in FACETS if facet in row.baseline and facet in remote.facets]
    return tuple(facet for facet in known if row.baseline[facet] != facet_hash(remote.facets[facet]))


def drifts_of(
    row: Row[Any], remotes: Sequence[Remote], projection: Projection, policy: Policy, *, heal: bool
) -> Iterator[Drift]:
    """Everything worth knowing about one SKU. `projection` is what it should show today, deleted there or not."""
    remote, twice = chosen(row, remotes)
    wanted = not isinstance(projection.listing, Unlistable)
    if twice:
        yield Drift(sku=row.sku, kind="duplicate", row=row, words={"ids": ", ".join(r.remote_id for r in twice)})
    elif remote is None:
        if wanted and row.status in ("live", "gone"):
            yield from _missing(row, policy, heal=heal)
    elif row.status == "live" and remote.status != "live":
        yield _not_live(row, remote, projection, policy, heal=heal)
    elif row.status == "live":
        yield from _moved(row, remote)
        yield from _facets(row, remote, projection, policy, heal=heal)
    elif remote.status == "live":
        yield _unexpected(row, remote, projection, heal=heal)
    elif _is_begun(row):
        yield Drift(sku=row.sku, kind="begun", row=row, remote=remote)


def _is_begun(row: Row[Any]) -> bool:
    """Never sent as far as we know: what is there and not shown is gone on from, as a second one may not be made."""
    return bool(row.status == "absent" and not row.remote_id)


def _missing(row: Row[Any], policy: Policy, *, heal: bool) -> Iterator[Drift]:
    """Deleted by hand, which only a person or the policy takes back."""
    if policy.deleted == "leave":
        if row.status == "live":  # told once, when it is found
            yield Drift(sku=row.sku, kind="left", row=row)
        return
    yield Drift(sku=row.sku, kind="gone", row=row, heal=heal or policy.deleted == "recreate")


def _not_live(row: Row[Any], remote: Remote, projection: Projection, policy: Policy, *, heal: bool) -> Drift:
    """Hidden, or judged anew after an edit; what is under review closes by itself."""
    kind = "not-shown" if remote.status == "hidden" else remote.status
    words = {"words": remote.words or "–"}
    heals = heal and kind != "pending" and not isinstance(projection.listing, Unlistable)
    drift = _standing(row, remote, projection, kind, heal=heals, words=words)
    let_be = tuple(facet for facet in differing(row, remote) if policy.drift.get(facet) in ("adopt", "ignore"))
    return replace(drift, let_be=let_be)


def _unexpected(row: Row[Any], remote: Remote, projection: Projection, *, heal: bool) -> Drift:
    """On sale although our records say that it is not: taken over where it may be, else a person's affair."""
    if isinstance(projection.listing, Unlistable):
        return _standing(row, remote, projection, "shown", heal=heal)
    return _standing(row, remote, projection, "found")


def _moved(row: Row[Any], remote: Remote) -> Iterator[Drift]:
    if remote.remote_id != row.remote_id:
        kind = "moved" if row.remote_id else "agreed"
        words = {"old": row.remote_id, "new": remote.remote_id}
        yield Drift(sku=row.sku, kind=kind, row=row, remote=remote, words=words)


def _facets(row: Row[Any], remote: Remote, projection: Projection, policy: Policy, *, heal: bool) -> Iterator[Drift]:
    """The differing facets by what is to become of them."""
    proven = tuple(facet for facet in {**row.healed, **row.adopted} if _is_proven(row, remote, facet))
    if proven:
        yield Drift(sku=row.sku, kind="proven", facets=proven, row=row, remote=remote)
    if isinstance(projection.listing, Unlistable):  # comes down anyway
        return
    ours = projection.listing.facets
    kinds: dict[tuple[str, bool], list[str]] = {}
    for facet in differing(row, remote):
        verdict = _verdict(facet, row, remote, ours, policy.drift.get(facet, "report"), heal=heal)
        if verdict is not None:
            kinds.setdefault(verdict, []).append(facet)
    for (kind, sent), facets in kinds.items():
        yield _edited(row, remote, projection, kind, tuple(facets), heal=sent)


def _is_proven(row: Row[Any], remote: Remote, facet: str) -> bool:
    """It reads back as we sent it: what was noted about it is past."""
    if facet in differing(row, remote):
        return False
    healed = row.healed.get(facet)
    return healed is None or healed[0] == row.baseline.get(facet)


def _verdict(
    facet: str, row: Row[Any], remote: Remote, ours: Facets, rule: OnDrift, *, heal: bool
) -> tuple[str, bool] | None:
    """Kind, and whether ours is sent again; None where nothing is to be told."""
    here, there = facet_hash(ours[facet]), facet_hash(remote.facets[facet])
    if here == there:
        return "agreed", False
    spelling = here == row.baseline[facet] and not differences(facet, ours[facet], remote.facets[facet])
    if rule == "ignore" or spelling:
        return None
    if row.healed.get(facet, ["", 0])[0] == here and row.healed[facet][1] >= TRIES:
        return "rewritten", False
    if rule == "adopt":
        return None if row.adopted.get(facet) == pair(row.baseline[facet], there) else ("adopted", False)
    return "edited", heal or rule == "heal"


def pair(ours: str, theirs: str) -> str:
    """What was adopted, and beside what: a new acknowledged content of ours, or another one there, is another pair."""
    return f"{ours}:{theirs}"


def _edited(
    row: Row[Any], remote: Remote, projection: Projection, kind: str, facets: tuple[str, ...], *, heal: bool
) -> Drift:
    drift = _standing(row, remote, projection, kind, heal=heal)
    ours = projection.listing.facets  # type: ignore[union-attr]  # only listings come here
    unchanged = [facet for facet in facets if drift.ours[facet] == row.baseline[facet]]
    found = tuple(d for facet in unchanged for d in differences(facet, ours[facet], remote.facets[facet]))
    return replace(drift, facets=facets, differences=found)


def _standing(
    row: Row[Any],
    remote: Remote,
    projection: Projection,
    kind: str,
    *,
    heal: bool = False,
    words: dict[str, str] | None = None,
) -> Drift:
    """With what stands there, for the state and for the guards."""
    listing = projection.listing
    ours: Facets = {} if isinstance(listing, Unlistable) else listing.facets
    there = remote.facets
    stock = there_instead(ours.get("stock"), projection.stock, there.get("stock"))
    return Drift(
        sku=row.sku,
        kind=kind,
        row=row,
        remote=remote,
        ours={facet: facet_hash(value) for facet, value in ours.items()},
        theirs={facet: facet_hash(value) for facet, value in there.items()},
        price=there_instead(ours.get("price"), projection.price, there.get("price")),
        stock=None if stock is None else int(stock),
        heal=heal,
        words=words or {},
    )


# --- what people read -------------------------------------------------------------------------------------------------


def problem_of(drift: Drift, account: str) -> dict[str, Any]:
    """The line of the report."""
    return {
        "key": drift.sku,
        "field": ",".join(drift.facets),
        "code": f"drift-{drift.kind}",
        "message": message_of(drift),
        "next_step": SENT if drift.heal else SENTENCES[drift.kind][1].fill(sku=drift.sku, account=account),
        "fields": [brief(difference) for difference in drift.differences],
    }


def message_of(drift: Drift) -> Text:
    """What differs: field by field where our record is still the one that was acknowledged."""
    sentence = SENTENCES[drift.kind][0]
    names = [FACET_NAMES[facet] for facet in drift.facets]
    if drift.differences:
        names = [told(difference) for difference in drift.differences[:MOST_TOLD]]
        left = len(drift.differences) - MOST_TOLD
        names += [Text(f"và {left} mục khác", f"and {left} more")] if left > 0 else []
    by = "; " if drift.differences else ", "
    return Text(
        sentence.vi.format(facets=by.join(name.vi for name in names), **drift.words),
        sentence.en.format(facets=by.join(name.en for name in names), **drift.words),
    )


HEAL = Text(
    "Chạy “caybeo reconcile --account {account} --heal” để đưa về đúng danh mục, hoặc sửa danh mục cho khớp.",
    "Run “caybeo reconcile --account {account} --heal” to restore the catalogue's version, or correct the catalogue.",
)
SENT = Text(
    "Bản của danh mục được gửi lại ngay trong lượt này.", "The catalogue's version is sent again in this same run."
)
NOTHING = Text("Không cần làm gì.", "Nothing to do.")
SENTENCES = {
    "edited": (Text("Tin trên sàn khác danh mục – {facets}.", "The listing differs there – {facets}."), HEAL),
    "adopted": (
        Text("Giữ nguyên phần đã sửa trên sàn – {facets}.", "What was edited there may stay – {facets}."),
        Text(
            "Theo chính sách của tài khoản; danh mục đổi thì bản của danh mục lại được gửi.",
            "So the account's policy says; a change in the catalogue is sent again.",
        ),
    ),
    "rewritten": (
        Text(
            "Đã gửi lại 2 lần mà sàn vẫn hiện khác – {facets}. Có thể sàn tự cắt hoặc làm tròn.",
            "Sent again twice, and the marketplace still shows otherwise – {facets}. It may cut or round by itself.",
        ),
        Text(
            "Không gửi lại nữa. Sửa danh mục cho hợp quy định của sàn rồi nhập lại.",
            "It is not sent any more. Make the catalogue fit the marketplace's rules and import it again.",
        ),
    ),
    "gone": (
        Text("Tin đã bị xóa trên sàn.", "The listing was deleted there."),
        Text(
            "Hệ thống không tự đăng lại. Muốn đăng lại: “caybeo sync --account {account} --sku {sku}”.",
            "It is not made again unasked. To list it again: “caybeo sync --account {account} --sku {sku}”.",
        ),
    ),
    "left": (
        Text("Tin đã bị xóa trên sàn, được để nguyên như vậy.", "The listing was deleted there, and that is left so."),
        Text(
            "Theo chính sách của tài khoản. Muốn đăng lại: “caybeo sync --account {account} --sku {sku}”.",
            "So the account's policy says. To list it again: “caybeo sync --account {account} --sku {sku}”.",
        ),
    ),
    "not-shown": (Text("Tin đang bị ẩn trên sàn.", "The listing is hidden there."), HEAL),
    "draft": (
        Text("Tin trên sàn đang là bản nháp chưa gửi duyệt.", "The listing is a draft there that nobody submitted."),
        HEAL,
    ),
    "pending": (
        Text("Sàn đang duyệt lại tin này.", "The marketplace is reviewing this listing again."),
        Text("Đợi sàn duyệt xong.", "Wait for the review."),
    ),
    "rejected": (
        Text("Sàn không còn cho hiện tin này: {words}.", "The marketplace no longer shows this listing: {words}."),
        Text(
            "Sửa danh mục theo lời sàn rồi nhập lại; muốn gửi y như cũ: “caybeo reconcile --account {account} --heal”.",
            "Correct the catalogue and import it; to send the same: “caybeo reconcile --account {account} --heal”.",
        ),
    ),
    "shown": (
        Text("Tin đang hiện trên sàn dù danh mục không cho đăng.", "The listing is shown though it must not be."),
        Text(
            "Chạy “caybeo reconcile --account {account} --heal” để gỡ tin, hoặc sửa danh mục.",
            "Run “caybeo reconcile --account {account} --heal” to take it down, or correct the catalogue.",
        ),
    ),
    "found": (
        Text("Tin của mặt hàng này đang hiện trên sàn; từ nay được theo dõi.", "The listing is on sale there."),
        Text("Không cần làm gì: lượt đồng bộ sau cập nhật.", "Nothing to do: the next sync goes on from it."),
    ),
    "moved": (
        Text("Sàn đã đổi số hiệu của tin: {old} → {new}.", "The marketplace gave the listing a new id: {old} → {new}."),
        NOTHING,
    ),
    "duplicate": (
        Text("Sàn đang bán hai tin của cùng mặt hàng: {ids}.", "Two listings of this item are on sale there: {ids}."),
        Text(
            "Hệ thống không đụng vào tin nào. Mở sàn, giữ một tin, ẩn tin kia, rồi chạy lại “caybeo reconcile”.",
            "Neither was touched. Keep one there, hide the other, and run “caybeo reconcile” again.",
        ),
    ),
    "foreign": (
        Text("Tin trên sàn không có trong danh mục của mình.", "A listing there that our catalogue does not know."),
        Text(
            "Hệ thống không đụng vào tin này; nếu là hàng của mình, nhập sản phẩm vào danh mục.",
            "It is left alone; if it is ours, import the product.",
        ),
    ),
}
