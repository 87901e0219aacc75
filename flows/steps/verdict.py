"""What a look-up proves about a change whose outcome is unknown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from connectors.errors import Refused, problem_of
from models.change import Kind
from models.listing import FACETS, Problem, Remote, facet_hash
from models.outcome import Outcome, Result
from models.text import Text


def pick(row: Row[Any], found: Sequence[Remote]) -> Remote | None:
    """The listing this change is about: the one with its id, else a live one of its SKU, else any of its SKU."""
    mine = [remote for remote in found if remote.key == row.sku]
    named = [remote for remote in mine if remote.remote_id == row.remote_id]
    if named or row.kind == Kind.CLOSE:
        return named[0] if named else None
    return next((remote for remote in mine if remote.status == "live"), mine[0] if mine else None)


def verdict(row: Row[Any], remote: Remote | None) -> Result | None:
    """The change's result, None where the marketplace shows something else.

    An update counts by its own facets alone: another one may have been edited by hand meanwhile.
    """
    if row.kind in (Kind.DELIST, Kind.CLOSE):
        gone = remote is None or remote.status == "hidden"
        return Result(key=row.sku, outcome=Outcome.ACKNOWLEDGED) if gone else None
    if remote is None:
        return _deleted(row) if row.kind == Kind.UPDATE else None
    differs = any(facet_hash(remote.facets.get(facet)) != row.hashes[facet] for facet in _facets(row))
    if differs or remote.status == "draft":
        return None
    return _shown(row, remote)


def settled_by(row: Row[Any], found: Sequence[Remote]) -> bool:
    """Whether one read is enough: what was sent is there. That it is not there must be seen twice."""
    remote = pick(row, found)
    return remote is not None and verdict(row, remote) is not None


def agree(row: Row[Any], first: Sequence[Remote], second: Sequence[Remote]) -> bool:
    """Whether two reads show the same of one change."""
    return _seen(pick(row, first)) == _seen(pick(row, second))


def _seen(remote: Remote | None) -> tuple[Any, ...] | None:
    return None if remote is None else (remote.remote_id, remote.status, facet_hash(remote.facets))


def _facets(row: Row[Any]) -> Sequence[str]:
    """Without those that the marketplace left out when it accepted the rest: they are due by themselves."""
    sent = row.facets.split(",") if row.kind == Kind.UPDATE and row.facets else FACETS
    return [facet for facet in sent if facet in row.hashes]


def _shown(row: Row[Any], remote: Remote) -> Result | None:
    known = {"key": row.sku, "remote_id": remote.remote_id, "revision": remote.revision}
    if remote.status == "pending":  # being worked on there: polled from now on
        return Result(outcome=Outcome.ACCEPTED, handle=remote.remote_id, **known)
    if remote.status == "rejected":
        return Result(outcome=Outcome.REJECTED, problem=problem_of(Refused("review", remote.words)), **known)
    shown = remote.status == "live" or row.kind == Kind.UPDATE  # one hidden by hand stays hidden
    return Result(outcome=Outcome.ACKNOWLEDGED, **known) if shown else None


def _deleted(row: Row[Any]) -> Result:
    """Whether a listing that somebody deleted comes back is for a person to say."""
    problem = Problem(code="listing-gone", field="", message=GONE, next_step=BRING_BACK)
    return Result(key=row.sku, outcome=Outcome.REJECTED, problem=problem)


def in_doubt() -> Problem:
    return Problem(code="create-unknown", field="", message=DOUBT, next_step=LOOK)


def poisoned(problem: dict[str, Any] | None) -> Problem:
    """The same failure, run after run."""
    code = str((problem or {}).get("code", "?"))
    return Problem(code="same-failure", field="", message=SAME.fill(code=code), next_step=MEND)


GONE = Text("Tin đã bị xóa trên sàn nên không sửa được.", "The listing was deleted there, so it cannot be changed.")
BRING_BACK = Text(
    "Muốn đăng lại: chạy “caybeo reconcile --heal”; không bán nữa: “caybeo withdraw --sku …”.",
    "To list it again run “caybeo reconcile --heal”; to stop selling it “caybeo withdraw --sku …”.",
)
SAME = Text(
    "Ba lần chạy liền đều hỏng cùng một cách ({code}); tạm để riêng mặt hàng này.",
    "Failed in the same way in three runs in a row ({code}); this item is set aside.",
)
MEND = Text(
    "Kiểm tra dữ liệu của mặt hàng rồi nhập lại, hoặc chạy “caybeo sync --sku …” để thử ngay.",
    "Check the item's data and import it again, or run “caybeo sync --sku …” to try now.",
)
DOUBT = Text(
    "Đã gửi tin mới nhưng không rõ sàn có nhận hay không, và sàn không cho tra lại.",
    "A new listing was sent, and the marketplace cannot say whether it took it.",
)
LOOK = Text(
    "Mở sàn xem tin đã có chưa; nếu chưa, chạy “caybeo sync --sku …” cho mã này.",
    "Look there; if it is missing, run “caybeo sync --sku …” for this SKU.",
)
