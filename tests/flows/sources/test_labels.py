"""The drawn label: a valid picture, always the same for the same words, with every Vietnamese letter."""

import io

import pytest
from PIL import Image, ImageFont

from flows.sources.labels import FONTS, Label, draw

LABEL = Label(name="Bánh phồng tôm Năm Căn", maker="Hợp tác xã Hàng Vịnh", pack="250 g · 500 g", sector="Thực phẩm")
LETTERS = "aàảãáạăằẳẵắặâầẩẫấậeèẻẽéẹêềểễếệiìỉĩíịoòỏõóọôồổỗốộơờởỡớợuùủũúụưừửữứựyỳỷỹýỵđ"


@pytest.mark.parametrize(
    "label",
    [
        LABEL,
        Label(name="Ví", maker="", pack="", sector=""),
        Label(name="Tôm " * 50, maker="Công ty " * 40, pack="1 kg · " * 40, sector="Đồ uống"),
        Label(name="x" * 200, maker="\U0001f990", pack="½", sector="?"),
    ],
)
def test_any_label_is_a_picture_of_800_by_800(label):
    about, data = draw(label)

    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (800, 800))
    assert (about.width, about.height, about.size, about.kind) == (800, 800, len(data), "placeholder")


def test_the_same_words_give_the_same_bytes_and_others_do_not():
    other = Label(name="Bánh phồng tôm Năm Cần", maker=LABEL.maker, pack=LABEL.pack, sector=LABEL.sector)

    assert draw(LABEL) == draw(LABEL)
    assert draw(LABEL)[0].sha256 != draw(other)[0].sha256


@pytest.mark.parametrize("name", ["DejaVuSans.ttf", "DejaVuSansCondensed-Bold.ttf"])
def test_the_shipped_fonts_know_every_vietnamese_letter(name):
    font = ImageFont.truetype(str(FONTS / name), 20, layout_engine=ImageFont.Layout.BASIC)
    unknown = bytes(font.getmask("\U0010fffd"))

    assert [c for c in LETTERS + LETTERS.upper() if bytes(font.getmask(c)) == unknown] == []
    assert (FONTS / "LICENSE").is_file()
