"""Takes what a source says into the catalogue: all of it in one transaction, or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Row, RowMapping, Table, bindparam, delete, insert, select, update

from flows.sources.cells import decimal_text, same_key
from flows.sources.columns import ENGLISH, OFFER
from flows.sources.labels import PLACEHOLDER, draw, label_of
from flows.sources.pictures import MOST, keep
from flows.sources.problems import BadValue, RowProblem, row_problem
from flows.sources.records import PRODUCT as TEXTS
from flows.sources.records import ProducerSaid, ProductSaid, Reading, RowSaid, producer_key
from models.catalogue import Certificate, CertificateStatus, English, Image, Money, Producer, Product, Variant
from models.database import chunks, upsert
from models.ledger import record
from models.records import product_of, snapshot_of
from models.tables import (
    CertificateRow,
    Commune,
    ImageRow,
    ProducerRow,
    ProductRow,
    Provenance,
    SourceRecord,
    SourceRow,
    VariantRow,
    core,
)
from models.text import VIETNAM, Text, fold
from models.timetable import due_products, enrol

PRODUCER, PRODUCT, VARIANT = core(ProducerRow), core(ProductRow), core(VariantRow)
CERTIFICATE, IMAGE, COMMUNE = core(CertificateRow), core(ImageRow), core(Commune)
SAID, PROVENANCE, SOURCE = core(SourceRecord), core(Provenance), core(SourceRow)

BY_HAND = "import"  # the source name of a file that a person imported
CHUNK = 500
LOST_LEAST, LOST_SHARE = 5, 0.05
PRODUCER_FIELDS = ("legal_name", "producer_type", "tax_code", "commune", "province", "address_old")
FIGURES = ("price", "list_price", "stock", "price_confirmed_on")
CURRENT = ("assessed", "recognised")  # the one certificate a sheet speaks of; withdrawn ones are history
EMPTY = (None, "")
MISSING = object()
NO_PRODUCER = dict.fromkeys(PRODUCER_FIELDS, "")
NO_PRODUCT = {
    **dict.fromkeys(TEXTS, ""),
    **dict.fromkeys(("set_no", "alcohol_percent", "producer_id", "certificate", "images")),
    "is_alcohol": False,
    **dict.fromkeys(ENGLISH, ""),
    "english_illustrative": False,
}
TRANSLATED = (*ENGLISH, "english_illustrative")
NO_VARIANT = {"pack": "", "gtin": "", "position": 0, **dict.fromkeys(FIGURES), "illustrative": False}

Fields = dict[str, Any]  # values as JSON holds them

Progress = Callable[[str, int, int], None]  # source, records done, of how many


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """What a source gave before, and neither it nor any other gives now."""

    products: list[str]
    variants: list[str]
    offers: list[str]
    english: list[str]  # products
    records: list[str]  # all of them as they stand in `source_record`
    of: int  # products, offers and English texts the source gave before

    @property
    def count(self) -> int:
        return len(self.products) + len(self.variants) + len(self.offers) + len(self.english)

    @property
    def too_many(self) -> bool:
        return self.count > max(LOST_LEAST, self.of * LOST_SHARE)


@dataclass(kw_only=True)
class Tally:
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    set_aside: list[RowProblem] = field(default_factory=list)
    unknown_skus: bool = False


def gone_from(db: Connection, source: str, reading: Reading) -> Gone:
    """A row that was set aside still counts as given; where one cannot be told, nothing is gone."""
    earlier = list(db.execute(select(SAID.c.record).where(SAID.c.source == source)).scalars())
    of = sum(record.startswith(("product:", "offer:", "english:")) for record in earlier)
    if reading.untold:
        return Gone(products=[], variants=[], offers=[], english=[], records=[], of=of)
    missing = [record for record in earlier if not _given(record, reading)]
    elsewhere = _in(db, SAID.c.record, missing, SAID.c.record, SAID.c.source)
    missing = sorted(set(missing) - {row.record for row in elsewhere if row.source != source})
    products = _named(missing, "product")
    owners = {row.sku: row.product_id for row in _in(db, VARIANT.c.sku, _named(missing, "variant"))}
    excused = {same_key(product) for product in products} | reading.blocked
    variants = [sku for sku, product in owners.items() if same_key(product) not in excused]
    waiting = {f"variant:{sku}" for sku, product in owners.items() if same_key(product) in reading.blocked}
    records = [record for record in missing if record not in waiting]
    return Gone(
        products=products,
        variants=variants,
        offers=_named(missing, "offer"),
        english=_named(missing, "english"),
        records=records,
        of=of,
    )


def take(
    db: Connection,
    reading: Reading,
    source: str,
    now: datetime,
    *,
    gone: Gone | None = None,
    approval: str = "",
    media: Path | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Applies a whole reading. Without `media` nothing is shown anew: enough to count what would change."""
    intake = _Intake(db, reading, source, now, progress)
    intake.communes()
    intake.producers()
    intake.products()
    if gone:
        intake.remove(gone, approval)
    intake.offers()
    intake.english()
    if media:
        intake.show(media)
    return intake.tally


