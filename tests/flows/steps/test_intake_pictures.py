"""Pictures on their way into the catalogue: in place of the drawn label, and written only where they really changed."""

import csv
import io
import sqlite3
from datetime import UTC, date, datetime
from hashlib import sha256

import pytest
from PIL import Image
from sqlalchemy import insert, select, update

from connectors.contract import Policy
from connectors.registry import connector
from flows.steps.project import project
from flows.steps.pull import add_source, approve_intake, import_file, pull
from models.database import reading, writing
from models.ledger import LEDGER
from models.listing import Listing, Unlistable
from models.records import product_of
from models.tables import AccountRow, ImageRow, ListingState, ProductRow, Provenance, core
from tests.databases import opened
from tests.scenarios.world import HandClock

HEAD = ("Mã sản phẩm", "Tên sản phẩm", "Ảnh")


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def database(home):
    engine = opened(f"sqlite:///{home / 'caybeo.db'}")
    with writing(engine) as db:
        row = {"name": "shop", "marketplace": "voso", "sandbox": True, "mode": "api", "base_url": "", "policy": {}}
        row |= {"seller": "", "mapping_version": 0, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
        db.execute(insert(core(AccountRow)).values(row))
    yield engine
    engine.dispose()


@pytest.fixture
def beside(tmp_path):
    """The folder of the sheets, with a red, a lime and a blue picture."""
    folder = tmp_path / "sheets"
    folder.mkdir()
    for colour in ("red", "lime", "blue"):
        paint(folder / f"{colour}.jpg", colour)
    return folder


def paint(path, colour):
    file = io.BytesIO()
    Image.new("RGB", (320, 320), colour).save(file, "JPEG")
    path.write_bytes(file.getvalue())


def sheet(path, *rows, head=HEAD):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def product(database, product_id="A1"):
    with reading(database) as db:
        table = core(ProductRow)
        return product_of(db.execute(select(table.c.snapshot).where(table.c.product_id == product_id)).scalar_one())


def images(database, product_id="A1"):
    return product(database, product_id).images


def kinds(database, product_id="A1"):
    return [image.kind for image in images(database, product_id)]


def colours(database, home, product_id="A1"):
    return [colour(home / "media" / f"{image.sha256}.png") for image in images(database, product_id)]


def colour(path):
    with Image.open(path) as shown:
        return {(254, 0, 0): "red", (0, 255, 1): "lime", (0, 0, 254): "blue"}[shown.getpixel((9, 9))]


def rows(database, model):
    with reading(database) as db:
        return [dict(row) for row in db.execute(select(core(model))).mappings()]


def revision(database, product_id="A1"):
    return next(row["revision"] for row in rows(database, ProductRow) if row["product_id"] == product_id)


def nothing_due(database):
    with writing(database) as db:
        db.execute(update(core(ListingState)).values(due_at=None, due_reason=None))


def due(database):
    return {row["sku"] for row in rows(database, ListingState) if row["due_at"]}


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_real_picture_lies_in_the_home_under_the_hash_of_its_bytes_and_no_label_is_drawn(
    database, home, clock, beside
):
    import_file(database, home, sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg; blue.jpg")), clock)

    assert kinds(database) == ["product", "product"]
    assert colours(database, home) == ["red", "blue"]
    assert all(
        image.sha256 == sha256((home / "media" / f"{image.sha256}.png").read_bytes()).hexdigest()
        for image in images(database)
    )
    assert len(list((home / "media").glob("*.png"))) == 2


def test_a_picture_takes_the_place_of_the_label_and_a_new_label_comes_when_all_pictures_go(
    database, home, clock, beside
):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", ""))
    add_source(database, str(file), clock)
    pull(database, home, clock)
    (label,) = images(database)

    sheet(file, ("A1", "Tôm khô Một", "red.jpg"))
    pull(database, home, clock)
    assert kinds(database) == ["product"]

    sheet(file, ("A1", "Tôm khô Một", ""))
    pull(database, home, clock)
    (again,) = images(database)
    assert again.kind == "placeholder"
    assert again.sha256 != label.sha256  # it bears the new name
    assert len(rows(database, ImageRow)) == 1


def test_importing_the_same_pictures_again_moves_nothing(database, home, clock, beside):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg;lime.jpg"))
    import_file(database, home, file, clock)
    nothing_due(database)
    before, kept = rows(database, ImageRow), files(home / "media")

    report = import_file(database, home, file, clock)

    assert (report.changed, report.unchanged) == (0, 1)
    assert (revision(database), rows(database, ImageRow), files(home / "media")) == (1, before, kept)
    assert due(database) == set()


def test_a_picture_that_was_painted_over_is_noticed_by_the_next_pull_alone(database, home, clock, beside):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô", "lime.jpg"))
    add_source(database, str(file), clock)
    pull(database, home, clock)
    nothing_due(database)

    assert [r.status for r in pull(database, home, clock)] == ["unchanged"]

    paint(beside / "red.jpg", "blue")
    (report,) = pull(database, home, clock)

    assert (report.status, report.changed, report.unchanged) == ("taken", 1, 1)
    assert colours(database, home) == ["blue"]
    assert due(database) == {"A1"}
    assert [r.status for r in pull(database, home, clock)] == ["unchanged"]


def test_another_order_of_pictures_is_a_change(database, home, clock, beside):
    import_file(database, home, sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg;lime.jpg")), clock)

    report = import_file(database, home, sheet(beside / "a.csv", ("A1", "Tôm khô", "lime.jpg;red.jpg")), clock)

    assert report.changed == 1
    assert colours(database, home) == ["lime", "red"]


def test_a_picture_that_cannot_be_taken_leaves_the_product_as_it_was_until_it_can(database, home, clock, beside):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô", ""))
    add_source(database, str(file), clock)
    pull(database, home, clock)
    sheet(file, ("A1", "Tên khác", "later.jpg"), ("A2", "Cá khô", ""))

    (report,) = pull(database, home, clock)
    (wrong,) = report.set_aside
    assert (wrong.file, wrong.row, wrong.column, wrong.value) == ("a.csv", 2, "Ảnh", "later.jpg")
    assert (product(database).name, colours(database, home)) == ("Tôm khô", ["red"])
    assert [r.status for r in pull(database, home, clock)] == ["unchanged"]

    paint(beside / "later.jpg", "lime")
    (report,) = pull(database, home, clock)
    assert (report.status, report.set_aside) == ("taken", [])
    assert (product(database).name, colours(database, home)) == ("Tên khác", ["lime"])


def test_a_sheet_without_picture_column_and_an_empty_cell_by_hand_take_nothing_away(database, home, clock, beside):
    import_file(database, home, sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg")), clock)

    import_file(database, home, sheet(beside / "b.csv", ("A1", "Tôm khô Một"), head=HEAD[:2]), clock)
    import_file(database, home, sheet(beside / "c.csv", ("A1", "Tôm khô Hai", "")), clock)

    assert product(database).name == "Tôm khô Hai"
    assert colours(database, home) == ["red"]


def test_a_picture_by_hand_stays_until_its_source_really_shows_another(database, home, clock, beside):
    source = sheet(beside / "source.csv", ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô", ""))
    add_source(database, str(source), clock)
    pull(database, home, clock)
    import_file(database, home, sheet(beside / "hand.csv", ("A1", "Tôm khô", "lime.jpg")), clock)

    sheet(source, ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô loại một", ""))
    pull(database, home, clock)
    assert colours(database, home) == ["lime"]

    sheet(source, ("A1", "Tôm khô", "blue.jpg"), ("A2", "Cá khô loại một", ""))
    pull(database, home, clock)
    assert colours(database, home) == ["blue"]


def test_a_change_of_pictures_is_told_with_its_origin_and_its_day(database, home, clock, beside):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"))
    add_source(database, str(file), clock)
    pull(database, home, clock)
    old = images(database)[0].sha256
    sheet(file, ("A1", "Tôm khô", "blue.jpg"))

    pull(database, home, clock)

    new = images(database)[0].sha256
    origin = next(r for r in rows(database, Provenance) if r["field"] == "images")
    assert (origin["record"], origin["source"], origin["row"]) == ("product:A1", "a.csv", 2)
    with reading(database) as db:
        told = db.execute(select(LEDGER.c.detail).where(LEDGER.c.event == "changed")).scalars().all()
    assert told[-1] == {"source": "a.csv", "changes": {"images": [f"#{old[:8]}", f"#{new[:8]}"]}}


def test_two_products_may_share_a_picture(database, home, clock, beside):
    import_file(
        database,
        home,
        sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô", "red.jpg;red.jpg")),
        clock,
    )

    assert images(database, "A1") == images(database, "A2")
    assert len(list((home / "media").glob("*.png"))) == 1


def test_pictures_of_several_packs_are_at_most_nine(database, home, clock, beside):
    for n in range(12):
        Image.new("RGB", (300, 300), (n * 20, 0, 0)).save(beside / f"{n}.png")
    head = ("Mã sản phẩm", "Mã SKU", "Tên sản phẩm", "Ảnh")
    packs = [("A1", f"A1-{s}", "Mật ong", ";".join(f"{s * 6 + n}.png" for n in range(6))) for s in (0, 1)]

    import_file(database, home, sheet(beside / "a.csv", *packs, head=head), clock)

    assert len(images(database)) == 9


def test_a_dry_run_looks_at_pictures_and_writes_nothing(database, home, clock, beside, tmp_path):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"), ("A2", "Cá khô", "missing.jpg"))
    before = files(tmp_path / "home")

    dry = import_file(database, home, file, clock, dry_run=True)

    assert files(tmp_path / "home").keys() == before.keys()
    assert rows(database, ImageRow) == []
    assert [p.value for p in dry.set_aside] == ["missing.jpg"]
    assert import_file(database, home, file, clock) == dry


def test_pictures_lie_ready_before_any_record_names_them(database, home, clock, beside):
    file = sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"))

    def stop(source, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(database, home, file, clock, progress=stop)

    assert rows(database, ImageRow) == rows(database, ProductRow) == []
    assert [colour(path) for path in (home / "media").glob("*.png")] == ["red"]


def test_pictures_of_a_folder_lie_in_that_folder(database, home, clock, beside):
    sheet(beside / "a.csv", ("A1", "Tôm khô", "red.jpg"))
    add_source(database, str(beside), clock)

    (report,) = pull(database, home, clock)

    assert (report.status, report.new) == ("taken", 1)
    assert colours(database, home) == ["red"]
    paint(beside / "red.jpg", "lime")
    pull(database, home, clock)
    assert colours(database, home) == ["lime"]


def test_a_query_that_names_pictures_has_those_rows_set_aside(database, home, clock, tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE goods (product_id, product_name, image)")
        shop.executemany("INSERT INTO goods VALUES (?, ?, ?)", [("A1", "Tôm khô", ""), ("A2", "Cá khô", "a.png")])
    shop.close()
    add_source(database, f"sqlite:///{tmp_path}/shop.db", clock, query="SELECT * FROM goods")

    (report,) = pull(database, home, clock)

    assert [p.code for p in report.set_aside] == ["picture-source"]
    assert {row["product_id"] for row in rows(database, ProductRow)} == {"A1"}


def test_a_shrunken_source_with_pictures_is_held_and_approved_for_these_very_pictures(database, home, clock, beside):
    goods = [(f"A{n:02}", f"Tôm khô số {n}", "red.jpg") for n in range(40)]
    file = sheet(beside / "a.csv", *goods)
    add_source(database, str(file), clock)
    pull(database, home, clock)
    sheet(file, *goods[:20])
    (first,), (second,) = pull(database, home, clock), pull(database, home, clock)
    assert first.status == second.status == "held"
    assert first.plan_id == second.plan_id

    paint(beside / "red.jpg", "lime")
    (third,) = pull(database, home, clock)
    assert third.plan_id != first.plan_id

    report = approve_intake(database, home, third.plan_id, "Lan", "ngừng bán", clock)
    assert (report.status, report.removed) == ("taken", 20)
    assert colours(database, home, "A00") == ["lime"]
    assert [r.status for r in pull(database, home, clock)] == ["unchanged"]


@pytest.mark.parametrize("marketplace", ["madeincamau", "postmart", "voso"])
def test_a_real_shop_lists_a_product_with_a_picture_and_not_one_with_a_label(
    database, home, clock, beside, marketplace
):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Chủ thể", "Bộ sản phẩm", "Quy cách", "Giá bán", "Tồn kho", "Ảnh")
    head += ("Thành phần", "Hạn sử dụng", "Bảo quản", "Mô tả")
    noise = io.BytesIO()
    Image.effect_noise((1500, 1200), 90).convert("RGB").save(noise, "JPEG", quality=95)
    (beside / "large.jpg").write_bytes(noise.getvalue())
    shared = ("Tôm khô", "HTX Sông Đầm", "8", "200 g", "250000", "12")
    facts = ("tôm, muối", "6 tháng", "nơi khô ráo", "Tôm khô nguyên vị của Cà Mau, phơi nắng tự nhiên.")
    many = "large.jpg;red.jpg;lime.jpg;blue.jpg"
    file = sheet(beside / "a.csv", ("A1", *shared, many, *facts), ("A2", *shared, "", *facts), head=head)
    import_file(database, home, file, clock)

    def shown(sku):
        found, today = connector(marketplace), date(2026, 11, 23)
        return project(product(database, sku), sku, Policy(sandbox=False), found.project, today).listing

    assert isinstance(shown("A1"), Listing)
    assert shown("A1").facets["images"] == [image.sha256 for image in images(database)]
    assert isinstance(shown("A2"), Unlistable)
    assert {p.field for p in shown("A2").problems} == {"images"}
