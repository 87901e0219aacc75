"""Picture files beside a sheet: which are found, which are refused and why, and what is left of one that is taken."""

import csv
import io
import os
import random
import sqlite3
import struct
import zlib
from contextlib import suppress

import pytest
from PIL import Image

from flows.sources.content import load
from flows.sources.pictures import KEPT_BYTES, SIDE, drawn
from flows.sources.problems import BadValue, SourceRefused
from flows.sources.records import read

HEAD = ("Mã sản phẩm", "Tên sản phẩm", "Ảnh")
ORIENTATION, MAKER = 0x0112, 0x010F


def sheet(folder, *rows, head=HEAD):
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return folder / "a.csv"


def taken(folder, *rows, head=HEAD, media=None):
    return read(load("file", str(sheet(folder, *rows, head=head))), "a.csv", media)


def picture(colour="red", size=(400, 400), kind="PNG", mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind, **options)
    return file.getvalue()


def noise(side, kind="PNG"):
    """A picture that cannot be compressed."""
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3)).save(file, kind)
    return file.getvalue()


def header_only(width, height):
    """A PNG that claims a size and holds no pixels."""
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def colours(png):
    """Of the four corners, to the nearest pure colour."""
    with Image.open(io.BytesIO(png)) as shown:
        right, low = shown.width - 1, shown.height - 1
        corners = [shown.getpixel(at) for at in ((0, 0), (right, 0), (0, low), (right, low))]
    return [tuple(round(part / 255) * 255 for part in corner) for corner in corners]


def shown(reading, key="a1"):
    return [image.sha256 for _, _, image in reading.product(key).pictures]


def problem(reading):
    (found,) = reading.set_aside
    return found


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Ảnh", "ẢNH 1", "ảnh_9", "anh_3", "Hình ảnh", "image", "Images", "image_1", "Ảnh 2"]
)
def test_a_picture_column_is_known_under_many_names(tmp_path, header):
    (tmp_path / "tom.png").write_bytes(picture())

    reading = taken(tmp_path, ("A1", "Tôm khô", "tom.png"), head=(*HEAD[:2], header))

    assert reading.ignored == []
    assert shown(reading) == [drawn(picture())[0].sha256]