class _Intake:
    """One reading on its way into the tables."""

    def __init__(self, db: Connection, reading: Reading, source: str, now: datetime, progress: Progress | None) -> None:
        self._db, self._reading, self._source, self._now, self._progress = db, reading, source, now, progress
        self._today = now.astimezone(VIETNAM).date()
        self.tally = Tally(set_aside=list(reading.set_aside))
        self._producer_ids: dict[str, str | None] = {"": None}
        self._touched: set[str] = set()
        self._due: set[str] = set()  # also where no value changed: removed, or back again
        self._enrol = False
        self._done = 0

    # --- communes and producers ---------------------------------------------------------------------------------

    def communes(self) -> None:
        """The table only grows and is corrected: an old unit stays in old addresses for ever."""
        if not self._reading.communes:
            return
        known = {_unit(row): dict(row) for row in self._db.execute(select(COMMUNE)).mappings()}
        said = {_unit(unit): unit for unit in self._reading.communes}
        new = [unit for key, unit in said.items() if key not in known]
        there = [(unit, known[key]) for key, unit in said.items() if key in known]
        other = [{**unit, "key": old["id"]} for unit, old in there if any(unit[f] != old[f] for f in unit)]
        _insert(self._db, COMMUNE, new)
        _update(self._db, COMMUNE, COMMUNE.c.id, other)
        self._count(new=len(new), changed=len(other), unchanged=len(there) - len(other))

    def producers(self) -> None:
        directory = _Directory(self._db)
        said: dict[str, ProducerSaid] = {}
        for key, producer in sorted(self._reading.producers.items(), key=_fullest_first):
            pid = self._producer_ids[key] = directory.find(producer)
            said.setdefault(pid, producer)
        batch = self._batch([f"producer:{pid}" for pid in said])
        new: list[Fields] = []
        other: list[Fields] = []
        for pid, producer in said.items():
            given = {name: getattr(producer, name) for name in PRODUCER_FIELDS}
            current = directory.fields(pid)
            changes = batch.changes(f"producer:{pid}", given, current)
            batch.note(f"producer:{pid}", given, changes, producer.row)
            if changes:
                row = _producer_row(pid, {**NO_PRODUCER, **(current or {}), **changes})
                (new if current is None else other).append(row)
        _insert(self._db, PRODUCER, new)
        _update(self._db, PRODUCER, PRODUCER.c.producer_id, [row | {"key": row["producer_id"]} for row in other])
        batch.flush(self._db)
        self._touch_products_of([row["producer_id"] for row in other])

    def _touch_products_of(self, producers: list[str]) -> None:
        rows = _in(self._db, PRODUCT.c.producer_id, producers, PRODUCT.c.product_id)
        self._touched |= {row.product_id for row in rows}
        self._count(changed=len(producers))

    # --- products -----------------------------------------------------------------------------------------------

    def products(self) -> None:
        for keys in chunks(sorted(self._reading.products), CHUNK):
            said = [self._reading.product(key) for key in keys]
            shelf = _Shelf(self._db, said)
            names = [f"product:{p.product_id}" for p in said]
            batch = self._batch(names + [f"variant:{v['sku']}" for p in said for v in p.variants])
            for product in said:
                self._try_product(product, shelf, batch)
            batch.flush(self._db)
            self._advance(len(said))

    def _try_product(self, said: ProductSaid, shelf: _Shelf, batch: _Batch) -> None:
        try:
            pid = shelf.product_id(said)
            variants = shelf.variants_of(said, pid)
        except BadValue as error:
            self.tally.set_aside.append(row_problem(said.file, said.row, "", said.product_id, error))
            return
        known = shelf.product(pid) is not None
        changed = self._take_product(said, pid, shelf, batch)
        for sku, given in variants:
            changed = self._take_variant(said, sku, given, pid, shelf.variant(sku), batch) or changed
        if changed:
            self._touched.add(pid)
        self._count(**{"unchanged" if not changed else "changed" if known else "new": 1})

    def _take_product(self, said: ProductSaid, pid: str, shelf: _Shelf, batch: _Batch) -> bool:
        record, current = f"product:{said.product_id}", shelf.product(pid)
        given = said.fields | ({"producer_id": self._producer_ids[said.producer]} if said.producer else {})
        given |= {} if said.pictures is None else {"images": _pictures_said(said)}
        changes = batch.changes(record, given, current)
        back = shelf.is_removed(pid) and not batch.said_before(record)
        batch.note(record, given, changes, said.row, self._evidence(said.file, said.evidence), of=f"product:{pid}")
        if back:
            self._due.add(pid)
        if current is None or changes or back:
            batch.write_product(pid, current, changes)
            return True
        return False

    def _take_variant(
        self, said: ProductSaid, sku: str, given: dict[str, Any], pid: str, current: Fields | None, batch: _Batch
    ) -> bool:
        record = f"variant:{given.pop('sku')}"
        changes = _figures(batch.changes(record, given, current), given, current or NO_VARIANT, self._today)
        batch.note(record, given, changes, said.row, self._evidence(said.file, said.evidence), of=f"variant:{sku}")
        if current is not None and not changes:
            return False
        batch.write_variant(sku, pid, current, changes)
        self._enrol = self._enrol or current is None
        return True

    # --- offers -------------------------------------------------------------------------------------------------

    def offers(self) -> None:
        for keys in chunks(sorted(self._reading.offers), CHUNK):
            rows = {row.sku_key: row for row in _in(self._db, VARIANT.c.sku_key, keys)}
            batch = self._batch([f"offer:{row.sku}" for row in rows.values()])
            for key in keys:
                if key in rows:
                    self._take_offer(self._reading.offer(key), rows[key], batch)
                else:
                    self._refuse_unknown(self._reading.offer(key))
            batch.flush(self._db)
            self._advance(len(keys))

    def _take_offer(self, offer: RowSaid, row: Row[Any], batch: _Batch) -> None:
        record, current = f"offer:{row.sku}", _variant_fields(row)
        changes = _figures(batch.changes(record, offer.fields, current), offer.fields, current, self._today)
        batch.note(record, offer.fields, changes, offer.row, self._evidence(offer.file), of=f"variant:{row.sku}")
        if changes:
            batch.write_variant(row.sku, row.product_id, current, changes)
            self._touched.add(row.product_id)
        first = current["price"] is None and current["stock"] is None
        self._count(**{"unchanged" if not changes else "new" if first else "changed": 1})

    def _refuse_unknown(self, said: RowSaid) -> None:
        self.tally.unknown_skus = True
        error = BadValue("unknown-sku", *UNKNOWN_SKU)
        self.tally.set_aside.append(row_problem(said.file, said.row, "SKU", said.key, error))

    # --- English texts ------------------------------------------------------------------------------------------

    def english(self) -> None:
        for keys in chunks(sorted(self._reading.english), CHUNK):
            said = [self._reading.texts(key) for key in keys]
            rows = _spelled(self._db, said)
            batch = self._batch([f"english:{row.product_id}" for row in rows.values()])
            for one in said:
                if row := rows.get(one.key):
                    self._take_english(one, row, batch)
                else:
                    self._refuse_unknown(one)
            batch.flush(self._db)
            self._advance(len(keys))

    def _take_english(self, said: RowSaid, row: Row[Any], batch: _Batch) -> None:
        """Sample texts never replace real ones."""
        pid, current = row.product_id, {name: getattr(row, name) for name in TRANSLATED}
        record, real = f"english:{pid}", current["name_en"] and not current["english_illustrative"]
        sample = real and said.fields["english_illustrative"]
        changes = {} if sample else batch.changes(record, said.fields, current)
        batch.note(record, said.fields, changes, said.row, self._evidence(said.file), of=f"product:{pid}")
        if changes:
            batch.write_english(pid, current, changes)
            self._touched.add(pid)
        self._count(**{"unchanged" if not changes else "changed" if current["name_en"] else "new": 1})

    # --- removal ------------------------------------------------------------------------------------------------

    def remove(self, gone: Gone, approval: str) -> None:
        there = PRODUCT.c.removed_at.is_(None)
        for some in chunks(gone.products, CHUNK):
            removed = update(PRODUCT).where(PRODUCT.c.product_id.in_(some), there)
            self._db.execute(removed.values(removed_at=self._now, removed_by=approval))
        self._due |= set(gone.products)
        self._drop_variants(gone.variants)
        self._empty_offers(gone.offers)
        self._empty_english(gone.english)
        for some in chunks(gone.records, CHUNK):
            self._db.execute(delete(SAID).where(SAID.c.source == self._source, SAID.c.record.in_(some)))
        self.tally.removed = gone.count

    def _drop_variants(self, skus: list[str]) -> None:
        """Prices given for them go too, and their sources are read again: the SKU may come back."""
        self._touched |= {row.product_id for row in _in(self._db, VARIANT.c.sku, skus)}
        for some in chunks(skus, CHUNK):
            told = SAID.c.record.in_([f"offer:{sku}" for sku in some])
            sources = list(self._db.execute(select(SAID.c.source).where(told).distinct()).scalars())
            self._db.execute(update(SOURCE).where(SOURCE.c.name.in_(sources)).values(content_hash=""))
            self._db.execute(delete(SAID).where(told))
            self._db.execute(delete(VARIANT).where(VARIANT.c.sku.in_(some)))

    def _empty_offers(self, skus: list[str]) -> None:
        self._touched |= {row.product_id for row in _in(self._db, VARIANT.c.sku, skus)}
        nothing = {**dict.fromkeys(FIGURES), "illustrative": False}
        for some in chunks(skus, CHUNK):
            self._db.execute(update(VARIANT).where(VARIANT.c.sku.in_(some)).values(nothing))

    def _empty_english(self, ids: list[str]) -> None:
        self._touched |= set(ids)
        for some in chunks(ids, CHUNK):
            nothing = {name: NO_PRODUCT[name] for name in TRANSLATED}
            self._db.execute(update(PRODUCT).where(PRODUCT.c.product_id.in_(some)).values(nothing))

    # --- what listings are made from ----------------------------------------------------------------------------

    def show(self, media: Path) -> None:
        """New snapshots of what changed; those, and new SKUs, are due on every account."""
        media.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="label") as pool:
            for ids in chunks(sorted(self._touched), CHUNK):
                self._due |= _Snapshots(self._db, list(ids), media, pool).write()
        due_products(self._db, self._due, self._now)
        if self._enrol:
            enrol(self._db, self._now)

    # --- shared -------------------------------------------------------------------------------------------------

    def _batch(self, records: list[str]) -> _Batch:
        """What this source said last time; a person's import is always said anew."""
        earlier: dict[str, Fields] = {}
        for some in chunks([] if self._source == BY_HAND else records, CHUNK):
            where = (SAID.c.source == self._source) & SAID.c.record.in_(some)
            earlier |= {
                row[0]: row[1] for row in self._db.execute(select(SAID.c.record, SAID.c["values"]).where(where))
            }
        return _Batch(self._source, self._now, earlier)

    def _evidence(self, file: str, evidence: str = "") -> str:
        return " ".join(filter(None, (file if self._source == BY_HAND else "", evidence)))

    def _count(self, *, new: int = 0, changed: int = 0, unchanged: int = 0) -> None:
        self.tally.new += new
        self.tally.changed += changed
        self.tally.unchanged += unchanged

    def _advance(self, done: int) -> None:
        self._done += done
        if self._progress:
            reading = self._reading
            whole = len(reading.products) + len(reading.offers) + len(reading.english)
            self._progress(self._source, self._done, whole)


