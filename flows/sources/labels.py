"""A plain drawn label for products that have no photograph yet: it says what it is, and that it is no photograph."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from models.catalogue import Image, Product
from models.text import fold

SIDE = 800
MARGIN = 90
WORDS = (140, 680)  # the rows that differ from label to label
FONTS = Path(__file__).parent / "fonts"
PLACEHOLDER = "placeholder"
NOTICE = "ẢNH MINH HỌA"
# Index 0 is paper; up to INK a ramp from paper to ink, from WHITE to BAND one from white to the band's colour.
INK, WHITE, BAND, ACCENT = 127, 128, 254, 255
PAPER = (252, 249, 241)
GOLD = (214, 158, 46)
COLOURS = {  # by sector: (ink, band)
    "thuc pham": ((22, 60, 58), (15, 110, 102)),
    "do uong": ((24, 48, 84), (30, 92, 150)),
    "duoc lieu va san pham tu duoc lieu": ((44, 58, 26), (88, 122, 42)),
    "hang thu cong my nghe": ((74, 42, 24), (150, 84, 44)),
    "sinh vat canh": ((30, 66, 36), (46, 128, 70)),
}
OTHER = ((48, 44, 66), (92, 82, 138))


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """The words on a picture: as long as they stay, so does the picture."""

    name: str
    maker: str
    pack: str
    sector: str


def label_of(product: Product) -> Label:
    packs = [variant.pack for variant in product.variants if variant.pack]
    maker = product.producer.legal_name or product.brand
    return Label(name=product.name, maker=maker, pack=" · ".join(packs), sector=product.sector)


def draw(label: Label) -> tuple[Image, bytes]:
    """The picture's description and its PNG bytes; the same label gives the same bytes."""
    picture = _sheet(label.sector).copy()
    y = _lines(picture, label.name, 150, _fitting(label.name, (66, 56, 46, 38), lines=4), INK)
    if label.maker:
        picture.paste(ACCENT, (MARGIN, y + 22, MARGIN + 72, y + 27))
        y = _lines(picture, label.maker, y + 54, _fitting(label.maker, (32, 27), lines=3, bold=False), 110)
    if label.pack:
        _pill(picture, label.pack, min(y + 40, 590))
    return _encoded(picture, label.sector)


def _fitting(text: str, sizes: tuple[int, ...], *, lines: int, bold: bool = True) -> ImageFont.FreeTypeFont:
    """The largest of the sizes at which the text fits its lines, else the smallest."""
    fonts = [_font(size, bold) for size in sizes]
    return next((font for font in fonts if len(_wrapped(text, font)) <= lines), fonts[-1])


def _wrapped(text: str, font: ImageFont.FreeTypeFont) -> list[str]:
    lines: list[list[str]] = [[]]
    room, space = float(SIDE - 2 * MARGIN), _width(" ", font)
    for word in text.split():
        room -= _width(word, font) + space
        if room < -space and lines[-1]:
            lines.append([])
            room = SIDE - 2 * MARGIN - _width(word, font) - space
        lines[-1].append(word)
    return [" ".join(words) for words in lines]


def _lines(picture: Picture.Image, text: str, y: int, font: ImageFont.FreeTypeFont, fill: int) -> int:
    for line in _wrapped(text, font)[:5]:
        x = float(MARGIN)
        for word in line.split():
            drawn = _word(word, font)
            picture.paste(fill, (round(x), y), drawn)
            x += _width(word, font) + _width(" ", font)
        y += int(font.size * 1.28)
    return y


# Words repeat from label to label; measuring and drawing them anew would be two thirds of the work.
@lru_cache(maxsize=8192)
def _width(word: str, font: ImageFont.FreeTypeFont) -> float:
    return font.getlength(word)


@lru_cache(maxsize=2048)
def _word(word: str, font: ImageFont.FreeTypeFont) -> Picture.Image:
    """A word as a mask, its top left being where a line of text starts."""
    _, _, right, bottom = font.getbbox(word)
    mask = Picture.new("L", (int(right) + 1, int(bottom) + 1), 0)
    ImageDraw.Draw(mask).text((0, 0), word, font=font, fill=255)
    return mask


