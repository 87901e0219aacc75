"""Reads an account back and says what differs from what it acknowledged; an incomplete read changes nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, update

from flows.steps.account import AccountRun, guarded
from flows.steps.context import Account, Context
from flows.steps.plan import Selection
from flows.steps.settle import believe
from models.ledger import OPEN_ROW, OUTBOX, record
from models.listing import FACET_NAMES, FACETS, Remote, facet_hash
from models.report import PEOPLE, AccountReport
from models.text import Text
from models.timetable import ACCOUNT, STATE, due_skus


def reconcile(context: Context, account: Account, run_id: str, *, heal: bool = False) -> AccountReport:
    """Compares every listing of the account with its baseline; `heal` sends the differences through plan and guards."""
    with guarded(context, account, run_id) as (run, report):
        if run is None:
            return report
        run.recover(reading_all=True)
        drifts = _compare(run, run.everything())
        _write_down(run, drifts)
        _restored(run, drifts)
        if heal and drifts:
            _heal(run, drifts)
        run.finish()
        report.problems += [_problem(drift) for drift in drifts]
        if drifts and not heal:
            report.status, report.code = "partly_failed", PEOPLE
    return report


Drift = tuple[str, str, tuple[str, ...], Remote | None]  # sku, kind, facets, what is there


def _compare(run: AccountRun, remotes: list[Remote]) -> list[Drift]:
    there = {remote.key: remote for remote in remotes}
    with run.transaction() as db:
        under_way = select(OUTBOX.c.sku).where(OUTBOX.c.account == run.account.name, OPEN_ROW)
        ours = select(STATE).where(STATE.c.account == run.account.name, STATE.c.sku.not_in(under_way))
        rows = db.execute(ours.order_by(STATE.c.sku)).fetchall()
        waiting = {row.sku for row in db.execute(under_way)}
    found = [drift for row in rows if (drift := _drift(row, there.get(row.sku)))]
    known = {row.sku for row in rows} | waiting
    return found + [(key, "foreign", (), remote) for key, remote in sorted(there.items()) if key not in known]


def _drift(row: Row[Any], remote: Remote | None) -> Drift | None:
    shown = remote is not None and remote.status == "live"
    if row.status == "live" and remote is None:
        return row.sku, "gone", (), None
    if row.status == "live" and not shown:
        return row.sku, "not-shown", (), remote
    if row.status != "live" and shown:
        return row.sku, "shown", (), remote
    if remote is None or not shown:
        return None
    known = [f for f in FACETS if f in row.baseline]  # what was never acknowledged cannot have been edited
    facets = tuple(f for f in known if row.baseline[f] != facet_hash(remote.facets.get(f)))
    return (row.sku, "edited", facets, remote) if facets else None


def _write_down(run: AccountRun, drifts: list[Drift]) -> None:
    now = run.context.clock.now()
    lines = [(sku, None, {"kind": kind, "facets": list(facets)}) for sku, kind, facets, _ in drifts]
    with run.transaction() as db:
        record(db, now, run.run_id, run.account.name, "drift", lines)


def _restored(run: AccountRun, drifts: list[Drift]) -> None:
    """After a restored backup the marketplace knows better: what it shows becomes the baseline, once."""
    mine = ACCOUNT.c.name == run.account.name
    with run.transaction() as db:
        if not db.execute(select(ACCOUNT.c.needs_reconcile).where(mine)).scalar_one():
            return
        for sku, kind, _, remote in drifts:
            if kind != "foreign":
                believe(db, run.account.name, sku, remote)
        due_skus(db, [sku for sku, kind, _, _ in drifts if kind != "foreign"], run.context.clock.now(), "resync")
        db.execute(update(ACCOUNT).where(mine).values(needs_reconcile=False))


def _heal(run: AccountRun, drifts: list[Drift]) -> None:
    """Takes the marketplace's word for what is there, then plans from that; foreign listings are left alone."""
    with run.transaction() as db:
        for sku, kind, _, remote in drifts:
            if kind != "foreign":
                believe(db, run.account.name, sku, remote)
    planned = run.plan(Selection(skus=tuple(sku for sku, kind, _, _ in drifts if kind != "foreign")))
    if planned.plan_id:
        run.carry_out(planned.plan_id)
    run.settle()


def _problem(drift: Drift) -> dict[str, Any]:
    sku, kind, facets, _ = drift
    message, next_step = SENTENCES[kind]
    return {
        "key": sku,
        "field": ",".join(facets),
        "code": f"drift-{kind}",
        "message": _naming(message, facets),
        "next_step": next_step,
    }


def _naming(message: Text, facets: tuple[str, ...]) -> Text:
    return Text(
        message.vi.format(facets=", ".join(FACET_NAMES[f].vi for f in facets)),
        message.en.format(facets=", ".join(FACET_NAMES[f].en for f in facets)),
    )


HEAL = Text(
    "Chạy “caybeo reconcile --heal” để đưa về đúng danh mục, hoặc sửa danh mục cho khớp.",
    "Run “caybeo reconcile --heal” to restore the catalogue's version, or correct the catalogue.",
)
SENTENCES = {
    "edited": (
        Text("Tin trên sàn đã bị sửa khác danh mục: {facets}.", "The listing was edited there: {facets}."),
        HEAL,
    ),
    "gone": (Text("Tin đã bị xóa trên sàn.", "The listing was deleted there."), HEAL),
    "not-shown": (Text("Tin đang bị ẩn trên sàn.", "The listing is hidden there."), HEAL),
    "shown": (
        Text("Tin đang hiện trên sàn dù danh mục không cho đăng.", "The listing is shown though it must not be."),
        HEAL,
    ),
    "foreign": (
        Text("Tin trên sàn không có trong danh mục của mình.", "A listing there that our catalogue does not know."),
        Text(
            "Hệ thống không đụng vào tin này; nếu là hàng của mình, nhập sản phẩm vào danh mục.",
            "It is left alone; if it is ours, import the product.",
        ),
    ),
}