class _Batch:
    """Some hundred records: what their source said before, and what is to be written of them."""

    def __init__(self, source: str, now: datetime, earlier: dict[str, Fields]) -> None:
        self._source, self._now, self._earlier = source, now, earlier
        self._said: list[Fields] = []
        self._provenance: list[Fields] = []
        self._new_products: list[Fields] = []
        self._products: list[Fields] = []
        self._english: list[Fields] = []
        self._new_variants: list[Fields] = []
        self._variants: list[Fields] = []
        self._certificates: dict[str, Fields | None] = {}
        self._images: dict[str, list[Fields] | None] = {}
        self._history: list[tuple[str, int | None, Fields]] = []

    def said_before(self, record: str) -> bool:
        return record in self._earlier

    def changes(self, record: str, given: Fields, current: Fields | None) -> Fields:
        """What this source really changed and the catalogue does not have; an empty cell alone says nothing."""
        before, now = self._earlier.get(record, {}), current or {}
        news = {f: v for f, v in given.items() if (v != before[f] if f in before else v not in EMPTY)}
        return {f: v for f, v in news.items() if now.get(f, MISSING) != v}

    def note(self, record: str, given: Fields, changes: Fields, row: int, evidence: str = "", *, of: str = "") -> None:
        """Remembers what the source said, and where each changed value comes from."""
        before = self._earlier.get(record, {})
        said = {**before, **given}
        if self._source != BY_HAND and (said != before or record not in self._earlier):
            self._said.append({"source": self._source, "record": record, "row": row, "values": said})
        origin = {"source": self._source, "row": row, "evidence": evidence, "imported_at": self._now}
        self._provenance += [{"record": of or record, "field": name, **origin} for name in changes]

    def _remember(self, key: str, current: Fields | None, changes: Fields) -> None:
        """A change of something known already is part of its story."""
        if current is not None and changes:
            moved = {f: [_told(f, current.get(f)), _told(f, v)] for f, v in changes.items() if f != "position"}
            self._history.append((key, None, {"source": self._source, "changes": moved}))

    def write_product(self, pid: str, current: Fields | None, changes: Fields) -> None:
        self._remember(pid, current, changes)
        row = {**NO_PRODUCT, **(current or {}), **changes}
        if "certificate" in changes:
            self._certificates[pid] = changes["certificate"]
        if "images" in changes:
            self._images[pid] = changes["images"]
        del row["certificate"], row["images"]
        percent = row["alcohol_percent"]
        row |= {"alcohol_percent": Decimal(percent) if percent else None, "name_key": fold(row["name"])}
        row |= {"removed_at": None, "removed_by": ""}
        if current is None:
            self._new_products.append(row | {"product_id": pid, "revision": 0, "content_hash": "", "snapshot": b""})
        else:
            self._products.append(row | {"key": pid})

    def write_english(self, pid: str, current: Fields, changes: Fields) -> None:
        self._remember(pid, current, changes)
        self._english.append({**current, **changes, "key": pid})

    def write_variant(self, sku: str, pid: str, current: Fields | None, changes: Fields) -> None:
        self._remember(sku, current, changes)
        row = {**NO_VARIANT, **(current or {}), **changes}
        row |= {name: None if row[name] is None else Decimal(row[name]) for name in ("price", "list_price")}
        row["price_confirmed_on"] = _date(row["price_confirmed_on"])
        if current is None:
            fixed = {"sku": sku, "sku_key": same_key(sku), "product_id": pid, "currency": "VND"}
            self._new_variants.append(row | fixed)
        else:
            self._variants.append(row | {"key": sku})

    def flush(self, db: Connection) -> None:
        _insert(db, PRODUCT, self._new_products)
        _update(db, PRODUCT, PRODUCT.c.product_id, self._products)
        _update(db, PRODUCT, PRODUCT.c.product_id, self._english)
        _insert(db, VARIANT, self._new_variants)
        _update(db, VARIANT, VARIANT.c.sku, self._variants)
        self._flush_certificates(db)
        self._flush_images(db)
        upsert(db, SAID, self._said, ["source", "record"])
        upsert(db, PROVENANCE, self._provenance, ["record", "field"])
        record(db, self._now, "", "", "changed", self._history)

    def _flush_certificates(self, db: Connection) -> None:
        ids = sorted(self._certificates)
        for some in chunks(ids, CHUNK):
            where = CERTIFICATE.c.product_id.in_(some) & CERTIFICATE.c.status.in_(CURRENT)
            db.execute(delete(CERTIFICATE).where(where))
        fixed = {"valid_until_override": None, "override_dossier": ""}
        given = ((pid, self._certificates[pid]) for pid in ids)
        rows = [{"product_id": pid, **c, **fixed, "issued_on": _date(c["issued_on"])} for pid, c in given if c]
        _insert(db, CERTIFICATE, rows)

    def _flush_images(self, db: Connection) -> None:
        """A drawn label goes too: where it is needed again, its words may be others."""
        for some in chunks(sorted(self._images), CHUNK):
            db.execute(delete(IMAGE).where(IMAGE.c.product_id.in_(some)))
        rows = [
            {"product_id": pid, "position": position, **image}
            for pid, images in sorted(self._images.items())
            for position, image in enumerate(images or ())
        ]
        _insert(db, IMAGE, rows)