def _pill(picture: Picture.Image, text: str, y: int) -> None:
    font = _fitting(text, (30, 24, 19), lines=1)
    shown = _wrapped(text, font)[0]
    right = MARGIN + int(font.getlength(shown)) + 52
    pen = _pen(picture)
    pen.rounded_rectangle((MARGIN, y, right, y + 58), radius=29, fill=BAND)
    pen.text((MARGIN + 26, y + 29), shown, font=font, fill=WHITE, anchor="lm")


@lru_cache
def _sheet(sector: str) -> Picture.Image:
    """Everything that all labels of one sector share."""
    sheet = Picture.new("P", (SIDE, SIDE), 0)
    ink, band = COLOURS.get(fold(sector), OTHER)
    sheet.putpalette([part for colour in _palette(ink, band) for part in colour])
    pen = _pen(sheet)
    pen.rounded_rectangle((28, 28, SIDE - 29, SIDE - 29), radius=26, outline=BAND, width=3)
    pen.text((MARGIN, 64), sector, font=_font(24, bold=False), fill=100)
    pen.rectangle((MARGIN, 104, SIDE - MARGIN, 106), fill=BAND)
    _waves(pen)
    pen.text((SIDE // 2, 735), NOTICE, font=_font(30, bold=True), fill=WHITE, anchor="mm")
    return sheet


def _pen(picture: Picture.Image) -> ImageDraw.ImageDraw:
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "L"  # smooth edges: a palette image would get hard ones
    return pen


def _waves(pen: ImageDraw.ImageDraw) -> None:
    """The river at the foot of the card: a scalloped band."""
    pen.rectangle((30, 700, SIDE - 31, 745), fill=BAND)
    pen.rounded_rectangle((30, 715, SIDE - 31, SIDE - 31), radius=24, fill=BAND)
    for x in range(31, SIDE - 31, 82):
        pen.ellipse((x, 682, x + 82, 718), fill=BAND)


def _palette(ink: tuple[int, int, int], band: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    dark = [_mixed(PAPER, ink, n / INK) for n in range(INK + 1)]
    light = [_mixed((255, 255, 255), band, n / (BAND - WHITE)) for n in range(BAND - WHITE + 1)]
    return [*dark, *light, GOLD]


def _mixed(one: tuple[int, int, int], other: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@lru_cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSansCondensed-Bold.ttf" if bold else "DejaVuSans.ttf"
    # The basic layout needs no library that only some machines have; composed Vietnamese letters need no more.
    return ImageFont.truetype(str(FONTS / name), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache
def _frame(sector: str) -> tuple[bytes, bytes, bytes]:
    """What every PNG of a sector begins with, and the rows above and below its words, compressed once."""
    sheet = _sheet(sector)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0)  # 8 bits, palette
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"PLTE", bytes(sheet.getpalette() or ()))
    rows = _scanlines(sheet)
    return start, _deflated(rows[: WORDS[0] * (SIDE + 1)]), _deflated(rows[WORDS[1] * (SIDE + 1) :], last=True)


def _encoded(picture: Picture.Image, sector: str) -> tuple[Image, bytes]:
    """A PNG of three parts, two of them ready: compressing all of it anew would be most of the work."""
    start, above, below = _frame(sector)
    rows = _scanlines(picture)
    words = _deflated(rows[WORDS[0] * (SIDE + 1) : WORDS[1] * (SIDE + 1)])
    stream = b"\x78\x01" + above + words + below + struct.pack(">I", zlib.adler32(rows))
    data = start + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")
    digest = sha256(data).hexdigest()
    about = Image(sha256=digest, media_type="image/png", width=SIDE, height=SIDE, size=len(data), kind=PLACEHOLDER)
    return about, data


def _scanlines(picture: Picture.Image) -> bytes:
    """Rows with the filter byte 0 before each: the column left of the picture, which is paper."""
    return picture.crop((-1, 0, SIDE, SIDE)).tobytes()


def _deflated(rows: bytes, *, last: bool = False) -> bytes:
    """Ends on a whole byte, so that parts can follow one another."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(rows) + packer.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
