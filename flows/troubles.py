"""What an operator reads when the machine itself fails: the database, the disk, the memory."""

from __future__ import annotations

import errno

from models.database import (
    BUSY_SECONDS,
    DatabaseBroken,
    DatabaseClosed,
    DatabaseDown,
    DatabaseFaulty,
    DatabaseFull,
    DatabaseLocked,
    DatabaseNewer,
    kind_of,
)
from models.text import Text

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def trouble(error: Exception) -> tuple[Text, Text] | None:
    """The sentence and the next step; None for what is no trouble of the machine."""
    if isinstance(error, DatabaseDown):
        return _database(error)
    if isinstance(error, MemoryError):
        return MEMORY, MORE_MEMORY
    if isinstance(error, OSError):
        return _file(error)
    kind = kind_of(error)  # of another file than the database: a simulated marketplace's
    return _database(kind("")) if kind in (DatabaseFull, DatabaseFaulty) else None


def code_of_trouble(error: Exception) -> str:
    """The word for scripts."""
    if isinstance(error, MemoryError | OSError):
        return "memory" if isinstance(error, MemoryError) else "disk"
    return "locked" if isinstance(error, DatabaseLocked) else "database"


def _database(error: DatabaseDown) -> tuple[Text, Text]:
    message, next_step = next(said for kind, said in SENTENCES.items() if isinstance(error, kind))
    place = Text(error.file, error.file) if error.file else NAMELESS
    named = Text(message.vi.format(file=place.vi), message.en.format(file=place.en))
    return named, next_step.fill(seconds=BUSY_SECONDS)


def _file(error: OSError) -> tuple[Text, Text] | None:
    place = str(error.filename or "")
    if error.errno in NO_ROOM:
        return FULL_FILE.fill(file=place), FREE
    return (FAULTY_FILE.fill(file=place), SAVE_DISK) if error.errno == errno.EIO else None


NAMELESS = Text("của hệ thống", "of this system")
FREE = Text(
    "Giải phóng chỗ trống trên ổ đĩa rồi chạy lại: hệ thống tự tra lại những gì đã gửi rồi làm tiếp.",
    "Free some room on the disk and run again: what was sent is looked up first, then it goes on.",
)
SAVE_DISK = Text(
    "Kiểm tra ổ đĩa và chỗ trống, chạy “caybeo doctor”, rồi chạy lại; nếu tệp hỏng, khôi phục bằng “caybeo db restore "
    "TỆP”.",
    "Check the disk and its free room, run “caybeo doctor”, then run again; where the file is damaged, use “caybeo db "
    "restore FILE”.",
)
SENTENCES: dict[type[DatabaseDown], tuple[Text, Text]] = {
    DatabaseBroken: (
        Text(
            "Cơ sở dữ liệu {file} bị hỏng, hoặc không phải của hệ thống này.",
            "The database {file} is damaged, or is none of ours.",
        ),
        Text(
            "Đừng xóa tệp nào. Khôi phục bản sao lưu tốt bằng “caybeo db restore TỆP”, rồi chạy “caybeo reconcile”.",
            "Delete nothing. Restore a good backup with “caybeo db restore FILE”, then run “caybeo reconcile”.",
        ),
    ),
    DatabaseFull: (
        Text(
            "Ổ đĩa đã đầy, không ghi được vào cơ sở dữ liệu {file}; không gửi gì thêm.",
            "The disk is full, the database {file} takes nothing more; nothing further was sent.",
        ),
        FREE,
    ),
    DatabaseFaulty: (
        Text(
            "Ổ đĩa báo lỗi khi đọc hoặc ghi cơ sở dữ liệu {file}; không gửi gì thêm.",
            "The disk failed to read or write the database {file}; nothing further was sent.",
        ),
        SAVE_DISK,
    ),
    DatabaseLocked: (
        Text(
            "Một chương trình khác giữ cơ sở dữ liệu {file} quá lâu; không gửi gì thêm.",
            "Another program kept the database {file} for too long; nothing further was sent.",
        ),
        Text(
            "Đã đợi {seconds} giây. Đóng chương trình đang mở tệp đó, hoặc đợi lượt chạy khác xong, rồi chạy lại.",
            "It was waited for {seconds} seconds. Close what has that file open, or wait for the other run, and run "
            "again.",
        ),
    ),
    DatabaseNewer: (
        Text(
            "Một phiên bản mới hơn đã nâng cấp cơ sở dữ liệu {file}; phiên bản này không đọc được.",
            "A later version has upgraded the database {file}; this one cannot read it.",
        ),
        Text(
            "Cài lại phiên bản mới đó, hoặc khôi phục bản sao lưu trước khi nâng cấp bằng “caybeo db restore TỆP”.",
            "Install that version again, or restore a backup from before with “caybeo db restore FILE”.",
        ),
    ),
    DatabaseClosed: (
        Text(
            "Không mở hoặc không ghi được cơ sở dữ liệu {file}.",
            "The database {file} cannot be opened or written.",
        ),
        Text(
            "Kiểm tra CAYBEO_DATABASE_URL, quyền ghi của thư mục, và máy chủ cơ sở dữ liệu có đang chạy không.",
            "Check CAYBEO_DATABASE_URL, the folder's rights, and whether the database server is running.",
        ),
    ),
}
FULL_FILE = Text("Ổ đĩa đã đầy, không ghi thêm được: {file}", "The disk is full, nothing more can be written: {file}")
FAULTY_FILE = Text("Ổ đĩa báo lỗi khi đọc hoặc ghi: {file}", "The disk failed to read or write: {file}")
MEMORY = Text("Máy không còn đủ bộ nhớ; không gửi gì thêm.", "The machine is out of memory; nothing further was sent.")
MORE_MEMORY = Text(
    "Đóng bớt chương trình khác rồi chạy lại: hệ thống tự tra lại những gì đã gửi rồi làm tiếp.",
    "Close other programs and run again: what was sent is looked up first, then it goes on.",
)