class _Directory:
    """All producers, found by tax code, else by name and commune; an unknown commune is no other commune."""

    def __init__(self, db: Connection) -> None:
        self._rows: dict[str, Fields] = {}
        self._ids: dict[str, str] = {}  # tax code -> id
        self._named: dict[str, dict[str, str]] = defaultdict(dict)  # name -> id -> folded commune
        for row in db.execute(select(PRODUCER)).mappings():
            self._rows[row["producer_id"]] = {name: row[name] for name in PRODUCER_FIELDS}
            self._file(row["producer_id"], row["tax_code"], row["legal_name"], row["commune"])

    def fields(self, producer_id: str) -> Fields | None:
        return self._rows.get(producer_id)

    def find(self, said: ProducerSaid) -> str:
        found = self._ids.get(said.tax_code) or self._by_name(said) or _new_producer_id(said)
        self._file(found, said.tax_code, said.legal_name, said.commune)
        return found

    def _by_name(self, said: ProducerSaid) -> str | None:
        same = {
            pid: commune
            for pid, commune in self._named[producer_key(said.legal_name)].items()
            if not (said.tax_code and self._rows.get(pid, {}).get("tax_code"))
        }
        commune = fold(said.commune)
        exact = next((pid for pid, there in same.items() if there == commune), None)
        open_ones = [pid for pid, there in same.items() if not there or not commune]
        return exact or (open_ones[0] if len(open_ones) == 1 else None)

    def _file(self, pid: str, tax_code: str, legal_name: str, commune: str) -> None:
        if tax_code:
            self._ids[tax_code] = pid
        there = self._named[producer_key(legal_name)]
        there[pid] = fold(commune) or there.get(pid, "")


