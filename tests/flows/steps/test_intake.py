"""What an intake leaves in the tables: identities, values and their origin, documents, pictures, the timetable."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import insert, select, update

from flows.steps.pull import add_source, import_file, pull
from models.catalogue import CertificateStatus
from models.database import reading, writing
from models.records import product_of
from models.tables import (
    AccountRow,
    ImageRow,
    ListingState,
    ProducerRow,
    ProductRow,
    Provenance,
    SourceRecord,
    VariantRow,
    core,
)

SHIPPED = Path(__file__).parents[3] / "data"


def sheet(path, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def product(database, product_id):
    with reading(database) as db:
        table = core(ProductRow)
        return product_of(db.execute(select(table.c.snapshot).where(table.c.product_id == product_id)).scalar_one())


def revisions(database):
    with reading(database) as db:
        table = core(ProductRow)
        return {row.product_id: row.revision for row in db.execute(select(table))}


def rows(database, model):
    with reading(database) as db:
        return [dict(row) for row in db.execute(select(core(model))).mappings()]


def account(database, name="shop"):
    with writing(database) as db:
        row = {"name": name, "marketplace": "voso", "sandbox": True, "mode": "api", "base_url": "", "policy": {}}
        row |= {"seller": "", "mapping_version": 0, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
        db.execute(insert(core(AccountRow)).values(row))


def nothing_due(database):
    with writing(database) as db:
        db.execute(update(core(ListingState)).values(due_at=None, due_reason=None))


def due(database):
    return {row["sku"] for row in rows(database, ListingState) if row["due_at"]}


def test_the_shipped_files_give_122_products_134_skus_and_58_producers(database, home, clock):
    for name in ("sandbox/offers.csv", "catalogue/ocop_ca_mau.csv", "catalogue/ca_mau_communes_2025.csv"):
        add_source(database, str(SHIPPED / name), clock)

    reports = pull(database, home, clock)

    assert [(r.status, r.new, r.set_aside) for r in reports] == [("taken", n, []) for n in (131, 122, 186)]
    variants = rows(database, VariantRow)
    assert len(rows(database, ProductRow)) == 122
    assert len(variants) == 134
    assert len(rows(database, ProducerRow)) == 58
    assert {v["sku"] for v in variants if v["price"] is None} == {"CM025", "CM075", "CM113"}
    assert all(v["illustrative"] for v in variants if v["price"] is not None)


def test_an_assessed_product_proves_no_star_and_a_star_without_year_is_never_valid(database, home, clock):
    import_file(database, home, SHIPPED / "catalogue/ocop_ca_mau.csv", clock)

    (assessed,) = product(database, "CM096").certificates
    (undated,) = product(database, "CM113").certificates
    assert assessed.status is CertificateStatus.ASSESSED
    assert undated.star == 4
    assert not any(undated.valid_on(date(year, 6, 1)) for year in range(2018, 2030))
    assert product(database, "CM007").certificate_on(date(2026, 11, 23)).star == 4
    assert product(database, "CM001").certificates == ()


def test_importing_the_same_file_again_moves_nothing(database, home, clock):
    account(database)
    import_file(database, home, SHIPPED / "catalogue/ocop_ca_mau.csv", clock)
    before = revisions(database)
    nothing_due(database)

    report = import_file(database, home, SHIPPED / "catalogue/ocop_ca_mau.csv", clock)

    assert (report.new, report.changed, report.unchanged) == (0, 0, 122)
    assert revisions(database) == before
    assert due(database) == set()


def test_row_order_does_not_matter(database, home, clock, tmp_path):
    lines = (SHIPPED / "catalogue/ocop_ca_mau.csv").read_text(encoding="utf-8").splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    import_file(database, home, SHIPPED / "catalogue/ocop_ca_mau.csv", clock)

    report = import_file(database, home, turned, clock)

    assert (report.new, report.changed) == (0, 0)


def test_one_changed_price_moves_one_revision_and_makes_that_sku_due(database, home, clock, tmp_path):
    account(database)
    head = ("Mã sản phẩm", "Tên sản phẩm", "Giá bán", "Tồn kho")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô Một", "100000", 5), ("A2", "Tôm khô Hai", "200000", 5))
    import_file(database, home, file, clock)
    assert due(database) == {"A1", "A2"}
    nothing_due(database)
    sheet(file, head, ("A1", "Tôm khô Một", "110.000 ₫", 5), ("A2", "Tôm khô Hai", "200000", 5))

    report = import_file(database, home, file, clock)

    assert (report.changed, report.unchanged) == (1, 1)
    assert revisions(database) == {"A1": 2, "A2": 1}
    assert due(database) == {"A1"}
    assert product(database, "A1").variants[0].price.amount == Decimal(110000)


def test_a_price_without_a_date_counts_as_confirmed_today(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("Mã sản phẩm", "Tên sản phẩm", "Giá bán"), ("A1", "Tôm khô", "100000"))

    import_file(database, home, file, clock)

    assert product(database, "A1").variants[0].price_confirmed_on == date(2026, 11, 23)


def test_composed_and_decomposed_letters_are_one_product(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm")
    import_file(database, home, sheet(tmp_path / "a.csv", head, ("MẮM-1", "Mắm tôm Sông Đầm")), clock)
    decomposed = ("MA\u0306\u0301M-1", "Ma\u0306\u0301m tôm Sông Đầm")

    report = import_file(database, home, sheet(tmp_path / "b.csv", head, decomposed), clock)

    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    assert [row["product_id"] for row in rows(database, ProductRow)] == ["MẮM-1"]


def test_another_spelling_of_a_known_sku_is_the_same_sku(database, home, clock, tmp_path):
    import_file(database, home, sheet(tmp_path / "a.csv", ("Mã sản phẩm", "Tên sản phẩm"), ("CM9", "Tôm khô")), clock)

    report = import_file(database, home, sheet(tmp_path / "b.csv", ("SKU", "Giá bán"), ("cm9", "90000")), clock)

    assert report.new == 1
    assert product(database, "CM9").variants[0].price.amount == Decimal(90000)


def test_a_value_imported_by_hand_survives_until_its_source_really_changes(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Nhãn hiệu")
    source = sheet(tmp_path / "source.csv", head, ("A1", "Tôm khô Một", "Cũ"), ("A2", "Tôm khô Hai", "Hai"))
    add_source(database, str(source), clock)
    pull(database, home, clock)
    import_file(database, home, sheet(tmp_path / "hand.csv", head, ("A1", "Tôm khô Một", "Tay")), clock)

    sheet(source, head, ("A1", "Tôm khô Một", "Cũ"), ("A2", "Tôm khô Hai", "Khác"))
    pull(database, home, clock)
    assert product(database, "A1").brand == "Tay"
    assert product(database, "A2").brand == "Khác"

    sheet(source, head, ("A1", "Tôm khô Một", "Mới"), ("A2", "Tôm khô Hai", "Khác"))
    pull(database, home, clock)
    assert product(database, "A1").brand == "Mới"


def test_an_empty_cell_of_a_file_by_hand_takes_nothing_away(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Giá bán")
    import_file(database, home, sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô", "90000")), clock)

    report = import_file(database, home, sheet(tmp_path / "b.csv", head, ("A1", "Tôm khô", "")), clock)

    assert report.unchanged == 1
    assert product(database, "A1").variants[0].price.amount == Decimal(90000)


def test_a_value_knows_its_file_row_and_evidence(database, home, clock, tmp_path):
    head = ("row_id", "product_name", "brand", "evidence", "source_url")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô", "Đất Mũi", "list", "https://example.org/x"))
    add_source(database, str(file), clock)
    pull(database, home, clock)

    origin = next(r for r in rows(database, Provenance) if r["record"] == "product:A1" and r["field"] == "brand")
    assert (origin["source"], origin["row"], origin["evidence"]) == ("a.csv", 2, "list https://example.org/x")


def test_made_up_figures_never_replace_real_ones(database, home, clock, tmp_path):
    products = sheet(tmp_path / "p.csv", ("Mã sản phẩm", "Tên sản phẩm"), ("A1", "Tôm khô"))
    import_file(database, home, products, clock)
    made_up = sheet(tmp_path / "m.csv", ("SKU", "Giá bán", "Tồn kho", "Minh họa"), ("A1", "50000", 9, 1))
    import_file(database, home, made_up, clock)
    assert product(database, "A1").variants[0].illustrative

    import_file(database, home, sheet(tmp_path / "r.csv", ("SKU", "Giá bán"), ("A1", "70000")), clock)
    real = product(database, "A1").variants[0]
    assert (real.price.amount, real.stock, real.illustrative) == (Decimal(70000), None, False)

    import_file(database, home, made_up, clock)
    assert product(database, "A1").variants[0] == real


def test_several_packs_in_one_cell_are_several_skus_with_their_prices(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Quy cách", "Giá bán")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Mật ong", "250 ml; 1,5 l", "90.000; 480.000"))

    import_file(database, home, file, clock)

    packs = [(v.sku, v.pack, v.price.amount) for v in product(database, "A1").variants]
    assert packs == [("A1-250ML", "250 ml", Decimal(90000)), ("A1-1-5L", "1,5 l", Decimal(480000))]


def test_rows_of_one_product_with_a_sku_each_are_its_packs(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Mã SKU", "Tên sản phẩm", "Quy cách", "Giá bán")
    one, two = ("A1", "A1-L", "Mật ong", "1 l", "300000"), ("A1", "A1-S", "Mật ong", "250 ml", "90000")

    import_file(database, home, sheet(tmp_path / "a.csv", head, two, one), clock)
    report = import_file(database, home, sheet(tmp_path / "b.csv", head, one, two), clock)

    assert report.unchanged == 1
    assert [v.sku for v in product(database, "A1").variants] == ["A1-L", "A1-S"]


def test_a_sheet_without_packs_leaves_the_packs_alone(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Quy cách")
    import_file(database, home, sheet(tmp_path / "a.csv", head, ("A1", "Mật ong", "250 ml; 500 ml")), clock)

    import_file(database, home, sheet(tmp_path / "b.csv", head[:2], ("A1", "Mật ong rừng")), clock)
    report = import_file(
        database, home, sheet(tmp_path / "c.csv", (*head[:2], "Giá bán"), ("A1", "Mật ong rừng", "90000")), clock
    )

    assert product(database, "A1").name == "Mật ong rừng"
    assert [v.sku for v in product(database, "A1").variants] == ["A1-250ML", "A1-500ML"]
    assert [p.code for p in report.set_aside] == ["which-pack"]


def test_a_producer_is_one_under_all_its_spellings_and_stays_itself_when_its_tax_code_comes(
    database, home, clock, tmp_path
):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Chủ thể", "Xã/phường mới", "Mã số thuế")
    file = sheet(
        tmp_path / "a.csv",
        head,
        ("A1", "Tôm khô Một", "HTX Sông Đầm", "xã Tân Tiến", ""),
        ("A2", "Tôm khô Hai", "Hợp tác xã SÔNG ĐẦM", "", ""),
    )
    import_file(database, home, file, clock)
    (before,) = rows(database, ProducerRow)

    taxed = ("A1", "Tôm khô Một", "HTX Sông Đầm", "xã Tân Tiến", "2001234567")
    import_file(database, home, sheet(tmp_path / "b.csv", head, taxed), clock)

    (after,) = rows(database, ProducerRow)
    assert after["producer_id"] == before["producer_id"]
    assert product(database, "A2").producer.tax_code == "2001234567"


def test_a_product_without_picture_gets_a_drawn_one_that_says_so(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("Mã sản phẩm", "Tên sản phẩm"), ("A1", "Tôm khô"))

    import_file(database, home, file, clock)

    (image,) = product(database, "A1").images
    assert image.kind == "placeholder"
    with Image.open(home / "media" / f"{image.sha256}.png") as picture:
        picture.load()
        assert (picture.size, picture.format) == ((800, 800), "PNG")


def test_a_label_is_drawn_anew_only_when_its_words_change(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Thành phần")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô", "tôm"))
    import_file(database, home, file, clock)
    (first,) = rows(database, ImageRow)

    import_file(database, home, sheet(file, head, ("A1", "Tôm khô", "tôm, muối")), clock)
    assert rows(database, ImageRow) == [first]

    import_file(database, home, sheet(file, head, ("A1", "Tôm khô Cà Mau", "tôm")), clock)
    (second,) = rows(database, ImageRow)
    assert second["sha256"] != first["sha256"]


def test_a_real_picture_takes_the_place_of_the_drawn_one(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm")
    import_file(database, home, sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô")), clock)
    photo = {"product_id": "A1", "position": 0, "sha256": "f" * 64, "media_type": "image/jpeg"}
    with writing(database) as db:
        db.execute(insert(core(ImageRow)).values(photo | {"width": 9, "height": 9, "size": 9, "kind": "label"}))

    import_file(database, home, sheet(tmp_path / "b.csv", head, ("A1", "Tôm khô Cà Mau")), clock)

    assert [image.sha256 for image in product(database, "A1").images] == ["f" * 64]


def test_P06_a_crash_half_way_leaves_nothing(database, home, clock, tmp_path):
    lines = [(f"A{n}", f"Tôm khô {n}") for n in range(600)]
    file = sheet(tmp_path / "a.csv", ("Mã sản phẩm", "Tên sản phẩm"), *lines)

    def crash(source, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(database, home, file, clock, progress=crash)

    assert rows(database, ProductRow) == rows(database, VariantRow) == rows(database, SourceRecord) == []
    assert import_file(database, home, file, clock).new == 600


def test_a_removed_product_comes_back_when_it_is_given_again(database, home, clock, tmp_path):
    account(database)
    head = ("Mã sản phẩm", "Tên sản phẩm")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Tôm khô Một"), ("A2", "Tôm khô Hai"))
    add_source(database, str(file), clock)
    pull(database, home, clock)
    sheet(file, head, ("A1", "Tôm khô Một"))
    pull(database, home, clock)
    nothing_due(database)
    clock.at += timedelta(days=1)

    sheet(file, head, ("A1", "Tôm khô Một"), ("A2", "Tôm khô Hai"))
    pull(database, home, clock)

    assert all(row["removed_at"] is None for row in rows(database, ProductRow))
    assert due(database) == {"A2"}


def test_a_sheet_that_does_not_speak_of_alcohol_does_not_deny_it(database, home, clock, tmp_path):
    head = ("Mã sản phẩm", "Tên sản phẩm", "Bộ sản phẩm")
    import_file(database, home, sheet(tmp_path / "a.csv", head, ("A1", "Rượu trái giác", 15)), clock)

    import_file(database, home, sheet(tmp_path / "b.csv", head[:2], ("A1", "Rượu trái giác Cà Mau")), clock)

    assert product(database, "A1").is_alcohol


def test_a_snapshot_is_json_of_the_whole_product(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("Mã sản phẩm", "Tên sản phẩm", "Độ cồn"), ("A1", "Rượu gạo", "29,5"))
    import_file(database, home, file, clock)

    (row,) = rows(database, ProductRow)
    assert json.loads(row["snapshot"])["alcohol_percent"] == "29.5"
    assert row["revision"] == 1


# --- English texts ----------------------------------------------------------------------------------------------------

NAMES = ("product_id", "name_en", "description_en", "illustrative")


def test_english_texts_come_in_a_sheet_of_their_own(database, home, clock, tmp_path):
    account(database)
    import_file(database, home, sheet(tmp_path / "a.csv", ("product_id", "name"), ("A1", "Tôm khô")), clock)
    nothing_due(database)

    report = import_file(database, home, sheet(tmp_path / "b.csv", NAMES, ("a1", "Dried Shrimp", "Good.", "1")), clock)

    english = product(database, "A1").english
    assert (report.new, report.set_aside) == (1, [])
    assert (english.name, english.description, english.illustrative) == ("Dried Shrimp", "Good.", True)
    assert due(database) == {"A1"}


def test_english_texts_may_stand_beside_the_product(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("product_id", "name", "Tên tiếng Anh"), ("A1", "Tôm khô", "Dried Shrimp"))

    import_file(database, home, file, clock)

    assert product(database, "A1").english.name == "Dried Shrimp"
    assert not product(database, "A1").english.illustrative


def test_sample_texts_never_replace_real_ones_and_give_way_to_them(database, home, clock, tmp_path):
    import_file(database, home, sheet(tmp_path / "a.csv", ("product_id", "name"), ("A1", "Tôm khô")), clock)
    said = []
    for name, sample in (("Sample", "1"), ("Real", ""), ("Other sample", "1")):
        import_file(database, home, sheet(tmp_path / "b.csv", NAMES, ("A1", name, "", sample)), clock)
        said.append((product(database, "A1").english.name, product(database, "A1").english.illustrative))

    assert said == [("Sample", True), ("Real", False), ("Real", False)]


def test_english_texts_of_an_unknown_or_doubled_product_are_set_aside(database, home, clock, tmp_path):
    import_file(database, home, sheet(tmp_path / "a.csv", ("product_id", "name"), ("A1", "Tôm khô")), clock)
    said = [("A1", "One", "", ""), ("a1", "Other", "", ""), ("A2", "Unknown", "", ""), ("A1 ", "", "No name.", "")]

    report = import_file(database, home, sheet(tmp_path / "b.csv", NAMES, *said), clock)

    told = sorted((p.row, p.column) for p in report.set_aside)
    assert told == [(2, "product_id"), (3, "product_id"), (4, "SKU"), (5, "name_en")]
    assert product(database, "A1").english is None


def test_a_product_dropped_by_its_list_goes_although_its_english_texts_are_still_given(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("product_id", "name"), ("A1", "Tôm khô"), ("A2", "Cua"))
    for source in (file, sheet(tmp_path / "b.csv", NAMES, ("A1", "Dried Shrimp", "", ""))):
        add_source(database, str(source), clock)
    pull(database, home, clock)
    sheet(tmp_path / "a.csv", ("product_id", "name"), ("A2", "Cua"))

    pull(database, home, clock)

    assert [row["product_id"] for row in rows(database, ProductRow) if row["removed_at"]] == ["A1"]


def test_english_texts_that_their_source_no_longer_gives_are_taken_back(database, home, clock, tmp_path):
    file = sheet(tmp_path / "a.csv", ("product_id", "name"), ("A1", "Tôm khô"), ("A2", "Cua"))
    texts = sheet(tmp_path / "b.csv", NAMES, ("A1", "Dried Shrimp", "", ""), ("A2", "Crab", "", ""))
    for source in (file, texts):
        add_source(database, str(source), clock)
    pull(database, home, clock)
    sheet(tmp_path / "b.csv", NAMES, ("A2", "Crab", "", ""))

    pull(database, home, clock)

    assert product(database, "A1").english is None
    assert product(database, "A2").english.name == "Crab"
