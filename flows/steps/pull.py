"""Reads the registered sources and single files, and lets nothing through that looks like an accident."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from flows.sources import queries
from flows.sources.content import READABLE, Content, load
from flows.sources.problems import RowProblem, SourceRefused
from flows.sources.records import Reading, read
from flows.steps.intake import BY_HAND, Gone, Progress, Tally, gone_from, take
from models.clock import Clock
from models.database import reading, writing
from models.tables import PlanRow, ProductRow, SourceRecord, SourceRow, VariantRow, core
from models.text import Text, local, number

__all__ = [
    "RowProblem",
    "Source",
    "SourceRefused",
    "SourceReport",
    "add_source",
    "approve_intake",
    "import_file",
    "list_sources",
    "pull",
    "remove_source",
]

SOURCE, SAID, PLAN = core(SourceRow), core(SourceRecord), core(PlanRow)
PRODUCT, VARIANT = core(ProductRow), core(VariantRow)
EXAMPLES = 10
HELD_FOR = timedelta(hours=24)
REMEMBERED = ("name", "kind", "location", "query", "sheet", "encoding")  # of a source, in a plan

Status = Literal["taken", "unchanged", "held", "failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A registered source as the table keeps it."""

    name: str
    kind: str  # file | folder | sql
    location: str
    query: str = ""
    sheet: str = ""
    encoding: str = ""
    content_hash: str = ""
    status: str = "new"
    registered_at: datetime | None = None
    pulled_at: datetime | None = None
    message: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people know it by."""
        return Path(self.location).name if self.name == BY_HAND else self.name

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes two registrations the same one."""
        return self.location, self.query, self.sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReport:
    """What became of one source. `rows` were read; a product or an offer is new, changed or unchanged."""

    source: str
    status: Status
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    set_aside: list[RowProblem] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)
    plan_id: int | None = None
    message: Text | None = None
    next_step: Text | None = None


# --- registered sources -------------------------------------------------------------------------------------------


def add_source(
    database: Engine, location: str, clock: Clock, *, query: str = "", sheet: str = "", encoding: str = ""
) -> str:
    """Registers a file, a folder or a query; answers its name. Adding the same again changes nothing."""
    kind, place = _place(location, query)
    wanted = (place, query, sheet)
    with writing(database, "source-add") as db:
        there = _sources(db)
        same = next((source for source in there if source.place == wanted), None)
        if same is None:
            name = _free_name(queries.shown(place) if kind == "sql" else Path(place).name, {s.name for s in there})
            options = {"query": query, "sheet": sheet, "encoding": encoding}
            row: dict[str, Any] = {"name": name, "kind": kind, "location": place, "options": options}
            row |= {"registered_at": _after(there, clock.now())}
            db.execute(insert(SOURCE), row | {"content_hash": "", "pulled_at": None, "status": "new", "message": {}})
            return name
        if encoding and encoding != same.encoding:
            options = {"query": query, "sheet": sheet, "encoding": encoding}
            db.execute(update(SOURCE).where(SOURCE.c.name == same.name).values(options=options, content_hash=""))
        return same.name


def list_sources(database: Engine) -> list[Source]:
    """In order of registration, which is the order in which they are read."""
    with reading(database) as db:
        return _sources(db)


def remove_source(database: Engine, name: str) -> bool:
    """The nightly pull reads it no longer; what it gave stays in the catalogue. False where there is none."""
    with writing(database, "source-remove") as db:
        found = db.execute(delete(SOURCE).where(SOURCE.c.name == name)).rowcount
        db.execute(delete(SAID).where(SAID.c.source == name))
        _close_plans(db, name, None)
        return bool(found)


# --- taking -------------------------------------------------------------------------------------------------------