class _Shelf:
    """What the catalogue holds of some products before they are taken."""

    def __init__(self, db: Connection, said: Sequence[ProductSaid]) -> None:
        keys = {same_key(p.product_id) for p in said} | {same_key(str(v["sku"])) for p in said for v in p.variants}
        self._by_key = {row.sku_key: row for row in _in(db, VARIANT.c.sku_key, sorted(keys))}
        self._spelled = {same_key(row.product_id): row.product_id for row in self._by_key.values()}
        ids = sorted({p.product_id for p in said} | set(self._spelled.values()))
        columns = [column for column in PRODUCT.c if column.name != "snapshot"]
        self._products = {row.product_id: row for row in _in(db, PRODUCT.c.product_id, ids, *columns)}
        self._variants = _grouped(_in(db, VARIANT.c.product_id, ids))
        self._rows = {row.sku: row for rows in self._variants.values() for row in rows}
        self._certificates = _grouped(_in(db, CERTIFICATE.c.product_id, ids))
        self._images = _grouped(_in(db, IMAGE.c.product_id, ids))

    def product_id(self, said: ProductSaid) -> str:
        """The id as the catalogue spells it: cm001 is CM001."""
        if said.product_id in self._products:
            return said.product_id
        return str(self._spelled.get(same_key(said.product_id), said.product_id))

    def is_removed(self, pid: str) -> bool:
        return pid in self._products and self._products[pid].removed_at is not None

    def product(self, pid: str) -> Fields | None:
        row = self._products.get(pid)
        if row is None:
            return None
        kept = {name: getattr(row, name) for name in (*TEXTS, *TRANSLATED, "producer_id")}
        now = [c for c in self._certificates[pid] if c.status in CURRENT]
        return kept | {
            "alcohol_percent": decimal_text(row.alcohol_percent),
            "certificate": _certificate_fields(now[-1]) if now else None,
            "images": list(map(_image_row, _real(self._images[pid]))) or None,
        }

    def variant(self, sku: str) -> Fields | None:
        row = self._rows.get(sku)
        return _variant_fields(row) if row is not None else None

    def variants_of(self, said: ProductSaid, pid: str) -> list[tuple[str, Fields]]:
        """SKUs as the catalogue spells them. A sheet that names no pack speaks of the only one there is."""
        if said.implied and self._variants[pid]:
            return self._only_variant(said.variants[0], pid)
        found = [(self._by_key.get(same_key(str(v["sku"]))), v) for v in said.variants]
        if any(row is not None and row.product_id != pid for row, _ in found):
            raise BadValue("sku-taken", *SKU_TAKEN)
        return [(str(v["sku"] if row is None else row.sku), v) for row, v in found]

    def _only_variant(self, given: Fields, pid: str) -> list[tuple[str, Fields]]:
        there = self._variants[pid]
        said = {name: value for name, value in given.items() if name != "position"}
        if len(there) == 1:
            return [(there[0].sku, said)]
        if any(said.get(name) not in EMPTY for name in ("gtin", *FIGURES)):
            raise BadValue("which-pack", *WHICH_PACK)
        return []


