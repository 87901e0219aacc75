"""Every table. SQLModel declares them; hot paths use Core statements on `.__table__`, never these objects."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, LargeBinary, Numeric, UniqueConstraint, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.types import Integer, TypeDecorator
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMING
metadata = SQLModel.metadata
IS_OPEN = "done_at IS NULL"  # not a list of states: moving between open ones then costs no index

RowId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER PRIMARY KEY by itself


class Instant(TypeDecorator[datetime]):
    """Aware UTC on both databases; SQLite itself forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _id() -> Any:
    return Field(default=None, sa_column=Column(RowId, primary_key=True, autoincrement=True))


def _instant(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Instant, nullable=nullable))


def _json(default: Any = dict) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


# --- catalogue ------------------------------------------------------------------------------------------------------


class Commune(SQLModel, table=True):
    """Old commune-level unit -> unit since 01/07/2025 (Nghị quyết 1655/NQ-UBTVQH15)."""

    id: int | None = _id()
    old_type: str
    old_name: str
    old_city: str = ""
    new_type: str
    new_name: str
    split: bool = False  # divided between several new units: the old name alone does not decide
    note: str = ""


class ProducerRow(SQLModel, table=True):
    __tablename__ = "producer"
    producer_id: str = Field(primary_key=True)
    legal_name: str
    name_key: str = Field(index=True)  # folded legal name + commune
    producer_type: str = ""
    tax_code: str = ""
    commune: str = ""
    province: str = ""
    address_old: str = ""


class ProductRow(SQLModel, table=True):
    """`snapshot` is the whole product as JSON (models.records), rebuilt in the transaction that changes it."""

    __tablename__ = "product"
    product_id: str = Field(primary_key=True)
    name: str
    name_key: str = Field(index=True)
    producer_id: str | None = Field(default=None, foreign_key="producer.producer_id")
    brand: str = ""
    set_no: int | None = None
    sector: str = ""
    product_group: str = ""
    subgroup: str = ""
    is_alcohol: bool = False
    alcohol_percent: Decimal | None = Field(default=None, sa_column=Column(Numeric(5, 2)))
    ingredients: str = ""
    shelf_life: str = ""
    storage: str = ""
    usage: str = ""
    warnings: str = ""
    origin: str = ""
    marks: str = ""
    description: str = ""
    name_en: str = ""
    description_en: str = ""
    ingredients_en: str = ""
    storage_en: str = ""
    usage_en: str = ""
    warnings_en: str = ""
    english_illustrative: bool = False  # sample texts: sandbox accounts only
    revision: int = 0
    content_hash: str = ""
    snapshot: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
    removed_at: datetime | None = _instant(nullable=True)
    removed_by: str = ""  # the approval that let a large removal through


class VariantRow(SQLModel, table=True):
    __tablename__ = "variant"
    sku: str = Field(primary_key=True)
    sku_key: str = Field(unique=True)  # NFKC, casefolded: two spellings of one SKU collide here
    product_id: str = Field(foreign_key="product.product_id", index=True)
    position: int = 0
    pack: str = ""
    gtin: str = ""
    price: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    list_price: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    currency: str = "VND"
    price_confirmed_on: date | None = None
    stock: int | None = None
    illustrative: bool = False


class CertificateRow(SQLModel, table=True):
    __tablename__ = "certificate"
    id: int | None = _id()
    product_id: str = Field(foreign_key="product.product_id", index=True)
    star: int
    status: str
    year: int | None = None
    issued_on: date | None = None
    valid_until_override: date | None = None
    override_dossier: str = ""
    decision_no: str = ""


class ImageRow(SQLModel, table=True):
    __tablename__ = "image"
    __table_args__ = (UniqueConstraint("product_id", "sha256"),)
    id: int | None = _id()
    product_id: str = Field(foreign_key="product.product_id", index=True)
    position: int = 0
    sha256: str
    media_type: str
    width: int
    height: int
    size: int
    kind: str = "label"


class Provenance(SQLModel, table=True):
    """Where the present value of one field came from."""

    record: str = Field(primary_key=True)  # "product:CM001", "variant:CM001", …
    field: str = Field(primary_key=True)
    source: str
    row: int
    evidence: str = ""
    imported_at: datetime = _instant()