def pull(database: Engine, home: Path, clock: Clock, *, progress: Progress | None = None) -> list[SourceReport]:
    """Every registered source. One that fails or is held changes nothing and keeps no other from being read."""
    work = _Work(database, home, clock, progress)
    reports: dict[str, SourceReport] = {}
    said: list[tuple[Source, Reading]] = []
    for source in (sources := list_sources(database)):
        looked = work.look(source)
        if isinstance(looked, Reading):
            said.append((source, looked))
        else:
            reports[source.name] = looked
    # Products before the offers and texts that need them; otherwise in order of registration.
    for source, told in sorted(said, key=lambda pair: pair[1].adds):
        reports[source.name] = work.take(source, told)
    for source in sources:
        work.remember(source, reports[source.name])
    return [reports[source.name] for source in sources]


def import_file(
    database: Engine,
    home: Path,
    path: str | Path,
    clock: Clock,
    *,
    sheet: str = "",
    encoding: str = "",
    dry_run: bool = False,
    progress: Progress | None = None,
) -> SourceReport:
    """One file by hand. A registered file is taken as that source; any other only adds and changes."""
    work = _Work(database, home, clock, progress, dry_run=dry_run)
    file = Source(name=BY_HAND, kind="file", location=str(Path(path).absolute()), sheet=sheet, encoding=encoding)
    registered = list_sources(database)
    same = next((s for s in registered if s.location == file.location and sheet in ("", s.sheet)), None)
    if same is None:
        return work.take(file, work.read(file, _load(file)), _namesake(file, registered))
    source = replace(same, encoding=encoding or same.encoding)
    looked = work.look(source, tolerant=False)
    report = work.take(source, looked) if isinstance(looked, Reading) else looked
    work.remember(source, report)
    return report


def approve_intake(database: Engine, home: Path, plan_id: int, who: str, reason: str, clock: Clock) -> SourceReport:
    """Lets through exactly the content that was held, if it is still there."""
    plan = _held_plan(database, plan_id, clock.now())
    source = Source(**plan.detail["source"])
    approval = _Approval(plan_id, plan.digest, who, reason)
    work = _Work(database, home, clock, None, approval=approval)
    said = work.read(source, _load(source))
    if said.digest != plan.detail["content_hash"]:
        raise SourceRefused(*_changed_since(source.title))
    report = work.take(source, said, plan.detail["namesake"])
    work.remember(source, report)
    return report


@dataclass(frozen=True, slots=True)
class _Approval:
    plan_id: int
    digest: str
    who: str
    reason: str


class _DryRun(Exception):
    """Rolls back what was only to be counted."""