class _Snapshots:
    """Some products as the documents that runs read, with a drawn label where there is no picture."""

    def __init__(self, db: Connection, ids: list[str], media: Path, pool: ThreadPoolExecutor) -> None:
        self._db, self._media, self._pool = db, media, pool
        self._rows = _in(db, PRODUCT.c.product_id, ids)
        makers = sorted({row.producer_id for row in self._rows if row.producer_id})
        self._producers = {row.producer_id: row for row in _in(db, PRODUCER.c.producer_id, makers)}
        self._variants = _grouped(_in(db, VARIANT.c.product_id, ids))
        self._certificates = _grouped(_in(db, CERTIFICATE.c.product_id, ids))
        self._images = _grouped(_in(db, IMAGE.c.product_id, ids))

    def write(self) -> set[str]:
        """The ids whose document is another one now."""
        products = {row.product_id: self._product(row, self._pictures(row.product_id)) for row in self._rows}
        labels = self._labels(products)
        changed = []
        for row in self._rows:
            drawn = labels.get(row.product_id)
            document, digest = snapshot_of(self._product(row, (drawn,)) if drawn else products[row.product_id])
            if digest != row.content_hash:
                new = {"snapshot": document, "content_hash": digest, "revision": row.revision + 1}
                changed.append(new | {"key": row.product_id})
        _update(self._db, PRODUCT, PRODUCT.c.product_id, changed)
        return {str(row["key"]) for row in changed}

    def _labels(self, products: dict[str, Product]) -> dict[str, Image]:
        """New labels for those products whose words on it changed."""
        stale = [row for row in self._rows if self._needs_label(row, products[row.product_id])]
        ids = [row.product_id for row in stale]
        drawn = dict(zip(ids, self._pool.map(draw, [label_of(products[pid]) for pid in ids]), strict=True))
        for image, data in drawn.values():
            keep(self._media / f"{image.sha256}.png", data)
        for some in chunks(ids, CHUNK):
            self._db.execute(delete(IMAGE).where(IMAGE.c.product_id.in_(some), IMAGE.c.kind == PLACEHOLDER))
        rows = [{"product_id": pid, "position": 0, **_image_row(image)} for pid, (image, _) in drawn.items()]
        _insert(self._db, IMAGE, rows)
        return {pid: image for pid, (image, _) in drawn.items()}

    def _needs_label(self, row: Row[Any], product: Product) -> bool:
        if any(image.kind != PLACEHOLDER for image in product.images):
            return False
        return not (product.images and row.snapshot and label_of(product_of(row.snapshot)) == label_of(product))

    def _pictures(self, pid: str) -> tuple[Image, ...]:
        """The real ones; the drawn one only where there are none."""
        return tuple(map(_image, _real(self._images[pid]) or self._images[pid]))

    def _product(self, row: Row[Any], images: tuple[Image, ...]) -> Product:
        pid, percent = row.product_id, row.alcohol_percent
        return Product(
            product_id=pid,
            producer=_producer(self._producers.get(row.producer_id)),
            variants=tuple(map(_variant, sorted(self._variants[pid], key=lambda v: (v.position, v.sku)))),
            group=row.product_group,
            alcohol_percent=None if percent is None else percent.normalize(),
            certificates=tuple(map(_certificate, sorted(self._certificates[pid], key=lambda c: c.id))),
            images=images,
            english=_english(row),
            **{name: getattr(row, name) for name in TEXTS if name not in ("product_group", "alcohol_percent")},
        )