class SourceRow(SQLModel, table=True):
    """What the nightly pull reads."""

    __tablename__ = "source"
    name: str = Field(primary_key=True)
    kind: str  # file | folder | sql
    location: str
    options: dict[str, Any] = _json()
    registered_at: datetime = _instant()
    content_hash: str = ""
    pulled_at: datetime | None = _instant(nullable=True)
    status: str = "new"  # new | taken | unchanged | held | failed
    message: dict[str, Any] = _json()


class SourceRecord(SQLModel, table=True):
    """The values one source last gave for one record: only what differs from these is a change of that source."""

    __tablename__ = "source_record"
    source: str = Field(primary_key=True)
    record: str = Field(primary_key=True)
    row: int
    fields: dict[str, Any] = Field(sa_column=Column("values", JSON, nullable=False))


# --- accounts -------------------------------------------------------------------------------------------------------


class AccountRow(SQLModel, table=True):
    __tablename__ = "account"
    name: str = Field(primary_key=True)
    marketplace: str
    sandbox: bool
    mode: str = "api"  # api | file | dormant
    base_url: str = ""
    policy: dict[str, Any] = _json()
    seller: str = ""  # who the marketplace said we are
    mapping_version: int = 0
    needs_reconcile: bool = False  # a restored backup has forgotten sends: read everything before writing
    down_since: datetime | None = _instant(nullable=True)  # no usable answer since then: one probe first
    swept_to: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))  # the latest ledger entry it covers
    created_at: datetime = _instant()


class Credential(SQLModel, table=True):
    account: str = Field(primary_key=True, foreign_key="account.name")
    ciphertext: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    saved_at: datetime = _instant()


class Token(SQLModel, table=True):
    """The latest tokens of an account whose marketplace renews them: a refresh token works once."""

    account: str = Field(primary_key=True, foreign_key="account.name")
    ciphertext: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    refresh_ends: datetime | None = _instant(nullable=True)
    renewed_at: datetime = _instant()


class Lease(SQLModel, table=True):
    """One writer per account. `token` only ever grows."""

    account: str = Field(primary_key=True)
    token: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    holder: str = ""
    expires_at: datetime | None = _instant(nullable=True)
    crashes: int = 0  # runs in a row that ended without giving the account back


class Quota(SQLModel, table=True):
    """What one account has used of one declared rate, in slots of a window's sixtieth part, kept across processes."""

    account: str = Field(primary_key=True)
    rate: str = Field(primary_key=True)  # the declaration it counts, e.g. "60/60 *"
    slots: dict[str, int] = _json()  # slot number -> requests that may have arrived in it
    permits: int = 0  # lowered by what the marketplace reports; 0 = as declared
    permits_at: datetime | None = _instant(nullable=True)  # since when
    closed_until: datetime | None = _instant(nullable=True)


class OddityRow(SQLModel, table=True):
    """What an account's marketplace said that the connector does not know."""

    __tablename__ = "oddity"
    account: str = Field(primary_key=True)
    operation: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)  # code | shape
    name: str = Field(primary_key=True)
    times: int
    sample: Any = Field(default=None, sa_column=Column(JSON))  # an answer of that shape, redacted
    first_at: datetime = _instant()
    last_at: datetime = _instant()


class RemoteMedia(SQLModel, table=True):
    __tablename__ = "remote_media"
    account: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    remote_id: str


# --- engine ---------------------------------------------------------------------------------------------------------


class ListingState(SQLModel, table=True):
    """What one account shows of one SKU as far as it was acknowledged, and when it is next worth a look."""

    __tablename__ = "listing_state"
    __table_args__ = (
        UniqueConstraint("account", "sku"),
        Index(
            "ix_listing_state_due",
            "account",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index("ix_listing_state_outcome", "account", "outcome", "status", "note"),
    )
    id: int | None = _id()
    account: str = Field(index=True)
    sku: str = Field(index=True)
    product_id: str
    status: str = "absent"  # absent | live | hidden
    remote_id: str = ""
    revision: str = ""
    baseline: dict[str, str] = _json()  # facet -> hash the marketplace acknowledged
    price: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))  # acknowledged
    stock: int | None = None  # acknowledged
    due_at: datetime | None = _instant(nullable=True)
    due_reason: str | None = None
    attempts: int = 0  # in a row without an acknowledgement
    problems: list[dict[str, Any]] = _json(list)
    doubt: bool = False  # a create that nobody can look up may have been taken: only a person may repeat it
    adopted: dict[str, str] = _json()  # facet -> hash of what was changed there and may stay
    healed: dict[str, Any] = _json()  # facet -> [our hash, how often it was sent again because it read back otherwise]
    note: str = ""  # code of the first thing worth telling about a listing that is fine otherwise
    outcome: str = ""  # of the latest look: listed, unlistable, rejected, deferred, unknown, accepted, held
    updated_at: datetime | None = _instant(nullable=True)


