"""Compares every hash the slow way: whatever should be due and is not, the timetable has forgotten. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, case, func, select

from flows.steps.context import Account, Context
from flows.steps.plan import PRODUCT, WITHDRAWAL, decide, midnight, projected
from flows.steps.project import Projection
from models.change import Kind
from models.clock import today
from models.database import reading
from models.ledger import OPEN_ROW, OUTBOX, SAME_LISTING
from models.listing import FACET_NAMES, Unlistable, facet_hash
from models.report import DONE, PEOPLE
from models.text import Text, day, local
from models.timetable import ACCOUNT, STATE, VARIANT

CHUNK = 500
MOST_FINDINGS = 1_000  # kept; the others are counted
RESTING = ("rejected", "refused", "quarantined")  # nothing is sent of these until something changes
WAITING = ("retry", "poll")  # reasons to be due later than now


@dataclass(kw_only=True)
class AccountAudit:
    """One account's part, and why its listings differ from their records, if they do."""

    account: str
    checked: int = 0
    equal: int = 0
    due: int = 0
    under_way: int = 0
    resting: int = 0
    forgotten: int = 0
    quiet: bool = False  # nothing is sent to it: dormant, or filled by file


@dataclass(kw_only=True)
class AuditReport:
    accounts: list[AccountAudit] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    forgotten: int = 0

    @property
    def code(self) -> int:
        return PEOPLE if self.forgotten else DONE


class Audit:
    """All accounts, one chunk of listings after the other; each chunk is read at one moment."""

    def __init__(self, context: Context) -> None:
        self._database, self._clock = context.database, context.clock
        self._report = AuditReport()

    def of(self, accounts: Sequence[Account]) -> AuditReport:
        for account in accounts:
            part = AccountAudit(account=account.name, quiet=account.mode != "api")
            self._report.accounts.append(part)
            if not part.quiet:
                self._listings(account, part)
                self._missing(account, part)
        return self._report

    def _listings(self, account: Account, part: AccountAudit) -> None:
        mapped = self._mapped(account)
        for rows in self._chunks(account):
            now, on = self._clock.now(), today(self._clock)
            for row in rows:
                part.checked += 1
                for code, words in _forgotten(account, part, row, now, on, mapped=mapped):
                    self._find(part, row.sku, code, words)

    def _mapped(self, account: Account) -> bool:
        """Otherwise the next run makes the whole account due before it does anything else."""
        query = select(ACCOUNT.c.mapping_version).where(ACCOUNT.c.name == account.name)
        with reading(self._database) as db:
            return bool(db.execute(query).scalar_one() == account.connector.mapping_version)

    def _chunks(self, account: Account) -> Iterator[Sequence[Row[Any]]]:
        """Every listing of the account, with its product where there is one and the change that is open."""
        after = 0
        while True:
            with reading(self._database) as db:
                rows = db.execute(_query(account.name).where(STATE.c.id > after)).fetchall()
            if not rows:
                return
            yield rows
            after = rows[-1].id

    def _missing(self, account: Account, part: AccountAudit) -> None:
        """SKUs on sale that the account has never been told of."""
        mine = (STATE.c.sku == VARIANT.c.sku) & (STATE.c.account == account.name)
        query = (
            select(VARIANT.c.sku)
            .join(PRODUCT, PRODUCT.c.product_id == VARIANT.c.product_id)
            .outerjoin(STATE, mine)
            .where(STATE.c.id.is_(None), PRODUCT.c.removed_at.is_(None))
            .order_by(VARIANT.c.sku)
            .limit(CHUNK)
        )
        after = ""
        while True:
            with reading(self._database) as db:
                skus = list(db.scalars(query.where(VARIANT.c.sku > after)))
            if not skus:
                return
            for sku in skus:
                self._find(part, sku, "no-row", {})
            after = skus[-1]

    def _find(self, part: AccountAudit, sku: str, code: str, words: dict[str, Text]) -> None:
        part.forgotten += 1
        self._report.forgotten += 1
        if len(self._report.findings) < MOST_FINDINGS:
            self._report.findings.append(_finding(part.account, sku, code, words))


def audit(context: Context, accounts: Sequence[Account]) -> AuditReport:
    """What the timetable has forgotten on these accounts."""
    return Audit(context).of(accounts)


def _query(account: str) -> Any:
    """The product of a chunk's listings is joined loosely: a listing may have outlived its product."""
    opened = select(OUTBOX.c.id).where(SAME_LISTING, OPEN_ROW).exists()
    latest = select(func.max(OUTBOX.c.id)).where(SAME_LISTING).correlate(STATE).scalar_subquery()
    sent = select(OUTBOX.c.product_revision).where(OUTBOX.c.id == latest).scalar_subquery()
    columns = ("id", "sku", "status", "baseline", "due_at", "due_reason", "outcome", "doubt")
    return (
        select(
            *(STATE.c[name] for name in columns),
            PRODUCT.c.snapshot,
            PRODUCT.c.removed_at,
            PRODUCT.c.revision.label("product_revision"),
            WITHDRAWAL.c.reason.label("withdrawn"),
            opened.label("is_open"),
            case((STATE.c.outcome.in_(RESTING), sent), else_=None).label("sent_revision"),
        )
        .select_from(STATE)
        .outerjoin(PRODUCT, PRODUCT.c.product_id == STATE.c.product_id)
        .outerjoin(WITHDRAWAL, WITHDRAWAL.c.sku == STATE.c.sku)
        .where(STATE.c.account == account)
        .order_by(STATE.c.id)
        .limit(CHUNK)
    )