# --- rules --------------------------------------------------------------------------------------------------------


def _figures(changes: Fields, given: Fields, current: Fields, today: date) -> Fields:
    """Made-up figures never replace real ones, and none of them stays behind where real ones come."""
    if given.get("illustrative") and _has_real_figures(current):
        return {name: value for name, value in changes.items() if name not in OFFER}
    if current["illustrative"] and changes.get("illustrative") is False:
        changes = {**{f: None for f in FIGURES if current[f] is not None and given.get(f) is None}, **changes}
    if changes.get("price") is not None and given.get("price_confirmed_on") is None:
        changes = {**changes, "price_confirmed_on": today.isoformat()}  # who gives a price confirms it
    return changes


def _has_real_figures(current: Fields) -> bool:
    return not current["illustrative"] and (current["price"] is not None or current["stock"] is not None)


def _given(record: str, reading: Reading) -> bool:
    kind, _, name = record.partition(":")
    key = same_key(name)
    there: dict[str, Mapping[str, object]]
    there = {"product": reading.products, "variant": reading.skus, "offer": reading.offers, "english": reading.english}
    return kind not in there or key in there[kind] or key in reading.blocked


def _named(records: Iterable[str], kind: str) -> list[str]:
    return [record.partition(":")[2] for record in records if record.startswith(f"{kind}:")]


def _fullest_first(item: tuple[str, ProducerSaid]) -> tuple[bool, bool, str]:
    """With tax code, with commune, then the rest: so that a row that tells less finds its producer."""
    key, said = item
    return not said.tax_code, not said.commune, key


def _new_producer_id(said: ProducerSaid) -> str:
    if said.tax_code:
        return f"MST{said.tax_code}"
    key = f"{producer_key(said.legal_name)}|{fold(said.commune)}"
    return "P" + blake2b(key.encode(), digest_size=6).hexdigest().upper()


# --- rows and values ----------------------------------------------------------------------------------------------


def _producer_row(pid: str, fields: Fields) -> Fields:
    key = f"{producer_key(fields['legal_name'])}|{fold(fields['commune'])}"
    return {"producer_id": pid, "name_key": key, **fields}


def _variant_fields(row: Row[Any]) -> Fields:
    return {
        "pack": row.pack,
        "gtin": row.gtin,
        "position": row.position,
        "price": _int(row.price),
        "list_price": _int(row.list_price),
        "stock": row.stock,
        "price_confirmed_on": row.price_confirmed_on and row.price_confirmed_on.isoformat(),
        "illustrative": row.illustrative,
    }


def _certificate_fields(row: Row[Any]) -> Fields:
    return {
        "star": row.star,
        "status": row.status,
        "year": row.year,
        "issued_on": row.issued_on and row.issued_on.isoformat(),
        "decision_no": row.decision_no,
    }


def _pictures_said(said: ProductSaid) -> list[Fields] | None:
    """Each once, even where several packs share it."""
    distinct = {image.sha256: _image_row(image) for _, _, image in said.pictures or ()}
    return list(distinct.values())[:MOST] or None