class Withdrawal(SQLModel, table=True):
    """Items a person took down everywhere; they stay down until the row goes."""

    sku: str = Field(primary_key=True)
    reason: str
    who: str
    at: datetime = _instant()


class PlanRow(SQLModel, table=True):
    __tablename__ = "plan"
    id: int | None = _id()
    account: str = Field(index=True)  # "" for a plan that changes the catalogue (a shrunken source)
    run_id: str
    status: str  # ready | held | approved | applied | refused | expired | superseded
    digest: str
    counts: dict[str, Any] = _json()
    reasons: list[dict[str, Any]] = _json(list)  # why a guard held it, with examples
    detail: dict[str, Any] = _json()
    created_at: datetime = _instant()
    expires_at: datetime | None = _instant(nullable=True)
    decided_at: datetime | None = _instant(nullable=True)
    decided_by: str = ""
    decision: str = ""


class Batch(SQLModel, table=True):
    """The changes of one request, as they are sent (models.change.Change): written once with the plan, read once."""

    __table_args__ = (Index("ix_batch_plan", "plan_id", "priority", "number"),)
    id: int | None = _id()
    plan_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    number: int  # within the plan
    priority: int  # stop selling, then stock, price, content
    changes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Outbox(SQLModel, table=True):
    """The intent before the effect: one narrow row per change, written before anything is sent."""

    __table_args__ = (
        Index(
            "uq_outbox_open", "account", "sku", unique=True, sqlite_where=text(IS_OPEN), postgresql_where=text(IS_OPEN)
        ),
        Index("ix_outbox_batch", "plan_id", "batch"),
        Index("ix_outbox_sku", "sku"),
        Index(
            "ix_outbox_moves",
            "account",
            "sent_at",
            sqlite_where=text("kind <> 'create'"),
            postgresql_where=text("kind <> 'create'"),
        ),
    )
    id: int | None = _id()
    plan_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch: int
    account: str
    sku: str
    kind: str
    facets: str  # comma-separated
    hashes: dict[str, str] = _json()  # facet -> hash of the whole listing
    product_revision: int
    price: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))
    stock: int | None = None
    old_price: Decimal | None = Field(default=None, sa_column=Column(Numeric(18, 4)))  # what was shown before
    old_stock: int | None = None
    calendar: datetime | None = _instant(nullable=True)  # when this listing must be judged again without a cause
    counted: bool = True  # a guard counts it; false once a person has approved it
    remote_id: str = ""
    remote_revision: str = ""
    status: str
    lease: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    turn: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))  # which transaction ended it
    handle: str = ""
    sent_at: datetime | None = _instant(nullable=True)
    done_at: datetime | None = _instant(nullable=True)
    settle_at: datetime | None = _instant(nullable=True)  # from then on a read surely sees what was sent
    follows: int | None = Field(default=None, sa_column=Column(BigInteger))  # the quarantined row this one repeats
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))


class Ledger(SQLModel, table=True):
    """What happened, in order. Rows are only ever added."""

    __table_args__ = (Index("ix_ledger_sku", "sku", "id"), Index("ix_ledger_account", "account", "at"))
    id: int | None = _id()
    at: datetime = _instant()
    run_id: str
    account: str
    sku: str
    event: str
    change_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    detail: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))


class Run(SQLModel, table=True):
    run_id: str = Field(primary_key=True)
    trigger: str
    started_at: datetime = _instant()
    finished_at: datetime | None = _instant(nullable=True)
    status: str = "running"
    report: dict[str, Any] = _json()


def core(model: type[SQLModel]) -> SqlTable:
    """The Core table of a declared one."""
    return model.__table__  # type: ignore[attr-defined,no-any-return]  # SQLModel sets it on table classes