Forgotten = tuple[str, dict[str, Text]]  # code, words of its sentence


def _forgotten(
    account: Account, part: AccountAudit, row: Row[Any], now: datetime, on: date, *, mapped: bool
) -> Iterator[Forgotten]:
    """Counts what is in order, and gives what is not."""
    if row.snapshot is None:
        if row.due_at is not None:
            yield "no-product", {}
        return
    projection = projected(account, row, on)
    wanted = _wanted(row, projection)
    if row.is_open:
        part.under_way += 1
        return
    if row.due_at is not None and row.due_at <= now:
        part.due += 1
    elif wanted is None:
        part.equal += 1
    elif _is_explained(row) or not mapped:
        part.resting += 1
    else:
        yield "not-due", {"what": wanted}
        return
    if mapped:
        yield from _late(row, projection)


def _wanted(row: Row[Any], projection: Projection) -> Text | None:
    """What should be sent, None where the marketplace has acknowledged just that."""
    listing = projection.listing
    if isinstance(listing, Unlistable):
        return DELIST if row.status == "live" else None
    hashes = {facet: facet_hash(value) for facet, value in listing.facets.items()}
    kind, facets = decide(row.status, row.baseline, hashes, force=False)
    if kind is Kind.UPDATE:
        names = [FACET_NAMES[facet] for facet in facets]
        return Text(", ".join(name.vi for name in names), ", ".join(name.en for name in names))
    return None if kind is None else NEW


def _is_explained(row: Row[Any]) -> bool:
    """It waits for its hour or for a person, or it was refused and nothing has changed since."""
    if row.doubt:
        return True
    if row.outcome in RESTING:
        return row.sent_revision is None or row.sent_revision >= row.product_revision
    return row.due_at is not None and row.due_reason in WAITING


def _late(row: Row[Any], projection: Projection) -> Iterator[Forgotten]:
    """The day on which the record must be judged again, and nobody would look."""
    latest = midnight(projection.calendar)
    if latest is None or (row.due_at is not None and row.due_at <= latest):
        return
    assert projection.calendar is not None  # noqa: S101  # midnight has seen to it
    on, at = day(projection.calendar), local(row.due_at) if row.due_at else ""
    yield "late", {"day": Text(on, on), "due": Text(at, at) if at else NEVER}


def _finding(account: str, sku: str, code: str, words: dict[str, Text]) -> dict[str, Any]:
    message, next_step = SENTENCES[code]
    vi, en = ({name: getattr(text, lang) for name, text in words.items()} for lang in ("vi", "en"))
    return {
        "account": account,
        "key": sku,
        "code": code,
        "message": Text(message.vi.format(**vi), message.en.format(**en)),
        "next_step": next_step.fill(account=account, sku=sku),
    }


NEW = Text("tin mới", "a new listing")
DELIST = Text("gỡ tin", "taking it down")
NEVER = Text("không có lịch", "never")
SYNC = Text(
    "Chạy “caybeo sync --account {account} --sku {sku}”, rồi báo người phụ trách kỹ thuật: lịch đã bỏ sót.",
    "Run “caybeo sync --account {account} --sku {sku}”, and tell your engineer that the timetable forgot something.",
)
SENTENCES = {
    "not-due": (
        Text("Chưa gửi {what} mà cũng không đến hạn gửi.", "Not sent, and not due to be sent: {what}."),
        SYNC,
    ),
    "late": (
        Text("Phải xét lại từ ngày {day} nhưng lịch là: {due}.", "Must be judged again on {day}, but is due: {due}."),
        SYNC,
    ),
    "no-row": (
        Text("Mặt hàng chưa từng được xét cho tài khoản này.", "This account has never looked at the item."),
        Text(
            "Nhập lại bảng tính có mặt hàng này, rồi báo người phụ trách kỹ thuật.",
            "Import the spreadsheet with this item again, and tell your engineer.",
        ),
    ),
    "no-product": (
        Text(
            "Đến hạn nhưng sản phẩm không còn trong cơ sở dữ liệu, nên không bao giờ được xét.",
            "Due, but its product is no longer in the database, so nobody will look at it.",
        ),
        Text(
            "Báo người phụ trách kỹ thuật; nếu tin còn trên sàn, ẩn tin ở đó.",
            "Tell your engineer; if the listing is still there, hide it there.",
        ),
    ),
}