class _Work:
    """One call's way of taking sources."""

    def __init__(
        self,
        database: Engine,
        home: Path,
        clock: Clock,
        progress: Progress | None,
        *,
        dry_run: bool = False,
        approval: _Approval | None = None,
    ) -> None:
        self._database, self._clock, self._progress, self._approval = database, clock, progress, approval
        self._dry_run = dry_run
        self._media = None if dry_run else home / "media"

    def look(self, source: Source, *, tolerant: bool = True) -> Reading | SourceReport:
        """What a source says, or the report where there is nothing to take."""
        try:
            content = _load(source)
            if known := self._known(source, content.digest):
                return known
            said = self.read(source, content)  # only now is known which pictures it names
            return self._known(source, said.digest) or said
        except SourceRefused as refusal:
            if not tolerant:
                raise
            return _refused(source.name, refusal)

    def read(self, source: Source, content: Content) -> Reading:
        return read(content, source.title, self._media)

    def take(self, source: Source, said: Reading, namesake: str = "") -> SourceReport:
        """All of it or nothing, under one write lock. `namesake`: the source a file by hand may be a cut copy of."""
        report = SourceReport(source=source.title, status="held")
        with suppress(_DryRun), writing(self._database, "import") as db:
            self._decide(db)
            gone = gone_from(db, namesake or source.name, said)
            if gone.too_many and not self._approved(source, said, gone):
                plan_id = self._plan(db, source, said, gone, namesake)
                report = _held(source, said.rows, gone.count, None if self._dry_run else plan_id, namesake)
            else:
                report = self._apply(db, source, said, gone)
            if self._dry_run:
                raise _DryRun
        return report

    def remember(self, source: Source, report: SourceReport) -> None:
        """When a source was last read, and what became of it."""
        if self._dry_run:
            return
        status = "failed" if report.status == "refused" else report.status
        message = {"vi": report.message.vi, "en": report.message.en} if report.message else {}
        row = {"pulled_at": self._clock.now(), "status": status, "message": message}
        with writing(self._database, "source-seen") as db:
            db.execute(update(SOURCE).where(SOURCE.c.name == source.name).values(row))

    def _apply(self, db: Connection, source: Source, said: Reading, gone: Gone) -> SourceReport:
        tally = take(
            db,
            said,
            source.name,
            self._clock.now(),
            gone=None if source.name == BY_HAND else gone,  # by hand, absence is not deletion
            approval=str(self._approval.plan_id) if self._approval else "",
            media=self._media,
            progress=self._progress,
        )
        self._close(db, source, said, tally)
        return _taken(source, said, tally)

    def _close(self, db: Connection, source: Source, said: Reading, tally: Tally) -> None:
        """A source whose offers wait for their products is read again next time, changed or not."""
        digest = "" if tally.unknown_skus else said.digest
        db.execute(update(SOURCE).where(SOURCE.c.name == source.name).values(content_hash=digest))
        if source.name != BY_HAND:
            _close_plans(db, source.name, None)

    def _decide(self, db: Connection) -> None:
        """One decision counts: of two people who approve at once the second is told that the plan waits no longer."""
        if self._approval is None:
            return
        now = self._clock.now()  # a long file is read between the question and this
        waiting = (PLAN.c.id == self._approval.plan_id, PLAN.c.status == "held", PLAN.c.expires_at > now)
        decided = {"decided_at": now, "decided_by": self._approval.who, "status": "applied"}
        if not db.execute(update(PLAN).where(*waiting).values(decided | {"decision": self._approval.reason})).rowcount:
            raise SourceRefused(*_not_held(self._approval.plan_id))

    def _approved(self, source: Source, said: Reading, gone: Gone) -> bool:
        if self._approval is None:
            return False
        if self._approval.digest != _digest(source, said.digest, gone):
            raise SourceRefused(*_changed_since(source.title))
        return True

    def _plan(self, db: Connection, source: Source, said: Reading, gone: Gone, namesake: str) -> int:
        """The plan of this very content: there is only one."""
        now, digest = self._clock.now(), _digest(source, said.digest, gone)
        for row in _open_plans(db):
            if row.digest == digest and row.expires_at > now:
                return int(row.id)
        _close_plans(db, source.name, now)
        text = _lost(namesake or source.name, gone)
        reason = {"code": "shrunken-source", "vi": text.vi, "en": text.en, "count": gone.count}
        detail = {
            "kind": "intake",
            "source": {name: getattr(source, name) for name in REMEMBERED},
            "namesake": namesake,
            "content_hash": said.digest,
            "missing": gone.records,
            "rows": said.rows,
        }
        plan = {
            "account": "",
            "run_id": "",
            "status": "held",
            "digest": digest,
            "counts": {"removed": gone.count, "of": gone.of},
            "reasons": [reason | {"examples": _examples(db, gone)}],
            "detail": detail,
            "created_at": now,
            "expires_at": now + HELD_FOR,
            "decided_at": None,
            "decided_by": "",
            "decision": "",
        }
        return int(db.execute(insert(PLAN).values(plan).returning(PLAN.c.id)).scalar_one())

    def _known(self, source: Source, digest: str) -> SourceReport | None:
        """What was taken or held before, with these very pictures."""
        if digest == source.content_hash:
            return SourceReport(source=source.name, status="unchanged")
        return self._already_held(source, digest)

    def _already_held(self, source: Source, content_hash: str) -> SourceReport | None:
        """The same held content need not be understood again."""
        with reading(self._database) as db:
            for row in _open_plans(db):
                told = row.detail
                same = told["source"]["name"] == source.name and told["content_hash"] == content_hash
                if same and row.expires_at > self._clock.now():
                    return _held(source, told["rows"], row.counts["removed"], row.id, told["namesake"])
        return None


