"""Pictures that lie beside a sheet: found by name, looked at with suspicion, kept without what else they carry."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import defaultdict
from hashlib import blake2b, sha256
from io import BytesIO
from math import sqrt
from pathlib import Path, PurePosixPath

import msgspec
from PIL import Image as Picture
from PIL import ImageOps

from flows.sources.cells import same_key
from flows.sources.problems import BadValue
from models.catalogue import Image
from models.faultpoint import fp
from models.text import Text, nfc

PHOTO = "product"  # the kind of a picture that shows the goods themselves
MOST = 9  # of one product
FILE_BYTES = 10 * 1024 * 1024
PIXELS = 40_000_000
LEAST = 300  # pixels a side: less is a thumbnail
SIDE = 1_600  # no shop window shows more
KEPT_BYTES = 900_000  # below what the strictest marketplace takes, 1 MB
FORMATS = ("PNG", "JPEG", "WEBP")
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # 16 bits a colour would come out white
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|www\.|data:", re.IGNORECASE)
ABSOLUTE = re.compile(r"/|[a-z]:", re.IGNORECASE)

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Image).decode


class Pictures:
    """The pictures of one source, which has no folder where it is a database. Without `media` nothing is written."""

    def __init__(self, folder: Path | None, media: Path | None) -> None:
        self._folder, self._media = folder, media
        self._taken: dict[str, Image] = {}  # by the hash of the file as it was found
        self._folders: dict[Path, dict[str, list[str]]] = {}
        self._seen = blake2b(digest_size=16)
        self._any = False

    @property
    def mark(self) -> str:
        """Stands for all files that were asked for and what they held; empty where none was."""
        return f"+{self._seen.hexdigest()}" if self._any else ""

    def take(self, name: str) -> Image:
        """The picture as it is kept from now on. BadValue where it cannot be."""
        try:
            data = self._bytes(name)
        except BadValue as error:
            self._note(name, error.code)
            raise
        origin = sha256(data).hexdigest()
        self._note(name, origin)
        if origin not in self._taken:
            self._taken[origin] = self._known(origin) or self._new(origin, data)
        return self._taken[origin]

    def _note(self, name: str, held: str) -> None:
        self._any = True
        self._seen.update(f"{name}\0{held}\0".encode(errors="surrogatepass"))

    # --- files ----------------------------------------------------------------------------------------------------

    def _bytes(self, name: str) -> bytes:
        if self._folder is None:
            raise BadValue("picture-source", *NO_FOLDER)
        if ADDRESS.match(name):
            raise BadValue("picture-address", *WEB)
        name = name.replace("\\", "/")
        if ABSOLUTE.match(name) or ".." in PurePosixPath(name).parts:
            raise BadValue("picture-place", *OUTSIDE)
        try:
            return self._read(self._folder, PurePosixPath(name))
        except OSError:
            raise BadValue("picture-missing", *MISSING) from None

    def _read(self, folder: Path, name: PurePosixPath) -> bytes:
        path = folder
        for part in name.parts:
            path = self._entry(path, part)
        if not path.is_file():
            raise BadValue("picture-missing", *MISSING)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadValue("picture-place", *OUTSIDE)
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise BadValue("picture-bytes", *TOO_LARGE)
        return data

    def _entry(self, folder: Path, part: str) -> Path:
        """The very name, or the only one that differs in case or in how its letters are composed."""
        if (folder / part).exists():
            return folder / part
        if folder not in self._folders:
            names: defaultdict[str, list[str]] = defaultdict(list)
            for entry in folder.iterdir():
                names[same_key(nfc(entry.name))].append(entry.name)
            self._folders[folder] = names
        alike = self._folders[folder].get(same_key(part), [])
        if len(alike) != 1:
            raise BadValue("picture-missing", *MISSING)
        return folder / alike[0]

    # --- what was taken before ------------------------------------------------------------------------------------

    def _known(self, origin: str) -> Image | None:
        """Drawing a picture anew takes a second; the same file is drawn once."""
        if self._media is None:
            return None
        try:
            image = _decode(_origin(self._media, origin).read_bytes())
            whole = (self._media / f"{image.sha256}.png").stat().st_size == image.size
        except (OSError, msgspec.MsgspecError):
            return None
        return image if whole else None

    def _new(self, origin: str, data: bytes) -> Image:
        image, png = drawn(data)
        if self._media is not None:
            keep(self._media / f"{image.sha256}.png", png)
            keep(_origin(self._media, origin), _encode(image))
        return image


def drawn(data: bytes) -> tuple[Image, bytes]:
    """A picture file as we keep it: upright, on white, a PNG that every marketplace takes, nothing else in it."""
    full = _upright(data)
    full.thumbnail((SIDE, SIDE), Picture.Resampling.LANCZOS, reducing_gap=2.0)
    picture, png, share = full, _png(full), 1.0
    while len(png) > KEPT_BYTES:
        share *= 0.97 * sqrt(KEPT_BYTES / len(png))
        size = (max(1, round(full.width * share)), max(1, round(full.height * share)))
        picture = full.resize(size, Picture.Resampling.LANCZOS)
        png = _png(picture)
    if min(picture.size) < LEAST:
        raise BadValue("picture-shape", *NARROW)
    digest = sha256(png).hexdigest()
    width, height = picture.size
    about = Image(sha256=digest, media_type="image/png", width=width, height=height, size=len(png), kind=PHOTO)
    return about, png


def keep(path: Path, data: bytes) -> None:
    """Whole or not at all under its name; two who keep the same do no harm."""
    if path.exists() and path.stat().st_size == len(data):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(data)
            file.flush()
            fp("picture.written")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    fp("picture.placed")


def _upright(data: bytes) -> Picture.Image:
    """The pixels alone. Size and kind are judged before any of them is unpacked."""
    with warnings.catch_warnings(), _opened(data) as picture:
        warnings.simplefilter("ignore")  # what a decoder finds odd is nothing an operator can mend
        if picture.width * picture.height > PIXELS:
            raise BadValue("picture-pixels", *FLOOD)
        if min(picture.size) < LEAST:
            raise BadValue("picture-small", *SMALL)
        if picture.mode not in MODES:
            raise BadValue("picture-type", *NO_PICTURE)
        try:
            picture.draft("RGB", (SIDE, SIDE))  # JPEG: unpacks no more than will be used
            ImageOps.exif_transpose(picture, in_place=True)
            return _on_white(picture)
        except Exception:  # noqa: BLE001  # decoders of damaged files raise whatever they stumble over
            raise BadValue("picture-broken", *BROKEN) from None


def _opened(data: bytes) -> Picture.Image:
    warnings.simplefilter("error", Picture.DecompressionBombWarning)
    try:
        return Picture.open(BytesIO(data), formats=FORMATS)
    except (Picture.DecompressionBombError, Picture.DecompressionBombWarning):
        raise BadValue("picture-pixels", *FLOOD) from None
    except Exception:  # noqa: BLE001  # see above
        raise BadValue("picture-type", *NO_PICTURE) from None


def _on_white(picture: Picture.Image) -> Picture.Image:
    """A fresh canvas: nothing but the pixels comes along."""
    canvas = Picture.new("RGB", picture.size, "white")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    pixels = picture if picture.mode == mode else picture.convert(mode)  # 40 million of them are not copied for nothing
    canvas.paste(pixels, mask=pixels if mode == "RGBA" else None)
    return canvas


def _png(picture: Picture.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _origin(media: Path, origin: str) -> Path:
    return media / "origins" / f"{origin}.json"


NO_FOLDER = (
    Text("Nguồn là cơ sở dữ liệu nên không kèm được tệp ảnh.", "A database source has no picture files beside it."),
    Text(
        "Bỏ cột ảnh khỏi truy vấn; nhập ảnh bằng một bảng Excel hoặc CSV đặt cạnh tệp ảnh.",
        "Leave the column out of the query; import pictures with a sheet that lies beside them.",
    ),
)
WEB = (
    Text("Ô ảnh ghi địa chỉ mạng; ảnh trên mạng không được tải về.", "This is a web address; no picture is fetched."),
    Text(
        "Tải ảnh về đặt cạnh bảng, rồi ghi tên tệp vào ô này.",
        "Download the picture beside the sheet and write its file name here.",
    ),
)
OUTSIDE = (
    Text("Ảnh phải nằm trong thư mục của bảng.", "A picture lies in the sheet's own folder."),
    Text(
        "Chép ảnh vào cạnh bảng rồi chỉ ghi tên tệp, ví dụ tom-kho.jpg.",
        "Copy it beside the sheet and write the file name alone, such as tom-kho.jpg.",
    ),
)
MISSING = (
    Text("Không tìm thấy tệp ảnh này cạnh bảng.", "There is no such picture beside the sheet."),
    Text(
        "Chép ảnh vào thư mục của bảng và kiểm tra tên tệp, kể cả đuôi .jpg hay .png.",
        "Copy the picture into the sheet's folder and check its name, ending included.",
    ),
)
TOO_LARGE = (
    Text("Tệp ảnh lớn hơn 10 MB.", "The picture file is larger than 10 MB."),
    Text("Lưu ảnh nhỏ lại rồi nhập lại.", "Save it smaller and import again."),
)
FLOOD = (
    Text("Ảnh có hơn 40 triệu điểm ảnh.", "The picture has more than 40 million pixels."),
    TOO_LARGE[1],
)
SMALL = (
    Text("Ảnh quá nhỏ: mỗi cạnh phải có ít nhất 300 điểm ảnh.", "A picture has 300 pixels a side at least."),
    Text("Dùng ảnh chụp gốc, không dùng ảnh thu nhỏ.", "Use the original picture, not a thumbnail."),
)
NARROW = (
    Text("Ảnh quá dài và hẹp để hiện trên sàn.", "The picture is too long and narrow for a shop window."),
    Text("Cắt ảnh gần vuông hơn.", "Crop it closer to a square."),
)
NO_PICTURE = (
    Text("Tệp này không phải ảnh JPEG, PNG hay WebP thường.", "This is no ordinary JPEG, PNG or WebP picture."),
    Text("Mở ảnh và lưu lại thành JPEG.", "Open the picture and save it as JPEG."),
)
BROKEN = (
    Text("Tệp ảnh bị hỏng hoặc chép chưa xong.", "The picture file is damaged or incomplete."),
    Text("Chép lại ảnh gốc, hoặc mở ảnh và lưu lại thành JPEG.", "Copy the original again, or save it as JPEG anew."),
)
TOO_MANY = (
    Text("Nhiều nhất 9 ảnh cho một dòng.", "A row has 9 pictures at most."),
    Text("Chỉ giữ những ảnh đẹp nhất.", "Keep the best ones."),
)