def _told(name: str, value: Any) -> Any:
    """A value for the story of a product, where a picture is told by the beginning of its name."""
    return ", ".join(f"#{image['sha256'][:8]}" for image in value or ()) if name == "images" else value


def _real(images: list[Row[Any]]) -> list[Row[Any]]:
    """All but the drawn label, in their order."""
    there = sorted(images, key=lambda image: (image.position, image.id))
    return [image for image in there if image.kind != PLACEHOLDER]


def _image_row(image: Image | Row[Any]) -> Fields:
    return {name: getattr(image, name) for name in ("sha256", "media_type", "width", "height", "size", "kind")}


def _producer(row: Row[Any] | None) -> Producer:
    if row is None:
        return Producer(producer_id="", legal_name="")
    return Producer(producer_id=row.producer_id, **{name: getattr(row, name) for name in PRODUCER_FIELDS})


def _variant(row: Row[Any]) -> Variant:
    return Variant(
        sku=row.sku,
        pack=row.pack,
        gtin=row.gtin,
        price=_money(row.price, row.currency),
        list_price=_money(row.list_price, row.currency),
        price_confirmed_on=row.price_confirmed_on,
        stock=row.stock,
        illustrative=row.illustrative,
    )


def _english(row: Row[Any]) -> English | None:
    if not row.name_en:
        return None
    texts = {name.removesuffix("_en"): getattr(row, name) for name in ENGLISH}
    return English(**texts, illustrative=row.english_illustrative)


def _certificate(row: Row[Any]) -> Certificate:
    return Certificate(
        star=row.star,
        status=CertificateStatus(row.status),
        year=row.year,
        issued_on=row.issued_on,
        valid_until_override=row.valid_until_override,
        override_dossier=row.override_dossier,
        decision_no=row.decision_no,
    )


def _image(row: Row[Any]) -> Image:
    return Image(**_image_row(row))


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount=amount.quantize(Decimal(1)), currency=currency)


def _int(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount)


def _date(iso: str | None) -> date | None:
    return date.fromisoformat(iso) if iso else None


def _unit(unit: Mapping[str, Any] | RowMapping) -> tuple[str, ...]:
    return tuple(unit[name] for name in ("old_type", "old_name", "old_city", "new_type", "new_name"))


def _in(db: Connection, column: Column[Any], values: Sequence[Any], *wanted: Column[Any]) -> list[Row[Any]]:
    """The rows whose column is one of many values."""
    statement = select(*wanted) if wanted else select(column.table)
    return [row for some in chunks(list(values), CHUNK) for row in db.execute(statement.where(column.in_(some)))]


def _spelled(db: Connection, said: Sequence[RowSaid]) -> dict[str, Row[Any]]:
    """The products meant, by the id as it was said: one that has a single pack is found by cm001 too."""
    keys = {same_key(one.key): one.key for one in said}
    packs = _in(db, VARIANT.c.sku_key, sorted(keys), VARIANT.c.sku_key, VARIANT.c.product_id)
    loose = {keys[row.sku_key]: row.product_id for row in packs}
    columns = [PRODUCT.c.product_id, *(PRODUCT.c[name] for name in TRANSLATED)]
    wanted = sorted({*keys.values(), *loose.values()})
    rows = {row.product_id: row for row in _in(db, PRODUCT.c.product_id, wanted, *columns)}
    found = {one.key: rows.get(one.key) or rows.get(loose.get(one.key, "")) for one in said}
    return {key: row for key, row in found.items() if row is not None}


def _grouped(rows: list[Row[Any]]) -> defaultdict[str, list[Row[Any]]]:
    """By product."""
    groups: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[row.product_id].append(row)
    return groups


def _insert(db: Connection, table: Table, rows: list[Fields]) -> None:
    if rows:
        db.execute(insert(table), rows)


def _update(db: Connection, table: Table, key: Column[Any], rows: list[Fields]) -> None:
    """Each row names its target as "key"."""
    if rows:
        db.execute(update(table).where(key == bindparam("key")), rows)


UNKNOWN_SKU = (
    Text("Danh mục chưa có mã SKU này.", "The catalogue has no such SKU."),
    Text("Nhập sản phẩm trước, hoặc sửa mã cho đúng.", "Import the product first, or correct the code."),
)
SKU_TAKEN = (
    Text("Mã SKU của dòng này đã thuộc về một sản phẩm khác.", "A SKU of this row belongs to another product."),
    Text("Đặt mã SKU khác cho sản phẩm này.", "Give this product another SKU."),
)
WHICH_PACK = (
    Text("Sản phẩm có nhiều quy cách, dòng này không ghi giá hay tồn kho của quy cách nào.", "Which pack is meant?"),
    Text("Thêm cột Mã SKU hoặc Quy cách.", "Add a SKU or a pack column."),
)