# --- rows ---------------------------------------------------------------------------------------------------------


def _sources(db: Connection) -> list[Source]:
    rows = db.execute(select(SOURCE).order_by(SOURCE.c.registered_at, SOURCE.c.name)).mappings()
    return [
        Source(**{name: value for name, value in row.items() if name != "options"}, **row["options"]) for row in rows
    ]


def _open_plans(db: Connection) -> list[Row[Any]]:
    """Held contents of sources; a handful at most."""
    held = select(PLAN).where(PLAN.c.account == "", PLAN.c.status == "held").order_by(PLAN.c.id)
    return [row for row in db.execute(held) if row.detail.get("kind") == "intake"]


def _close_plans(db: Connection, source: str, now: datetime | None) -> None:
    """What waited for this source waits no longer: its content was taken, replaced or given up."""
    for row in _open_plans(db):
        if row.detail["source"]["name"] == source:
            expired = now is not None and row.expires_at <= now
            status = "expired" if expired else "superseded"
            db.execute(update(PLAN).where(PLAN.c.id == row.id).values(status=status))


def _held_plan(database: Engine, plan_id: int, now: datetime) -> Row[Any]:
    with reading(database) as db:
        row = db.execute(select(PLAN).where(PLAN.c.id == plan_id, PLAN.c.account == "")).first()
    if row is None or row.status != "held" or row.detail.get("kind") != "intake":
        raise SourceRefused(*_not_held(plan_id))
    if row.expires_at <= now:
        with writing(database, "import-expired") as db:
            db.execute(update(PLAN).where(PLAN.c.id == plan_id, PLAN.c.status == "held").values(status="expired"))
        raise SourceRefused(*_expired(plan_id, row.expires_at))
    return row


def _examples(db: Connection, gone: Gone) -> list[dict[str, str]]:
    """Some of what would go, by name."""
    skus = sorted({*gone.variants, *gone.offers})[:EXAMPLES]
    joined = VARIANT.join(PRODUCT, PRODUCT.c.product_id == VARIANT.c.product_id)
    products = select(PRODUCT.c.product_id, PRODUCT.c.name).where(PRODUCT.c.product_id.in_(gone.products[:EXAMPLES]))
    variants = select(VARIANT.c.sku, PRODUCT.c.name).select_from(joined).where(VARIANT.c.sku.in_(skus))
    rows = [*db.execute(products.order_by(PRODUCT.c.product_id)), *db.execute(variants.order_by(VARIANT.c.sku))]
    return [{"sku": row[0], "name": row[1]} for row in rows[:EXAMPLES]]


def _digest(source: Source, content_hash: str, gone: Gone) -> str:
    parts = "\0".join((source.name, *source.place, content_hash, *gone.records))
    return blake2b(parts.encode(), digest_size=16).hexdigest()


# --- places -------------------------------------------------------------------------------------------------------


def _load(source: Source) -> Content:
    return load(source.kind, source.location, query=source.query, sheet=source.sheet, encoding=source.encoding)


def _place(location: str, query: str) -> tuple[str, str]:
    """Kind and stored address of a location that exists."""
    if "://" in location:
        return "sql", queries.check(location, query)
    path = Path(location).absolute()
    if path.is_dir():
        return "folder", str(path)
    if not path.is_file():
        raise SourceRefused(*_no_file(path.name), unreachable=True)
    return "file", str(path)


def _after(there: list[Source], now: datetime) -> datetime:
    """Later than every other registration, so that their order is kept even within one tick of the clock."""
    latest = max((s.registered_at for s in there if s.registered_at), default=None)
    return now if latest is None or latest < now else latest + timedelta(microseconds=1)


def _free_name(wanted: str, taken: set[str]) -> str:
    """Two files of one name in two folders: the second is called "name (2)"."""
    names = chain([wanted], (f"{wanted} ({n})" for n in count(2)))
    return next(name for name in names if name not in taken | {BY_HAND})


