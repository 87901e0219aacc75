"""A loopback line to a server that can go away under its clients, and counts who still asks for it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset instead of a farewell


class Line:
    """Passes bytes on from the beginning of `with` until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.api = f"http://127.0.0.1:{self._door.getsockname()[1]}/api"
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._welcome, daemon=True)]
        self._cut = threading.Event()
        self.attempts = 0  # after the cut

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Whoever is connected is cut off; whoever comes from now on is counted and reset."""
        self._cut.set()
        self._hang_up()

    def close(self) -> None:
        """The same, but whoever comes from now on is refused and remains uncounted."""
        self.cut()
        with suppress(OSError):  # closed before
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _welcome(self) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                near, _ = self._door.accept()
                self._turn_away(near) if self._cut.is_set() else self._connect(near)

    def _turn_away(self, near: socket.socket) -> None:
        self.attempts += 1
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        near.close()

    def _connect(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._target))
        self._ends += [near, far]
        threads = [threading.Thread(target=_pass_on, args=way, daemon=True) for way in ((near, far), (far, near))]
        self._threads += threads
        for thread in threads:
            thread.start()

    def _hang_up(self) -> None:
        for end in self._ends:
            _end(end)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    _end(other)
    one.close()


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
