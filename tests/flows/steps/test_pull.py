"""Registered sources, files by hand, and what is held back until a person has looked."""

import csv
import shutil
import sqlite3
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import insert, select

from flows.steps.pull import (
    SourceRefused,
    add_source,
    approve_intake,
    import_file,
    list_sources,
    pull,
    remove_source,
)
from models.database import reading, writing
from models.faultpoint import on_visit
from models.tables import (
    AccountRow,
    ListingState,
    PlanRow,
    ProductRow,
    SourceRecord,
    SourceRow,
    VariantRow,
    core,
)

SHIPPED = Path(__file__).parents[3] / "data"
HEAD = ("Mã sản phẩm", "Tên sản phẩm")


def sheet(path, *lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def goods(path, numbers, head=HEAD):
    return sheet(path, head, *((f"A{n:02}", f"Tôm khô số {n}") for n in numbers))


def rows(database, model):
    with reading(database) as db:
        return [dict(row) for row in db.execute(select(core(model))).mappings()]


def removed(database):
    return {row["product_id"] for row in rows(database, ProductRow) if row["removed_at"]}


def price(database, sku):
    return next(row["price"] for row in rows(database, VariantRow) if row["sku"] == sku)


def registered(database, home, clock, path):
    add_source(database, str(path), clock)
    pull(database, home, clock)


def statuses(reports):
    return [report.status for report in reports]


# --- registering --------------------------------------------------------------------------------------------------


def test_a_source_is_added_once_and_kept_by_its_full_path(database, clock, tmp_path, monkeypatch):
    goods(tmp_path / "a.csv", [1])
    monkeypatch.chdir(tmp_path)

    names = [add_source(database, "a.csv", clock), add_source(database, str(tmp_path / "a.csv"), clock)]

    assert names == ["a.csv", "a.csv"]
    assert [(s.name, s.kind, s.location) for s in list_sources(database)] == [
        ("a.csv", "file", str(tmp_path / "a.csv"))
    ]


def test_sources_are_listed_in_the_order_of_their_registration(database, clock, tmp_path):
    for name in ("b.csv", "a.csv", "c.csv"):
        add_source(database, str(goods(tmp_path / name, [1])), clock)

    assert [source.name for source in list_sources(database)] == ["b.csv", "a.csv", "c.csv"]


def test_two_files_of_one_name_are_two_sources(database, clock, tmp_path):
    (tmp_path / "x").mkdir()
    first = add_source(database, str(goods(tmp_path / "a.csv", [1])), clock)
    second = add_source(database, str(goods(tmp_path / "x" / "a.csv", [2])), clock)

    assert (first, second) == ("a.csv", "a.csv (2)")


def test_a_file_that_is_not_there_is_refused_with_a_next_step(database, clock, tmp_path):
    with pytest.raises(SourceRefused) as refused:
        add_source(database, str(tmp_path / "none.csv"), clock)

    assert "none.csv" in refused.value.message.vi
    assert refused.value.next_step.vi


def test_a_removed_source_is_no_longer_read_and_its_products_stay(database, home, clock, tmp_path):
    registered(database, home, clock, goods(tmp_path / "a.csv", [1]))

    assert remove_source(database, "a.csv")
    assert not remove_source(database, "a.csv")

    assert pull(database, home, clock) == []
    assert rows(database, SourceRecord) == []
    assert len(rows(database, ProductRow)) == 1
    assert removed(database) == set()


# --- pulling ------------------------------------------------------------------------------------------------------


def test_an_unchanged_source_is_not_read_again(database, home, clock, tmp_path):
    registered(database, home, clock, goods(tmp_path / "a.csv", [1, 2]))

    assert statuses(pull(database, home, clock)) == ["unchanged"]


def test_offers_wait_for_the_products_of_the_same_night(database, home, clock, tmp_path):
    add_source(database, str(sheet(tmp_path / "offers.csv", ("sku", "price_vnd"), ("A01", "50000"))), clock)
    add_source(database, str(goods(tmp_path / "goods.csv", [1])), clock)

    reports = pull(database, home, clock)

    assert [(r.source, r.status, r.set_aside) for r in reports] == [
        ("offers.csv", "taken", []),
        ("goods.csv", "taken", []),
    ]
    assert price(database, "A01") == 50000


def test_an_offer_of_an_unknown_sku_is_named_and_taken_once_the_product_is_there(database, home, clock, tmp_path):
    offers = sheet(tmp_path / "offers.csv", ("sku", "price_vnd"), ("A01", "50000"))
    add_source(database, str(offers), clock)
    (report,) = pull(database, home, clock)
    (problem,) = report.set_aside
    assert (problem.file, problem.row, problem.value, problem.code) == ("offers.csv", 2, "A01", "unknown-sku")

    add_source(database, str(goods(tmp_path / "goods.csv", [1])), clock)
    pull(database, home, clock)

    assert price(database, "A01") == 50000


@pytest.mark.parametrize("content", ["", "Mã sản phẩm,Tên sản phẩm\n", "\n\n"])
def test_an_emptied_source_changes_nothing_and_asks_for_nobody(database, home, clock, tmp_path, content):
    file = goods(tmp_path / "a.csv", range(10))
    registered(database, home, clock, file)
    file.write_text(content, encoding="utf-8")

    (report,) = pull(database, home, clock)

    assert report.status == "refused"
    assert "caybeo sources remove" in report.next_step.vi
    assert removed(database) == set()
    assert rows(database, PlanRow) == []


def test_a_lost_source_fails_alone(database, home, clock, tmp_path):
    lost = goods(tmp_path / "a.csv", [1])
    registered(database, home, clock, lost)
    add_source(database, str(goods(tmp_path / "b.csv", [2])), clock)
    lost.unlink()

    assert statuses(pull(database, home, clock)) == ["failed", "taken"]
    assert {row["name"]: row["status"] for row in rows(database, SourceRow)} == {"a.csv": "failed", "b.csv": "taken"}
    assert removed(database) == set()


def test_a_folder_is_one_source(database, home, clock, tmp_path):
    folder = tmp_path / "sheets"
    folder.mkdir()
    sheet(folder / "1-offers.csv", ("sku", "price_vnd"), ("A01", "50000"))
    goods(folder / "2-goods.csv", [1])
    goods(folder / "~$2-goods.csv", [9])
    registered(database, home, clock, folder)

    assert {row["product_id"] for row in rows(database, ProductRow)} == {"A01"}
    assert price(database, "A01") == 50000


def test_a_query_is_a_source_whose_password_comes_from_the_environment(database, home, clock, tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE san_pham (id INTEGER, ten TEXT, gia NUMERIC, ngay DATE)")
        shop.execute("INSERT INTO san_pham VALUES (17, 'Tôm khô 10:30', 120000, '2026-11-15')")
    shop.close()
    monkeypatch.setenv("SHOP_FILE", str(tmp_path / "shop.db"))
    query = """SELECT id AS "Mã sản phẩm", ten AS "Tên sản phẩm", gia AS "Giá bán", ngay AS "Ngày xác nhận giá"
               FROM san_pham WHERE ten LIKE '%10:30'"""
    add_source(database, "sqlite:///${SHOP_FILE}", clock, query=query)

    (report,) = pull(database, home, clock)

    assert (report.status, report.new) == ("taken", 1)
    assert price(database, "17") == 120000
    assert statuses(pull(database, home, clock)) == ["unchanged"]
    monkeypatch.delenv("SHOP_FILE")
    (report,) = pull(database, home, clock)
    assert (report.status, "SHOP_FILE" in report.message.vi) == ("failed", True)


def test_a_password_in_the_address_is_never_stored(database, clock):
    with pytest.raises(SourceRefused) as refused:
        add_source(database, "postgresql+psycopg://shop:hunter2@db/shop", clock, query="SELECT 1")

    assert "${" in refused.value.next_step.vi
    assert "hunter2" not in f"{refused.value.message}{refused.value.next_step}"
    assert list_sources(database) == []
    assert add_source(database, "postgresql+psycopg://shop:${PW}@db/shop", clock, query="SELECT 1") == "shop"


# --- what is gone -------------------------------------------------------------------------------------------------


def test_a_few_missing_products_are_removed_and_due(database, home, clock, tmp_path):
    with writing(database) as db:
        row = {"name": "shop", "marketplace": "voso", "sandbox": True, "mode": "api", "base_url": "", "policy": {}}
        db.execute(insert(core(AccountRow)).values(row | {"seller": "", "mapping_version": 0, "created_at": clock.at}))
    file = goods(tmp_path / "a.csv", range(10))
    registered(database, home, clock, file)
    clock.at += timedelta(days=1)
    goods(file, range(5, 10))

    (report,) = pull(database, home, clock)

    assert (report.status, report.removed) == ("taken", 5)
    assert removed(database) == {f"A{n:02}" for n in range(5)}
    assert {row["sku"] for row in rows(database, ListingState) if row["due_at"] == clock.at} == removed(database)


def test_a_product_that_another_source_gives_stays(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", [1, 2])
    registered(database, home, clock, file)
    registered(database, home, clock, goods(tmp_path / "b.csv", [2]))
    goods(file, [1])

    pull(database, home, clock)

    assert removed(database) == set()


def test_an_offer_that_is_gone_leaves_its_sku_without_price(database, home, clock, tmp_path):
    registered(database, home, clock, goods(tmp_path / "a.csv", [1, 2]))
    offers = sheet(tmp_path / "o.csv", ("sku", "price_vnd", "stock"), ("A01", "50000", 1), ("A02", "60000", 2))
    registered(database, home, clock, offers)
    sheet(offers, ("sku", "price_vnd", "stock"), ("A01", "50000", 1))

    reports = pull(database, home, clock)

    assert reports[1].removed == 1
    assert (price(database, "A01"), price(database, "A02")) == (50000, None)
    assert removed(database) == set()


def test_a_pack_that_is_gone_leaves_the_product_and_its_price_returns_with_it(database, home, clock, tmp_path):
    head = (*HEAD, "Quy cách")
    file = sheet(tmp_path / "a.csv", head, ("A1", "Mật ong", "250 ml; 500 ml"))
    registered(database, home, clock, file)
    registered(database, home, clock, sheet(tmp_path / "o.csv", ("sku", "price_vnd"), ("A1-500ML", "90000")))
    sheet(file, head, ("A1", "Mật ong", "250 ml"))
    pull(database, home, clock)
    assert {row["sku"] for row in rows(database, VariantRow)} == {"A1"}

    sheet(file, head, ("A1", "Mật ong", "250 ml; 500 ml"))
    pull(database, home, clock)

    assert price(database, "A1-500ML") == 90000


def test_a_row_that_is_set_aside_is_not_gone(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", [1, 2, 3])
    registered(database, home, clock, file)
    sheet(file, HEAD, ("A01", "Tôm khô số 1"), ("A02", "x"), ("", "Tôm khô số 3"))

    (report,) = pull(database, home, clock)

    assert {p.code for p in report.set_aside} == {"name-length", "missing"}
    assert removed(database) == set()


def test_a_shrunken_source_is_held_once_and_applies_nothing(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    sheet(file, HEAD, *((f"A{n:02}", f"Tên khác {n}") for n in range(34)))

    (first,), (second,) = pull(database, home, clock), pull(database, home, clock)

    (plan,) = rows(database, PlanRow)
    assert (first.status, second.status) == ("held", "held")
    assert first.plan_id == second.plan_id == plan["id"]
    assert (plan["account"], plan["status"]) == ("", "held")
    assert plan["expires_at"] == clock.at + timedelta(hours=24)
    assert plan["reasons"][0]["examples"][0] == {"sku": "A34", "name": "Tôm khô số 34"}
    assert removed(database) == set()
    assert all("khác" not in row["name"] for row in rows(database, ProductRow))


def test_an_approved_shrinking_goes_through_and_names_its_approval(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    (held,) = pull(database, home, clock)

    report = approve_intake(database, home, held.plan_id, "Lan", "ngừng sản xuất", clock)

    (plan,) = rows(database, PlanRow)
    assert (report.status, report.removed) == ("taken", 10)
    assert {row["removed_by"] for row in rows(database, ProductRow) if row["removed_at"]} == {str(held.plan_id)}
    assert (plan["status"], plan["decided_by"], plan["decision"]) == ("applied", "Lan", "ngừng sản xuất")
    assert statuses(pull(database, home, clock)) == ["unchanged"]


def test_an_approval_is_for_the_content_that_was_held(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    (held,) = pull(database, home, clock)
    goods(file, range(10))

    with pytest.raises(SourceRefused, match="changed since"):
        approve_intake(database, home, held.plan_id, "Lan", "", clock)

    assert removed(database) == set()
    (again,) = pull(database, home, clock)
    assert {row["id"]: row["status"] for row in rows(database, PlanRow)} == {
        held.plan_id: "superseded",
        again.plan_id: "held",
    }


def test_an_approval_comes_too_late_after_a_day(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    (held,) = pull(database, home, clock)
    clock.at += timedelta(hours=24)

    with pytest.raises(SourceRefused, match="expired"):
        approve_intake(database, home, held.plan_id, "Lan", "", clock)

    (again,) = pull(database, home, clock)
    assert again.plan_id != held.plan_id


def test_an_approval_that_ends_while_the_file_is_read_changes_nothing(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    (held,) = pull(database, home, clock)

    def late(name):
        if name == "import.begin":
            on_visit(None)
            clock.at += timedelta(hours=24)

    on_visit(late)
    with pytest.raises(SourceRefused, match="not waiting"):
        approve_intake(database, home, held.plan_id, "Lan", "", clock)

    assert [row["status"] for row in rows(database, PlanRow)] == ["held"]
    assert not [row for row in rows(database, ProductRow) if row["removed_at"]]


def test_of_two_who_approve_at_once_one_decides_and_the_other_is_told(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    (held,) = pull(database, home, clock)

    def another(name):
        if name == "import.begin":
            on_visit(None)
            approve_intake(database, home, held.plan_id, "Minh", "đã hỏi", clock)

    on_visit(another)
    with pytest.raises(SourceRefused, match="not waiting"):
        approve_intake(database, home, held.plan_id, "Lan", "", clock)

    (plan,) = rows(database, PlanRow)
    assert (plan["status"], plan["decided_by"], plan["decision"]) == ("applied", "Minh", "đã hỏi")
    assert len(removed(database)) == 10


def test_a_plan_that_does_not_wait_cannot_be_approved(database, home, clock):
    with pytest.raises(SourceRefused, match="not waiting"):
        approve_intake(database, home, 7, "Lan", "", clock)


def test_a_held_source_that_is_whole_again_is_taken(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(30))
    pull(database, home, clock)
    goods(file, range(41))

    (report,) = pull(database, home, clock)

    assert (report.status, report.new) == ("taken", 1)
    assert [plan["status"] for plan in rows(database, PlanRow)] == ["superseded"]


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_file_by_hand_only_adds_and_changes(database, home, clock, tmp_path):
    registered(database, home, clock, goods(tmp_path / "a.csv", range(40)))

    report = import_file(database, home, goods(tmp_path / "few.csv", [1, 99]), clock)

    assert (report.source, report.status, report.new, report.unchanged) == ("few.csv", "taken", 1, 1)
    assert removed(database) == set()
    assert {record["source"] for record in rows(database, SourceRecord)} == {"a.csv"}


def test_importing_a_registered_file_is_pulling_it(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(10))

    assert import_file(database, home, file, clock).status == "held"

    goods(file, range(1, 40))
    assert import_file(database, home, file, clock).removed == 1


def test_a_cut_copy_of_a_registered_file_is_held_and_removes_nothing_when_approved(database, home, clock, tmp_path):
    registered(database, home, clock, goods(tmp_path / "a.csv", range(40)))
    (tmp_path / "mail").mkdir()
    cut = goods(tmp_path / "mail" / "a.csv", [1, 77])

    held = import_file(database, home, cut, clock)
    assert (held.source, held.status, len(rows(database, ProductRow))) == ("a.csv", "held", 40)

    report = approve_intake(database, home, held.plan_id, "Lan", "chỉ bổ sung", clock)
    assert (report.status, report.new, report.removed) == ("taken", 1, 0)
    assert removed(database) == set()


def test_a_dry_run_counts_the_same_and_leaves_nothing(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(20))
    wet = home.parent / "wet"
    dry = import_file(database, home, file, clock, dry_run=True)

    assert rows(database, ProductRow) == []
    assert not (home / "media").exists()
    assert import_file(database, wet, file, clock) == dry


def test_a_dry_run_of_a_shrunken_source_writes_no_plan(database, home, clock, tmp_path):
    file = goods(tmp_path / "a.csv", range(40))
    registered(database, home, clock, file)
    goods(file, range(10))

    report = import_file(database, home, file, clock, dry_run=True)

    assert (report.status, report.plan_id) == ("held", None)
    assert rows(database, PlanRow) == []


def test_a_workbook_with_vietnamese_headers_and_a_title_is_taken(database, home, clock, tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Danh mục"
    page.append(["DANH SÁCH SẢN PHẨM OCOP"])
    page.append([])
    page.append(["Mã sản phẩm", "TÊN SẢN PHẨM *", "Giá bán (đ)", "Tồn kho", "Ngày xác nhận giá", "Người nhập"])
    page.append(["T1", "Tôm khô Rạch Gốc", 1150000, 4, date(2026, 11, 15), "Lan"])
    book.save(tmp_path / "a.xlsx")

    report = import_file(database, home, tmp_path / "a.xlsx", clock, sheet="Danh mục")

    assert (report.status, report.new, report.ignored_columns) == ("taken", 1, ["Người nhập"])
    assert price(database, "T1") == 1150000


def test_the_shipped_catalogue_cut_to_a_fifth_is_held(database, home, clock, tmp_path):
    file = tmp_path / "ocop_ca_mau.csv"
    shutil.copy(SHIPPED / "catalogue/ocop_ca_mau.csv", file)
    registered(database, home, clock, file)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:25]), encoding="utf-8")

    (report,) = pull(database, home, clock)

    assert report.status == "held"
    assert rows(database, PlanRow)[0]["counts"]["removed"] == 98
    assert removed(database) == set()