def _namesake(file: Source, registered: Sequence[Source]) -> str:
    """The registered file of the same name elsewhere, if there is one."""
    name = Path(file.location).name
    same = (s for s in registered if s.kind == "file" and Path(s.location).name == name)
    return next((s.name for s in same if s.location != file.location), "")


# --- reports ------------------------------------------------------------------------------------------------------


def _taken(source: Source, said: Reading, tally: Tally) -> SourceReport:
    return SourceReport(
        source=source.title,
        status="taken",
        rows=said.rows,
        new=tally.new,
        changed=tally.changed,
        unchanged=tally.unchanged,
        removed=tally.removed,
        set_aside=sorted(tally.set_aside, key=lambda p: (p.file, p.row)),
        ignored_columns=said.ignored,
    )


def _refused(name: str, refusal: SourceRefused) -> SourceReport:
    status: Status = "failed" if refusal.unreachable else "refused"
    return SourceReport(source=name, status=status, message=refusal.message, next_step=refusal.next_step)


def _held(source: Source, rows: int, lost: int, plan_id: int | None, namesake: str) -> SourceReport:
    return SourceReport(
        source=source.title,
        status="held",
        rows=rows,
        plan_id=plan_id,
        message=(HELD_COPY if namesake else HELD).fill(name=namesake or source.name, count=number(lost)),
        next_step=(ASK_COPY if namesake else ASK).fill(plan=plan_id or "…"),
    )


def _lost(name: str, gone: Gone) -> Text:
    return LOST.fill(name=name, count=number(gone.count), of=number(gone.of))


HELD = Text(
    "Nguồn {name} thiếu {count} mục so với lần trước, nên chưa thay đổi gì.",
    "Source {name} lacks {count} records it had before; nothing was changed.",
)
HELD_COPY = Text(
    "Tệp này trùng tên với nguồn {name} nhưng thiếu {count} mục, nên chưa nhập gì.",
    "This file bears the name of source {name} but lacks {count} of its records; nothing was imported.",
)
ASK = Text(
    "Xem lại tệp; nếu đúng là bỏ các mục đó, chạy “caybeo approve {plan}”.",
    "Check the file; if those records are really to go, run “caybeo approve {plan}”.",
)
ASK_COPY = Text(
    "Muốn thay danh mục thì chép đè lên tệp của nguồn; chỉ cập nhật một phần thì chạy “caybeo approve {plan}”, "
    "không mục nào bị gỡ.",
    "To replace the catalogue overwrite the source's own file; for a partial update run “caybeo approve {plan}”: "
    "nothing is removed.",
)
LOST = Text(
    "Nguồn {name} thiếu {count} trong số {of} mục đã có.", "Source {name} lacks {count} of the {of} records it had."
)


def _no_file(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Không tìm thấy tệp hay thư mục {name}.", f"There is no file or folder {name}."),
        Text(
            f"Kiểm tra đường dẫn; nguồn có thể là tệp {', '.join(READABLE)}, một thư mục hoặc địa chỉ cơ sở dữ liệu.",
            f"Check the path; a source is a {' or '.join(READABLE)} file, a folder or a database address.",
        ),
    )


def _not_held(plan_id: int) -> tuple[Text, Text]:
    return (
        Text(f"Kế hoạch {plan_id} không còn chờ duyệt.", f"Plan {plan_id} is not waiting for approval."),
        Text("Chạy “caybeo status” để xem kế hoạch nào đang chờ.", "Run “caybeo status” to see what is waiting."),
    )


def _expired(plan_id: int, at: datetime) -> tuple[Text, Text]:
    return (
        Text(f"Kế hoạch {plan_id} đã hết hạn lúc {local(at)}.", f"Plan {plan_id} expired at {local(at)}."),
        Text("Đọc lại nguồn để có kế hoạch mới rồi duyệt.", "Read the source again and approve the new plan."),
    )


def _changed_since(name: str) -> tuple[Text, Text]:
    return (
        Text(f"Nguồn {name} đã thay đổi sau khi bị giữ lại.", f"Source {name} has changed since it was held."),
        Text("Đọc lại nguồn và xem kế hoạch mới.", "Read the source again and look at the new plan."),
    )