def test_pictures_come_in_the_order_of_the_columns_and_of_their_names_in_a_cell(tmp_path):
    for colour in ("red", "lime", "blue", "white"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    head = (*HEAD[:2], "Ảnh 2", "Ảnh", "Ảnh 1")

    reading = taken(tmp_path, ("A1", "Tôm khô", "red.png", " lime.png ;blue.png; red.png", "white.png"), head=head)

    assert shown(reading) == [drawn(picture(colour))[0].sha256 for colour in ("red", "lime", "blue", "white")]


def test_a_sheet_of_prices_says_that_its_picture_column_is_not_read(tmp_path):
    reading = taken(tmp_path, ("A1", "90000", "tom.png"), head=("SKU", "Giá bán", "Ảnh"))

    assert reading.ignored == ["Ảnh"]
    assert reading.set_aside == []


def test_a_row_has_nine_pictures_at_most(tmp_path):
    for n in range(10):
        (tmp_path / f"{n}.png").write_bytes(picture((n, 0, 0)))

    nine = taken(tmp_path, ("A1", "Tôm khô", "; ".join(f"{n}.png" for n in range(9))))
    ten = taken(tmp_path, ("A0", "Cá khô", ""), ("A1", "Tôm khô", "; ".join(f"{n}.png" for n in range(10))))

    assert len(shown(nine)) == 9
    assert (problem(ten).code, problem(ten).value) == ("pictures", "9.png")


def test_packs_of_one_product_bring_their_pictures_together_whatever_the_order_of_rows(tmp_path):
    for colour in ("red", "lime", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    head = ("Mã sản phẩm", "Mã SKU", "Tên sản phẩm", "Ảnh")
    rows = [
        ("A1", "A1-L", "Mật ong", "red.png;lime.png"),
        ("A1", "A1-M", "Mật ong", "blue.png"),
        ("A1", "A1-S", "Mật ong", ""),
    ]

    orders = [taken(tmp_path, *order, head=head) for order in (rows, rows[::-1])]

    assert [r.set_aside for r in orders] == [[], []]
    assert shown(orders[0]) == shown(orders[1]) == [drawn(picture(c))[0].sha256 for c in ("red", "lime", "blue")]


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_picture_may_lie_in_a_folder_beside_the_sheet(tmp_path):
    (tmp_path / "ảnh").mkdir()
    (tmp_path / "ảnh" / "tom.png").write_bytes(picture())

    reading = taken(tmp_path, ("A1", "Tôm khô", "ảnh/tom.png"), ("A2", "Cá khô", "ảnh\\tom.png"))

    assert shown(reading, "a1") == shown(reading, "a2") != []


def test_a_name_may_differ_in_case_and_in_how_its_letters_are_composed_but_not_be_ambiguous(tmp_path):
    (tmp_path / "Ma\u0306\u0301m tôm.JPG").write_bytes(picture())
    (tmp_path / "ca.png").write_bytes(picture())
    (tmp_path / "CA.png").write_bytes(picture())

    reading = taken(tmp_path, ("A1", "Mắm tôm", "mắm tôm.jpg"), ("A2", "Cá khô", "ca.png"), ("A3", "Cá mặn", "Ca.png"))

    assert len(shown(reading, "a1")) == len(shown(reading, "a2")) == 1
    assert (problem(reading).row, problem(reading).code) == (4, "picture-missing")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("/etc/tom.png", "picture-place"),
        ("C:\\anh\\tom.png", "picture-place"),
        ("\\\\may-chu\\tom.png", "picture-place"),
        ("../tom.png", "picture-place"),
        ("..\\tom.png", "picture-place"),
        ("anh/../../tom.png", "picture-place"),
        ("anh/../a.csv", "picture-place"),
        ("https://shop.example/tom.png", "picture-address"),
        ("file:///tom.png", "picture-address"),
        ("www.example.vn/tom.png", "picture-address"),
        ("data:image/png;base64", "picture-address"),
        ("tom.jpg", "picture-missing"),
        ("anh", "picture-missing"),
        ("x" * 5000 + ".png", "picture-missing"),
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_sets_its_row_aside_with_what_to_do(tmp_path, name, code):
    (tmp_path / "tom.png").write_bytes(picture())
    inside = tmp_path / "sheets"
    (inside / "anh").mkdir(parents=True)

    found = problem(taken(inside, ("A1", "Tôm khô", ""), ("A2", "Cá khô", name.partition(";")[0])))

    assert (found.file, found.row, found.column, found.code) == ("a.csv", 3, "Ảnh", code)
    assert found.value[:70] == name.partition(";")[0][:70]
    assert all((found.message.vi, found.message.en, found.next_step.vi, found.next_step.en))


def test_a_link_out_of_the_folder_and_a_pipe_are_not_read(tmp_path):
    (tmp_path / "secret.png").write_bytes(picture())
    inside = tmp_path / "sheets"
    inside.mkdir()
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(inside / "pipe.png")

    reading = taken(inside, ("A1", "Tôm khô", ""), ("A2", "Cá khô", "link.png"), ("A3", "Cá mặn", "pipe.png"))

    assert [p.code for p in reading.set_aside] == ["picture-place", "picture-missing"]


def test_a_database_has_no_pictures_beside_it(tmp_path):
    (tmp_path / "tom.png").write_bytes(picture())
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE goods (product_id, product_name, image)")
        shop.executemany("INSERT INTO goods VALUES (?, ?, ?)", [("A1", "Tôm khô", None), ("A2", "Cá khô", "tom.png")])
    shop.close()

    reading = read(load("sql", f"sqlite:///{tmp_path}/shop.db", query="SELECT * FROM goods"), "shop.db")

    assert set(reading.products) == {"a1"}
    assert (problem(reading).column, problem(reading).code) == ("image", "picture-source")


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "picture-type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='400' height='400'/>", "picture-type"),
        (picture(kind="GIF"), "picture-type"),
        (picture(kind="BMP"), "picture-type"),
        (picture(40_000, mode="I;16"), "picture-type"),
        (picture(size=(299, 400)), "picture-small"),
        (picture(size=(300, 4000)), "picture-shape"),
        (noise(400, "JPEG")[:20_000], "picture-broken"),
        (noise(400)[:20_000], "picture-broken"),
        (header_only(6400, 6400), "picture-pixels"),
        (header_only(10_000, 10_000), "picture-pixels"),
        (header_only(60_000, 60_000), "picture-pixels"),
        (picture() + bytes(10 * 1024 * 1024), "picture-bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_usable_picture_sets_its_row_aside(tmp_path, data, code):
    (tmp_path / "tom.png").write_bytes(data)

    reading = taken(tmp_path, ("A1", "Tôm khô", ""), ("A2", "Cá khô", "tom.png"))

    assert set(reading.products) == {"a1"}
    assert (problem(reading).value, problem(reading).code) == ("tom.png", code)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_known_by_its_content_and_kept_as_png(tmp_path, kind):
    (tmp_path / "tom.txt").write_bytes(picture("blue", kind=kind))

    reading = taken(tmp_path, ("A1", "Tôm khô", "tom.txt"), media=tmp_path / "media")

    ((_, _, image),) = reading.product("a1").pictures
    kept = (tmp_path / "media" / f"{image.sha256}.png").read_bytes()
    assert (image.kind, image.media_type, image.width, image.height, image.size) == (
        *("product", "image/png", 400, 400),
        len(kept),
    )
    assert set(colours(kept)) == {(0, 0, 255)}


@pytest.mark.parametrize("size", [(300, 300), (6324, 6324)])
def test_pictures_up_to_the_very_limits_are_taken(size):
    image, _ = drawn(picture(size=size, mode="L", colour=9))

    assert (image.width, image.height) == (min(size[0], SIDE),) * 2


def test_a_picture_turned_by_its_camera_stands_upright_and_tells_nothing_more():
    turned = Image.new("RGB", (600, 400), "blue")
    turned.paste("red", (0, 0, 300, 400))  # the left half, which shows on top
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "GPS-9.17N-105.15E"
    file = io.BytesIO()
    turned.save(file, "JPEG", exif=exif, icc_profile=b"PROFILE-OF-A-CAMERA", comment=b"NOTE-OF-A-PERSON")
    assert all(word in file.getvalue() for word in (b"GPS-9", b"PROFILE-OF", b"NOTE-OF"))

    image, png = drawn(file.getvalue())

    assert (image.width, image.height) == (400, 600)
    assert colours(png) == [(255, 0, 0), (255, 0, 0), (0, 0, 255), (0, 0, 255)]
    assert not any(word in png for word in (b"GPS-9", b"PROFILE-OF", b"NOTE-OF", b"eXIf", b"iCCP", b"tEXt"))


def test_what_is_hidden_behind_a_picture_does_not_come_along():
    image, png = drawn(picture() + b"PK\x03\x04 and a program")

    assert b"program" not in png
    assert image == drawn(picture())[0]


def test_what_is_clear_becomes_white():
    clear = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 400, 200))
    file = io.BytesIO()
    clear.save(file, "WEBP", lossless=True)

    assert colours(drawn(file.getvalue())[1]) == [(255, 0, 0), (255, 0, 0), (255, 255, 255), (255, 255, 255)]


def test_a_large_picture_is_made_smaller_until_the_strictest_marketplace_takes_it():
    image, png = drawn(noise(1000))

    assert 0.5 * KEPT_BYTES < len(png) <= KEPT_BYTES
    assert image.width == image.height > 500


# --- the hash of a source ---------------------------------------------------------------------------------------------


def digest(folder):
    return read(load("file", str(folder / "a.csv")), "a.csv").digest


def test_the_hash_of_a_source_moves_with_what_its_pictures_hold_and_with_nothing_else(tmp_path):
    (tmp_path / "tom.png").write_bytes(picture("red"))
    sheet(tmp_path, ("A1", "Tôm khô", "tom.png"), ("A2", "Cá khô", "ca.png"))
    before = digest(tmp_path)

    os.utime(tmp_path / "tom.png", (1, 1))
    (tmp_path / "other.png").write_bytes(picture())
    assert digest(tmp_path) == before

    (tmp_path / "tom.png").write_bytes(picture("lime"))
    repainted = digest(tmp_path)
    (tmp_path / "ca.png").write_bytes(b"half a file")
    mended = digest(tmp_path)
    assert len({before, repainted, mended}) == 3


def test_a_sheet_that_names_no_picture_has_the_hash_of_its_bytes(tmp_path):
    content = load("file", str(sheet(tmp_path, ("A1", "Tôm khô", ""))))

    assert read(content, "a.csv").digest == content.digest


def test_a_file_that_was_drawn_before_is_not_drawn_again(tmp_path):
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    rows = ("A1", "Tôm khô", "red.png"), ("A2", "Cá khô", "blue.png")
    first = taken(tmp_path, *rows, media=tmp_path / "media")
    one, two = (tmp_path / "media" / "origins").iterdir()
    one.rename(tmp_path / "x")
    two.rename(one)
    (tmp_path / "x").rename(two)

    second = taken(tmp_path, *rows, media=tmp_path / "media")

    assert shown(second, "a1") == shown(first, "a2") != shown(first, "a1")


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"cut off")])
def test_a_kept_picture_that_is_not_whole_is_drawn_again(tmp_path, damage):
    (tmp_path / "tom.jpg").write_bytes(picture(kind="JPEG"))
    media = tmp_path / "media"
    (sha256,) = shown(taken(tmp_path, ("A1", "Tôm khô", "tom.jpg"), media=media))
    whole = (media / f"{sha256}.png").read_bytes()
    damage(media / f"{sha256}.png")

    taken(tmp_path, ("A1", "Tôm khô", "tom.jpg"), media=media)

    assert (media / f"{sha256}.png").read_bytes() == whole
    assert not list(media.rglob("*.part"))


def test_a_sheet_whose_only_row_has_a_bad_picture_is_refused_with_that_reason(tmp_path):
    with pytest.raises(SourceRefused) as refused:
        taken(tmp_path, ("A1", "Tôm khô", "tom.png"))

    assert "Dòng 2" in refused.value.message.vi
    assert "cạnh bảng" in refused.value.message.vi


def test_no_damage_to_a_file_gets_past_as_anything_but_a_reason():
    noisy = random.Random(11)
    whole = [noise(320, kind) for kind in ("PNG", "JPEG", "WEBP")]
    for _ in range(150):
        data = bytearray(noisy.choice(whole))
        for _ in range(noisy.randint(1, 9)):
            data[noisy.randrange(noisy.choice((60, 600, len(data))))] = noisy.randrange(256)
        with suppress(BadValue):
            drawn(bytes(data))
