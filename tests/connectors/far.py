"""A server on this machine that answers byte for byte as it is told, and certificates for it."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from models.clock import SystemClock

Answer = Callable[[socket.socket], None]
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"id": 7}'


class Far:
    """Gives its answers in turn, one for each request, and the last one for ever. `heard` are the requests."""

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        self._answers, self._context = list(answers) or [says(OK)], context
        self._door = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.heard: list[bytes] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self._door.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Far:
        self._begin(self._welcome)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _welcome(self) -> None:
        while True:
            try:
                guest, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(guest)
            self._begin(self._serve, guest)

    def _serve(self, guest: socket.socket) -> None:
        with suppress(OSError):
            if self._context:
                guest = self._context.wrap_socket(guest, server_side=True)
                self._open.append(guest)
            while request := _request(guest):
                number = len(self.heard)
                self.heard.append(request)
                self._answers[min(number, len(self._answers) - 1)](guest)
        guest.close()


def _request(guest: socket.socket) -> bytes:
    """Head and body; nothing where the other end went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = guest.recv(65_536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += guest.recv(65_536)
    return head + b"\r\n\r\n" + body


def says(*pieces: bytes, close: bool = False) -> Answer:
    def answer(guest: socket.socket) -> None:
        for piece in pieces:
            guest.sendall(piece)
        if close:
            guest.close()

    return answer


def drips(before: bytes, drop: bytes, seconds: float = 0.05) -> Answer:
    """The beginning at once, and then one drop after the other, for as long as anyone listens."""

    def answer(guest: socket.socket) -> None:
        guest.sendall(before)
        while True:
            SystemClock().sleep(seconds)
            guest.sendall(drop)

    return answer


def resets(before: bytes = b"") -> Answer:
    """Breaks the connection the hard way."""

    def answer(guest: socket.socket) -> None:
        guest.sendall(before)
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.close()

    return answer


def waits_for(moment: threading.Event) -> Answer:
    def answer(guest: socket.socket) -> None:
        moment.wait(10)
        guest.sendall(OK)

    return answer


def json(body: bytes, *headers: bytes) -> bytes:
    """A whole answer, its length as it is."""
    head = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@dataclass
class Authority:
    """Signs certificates; `pem` is what trusts them."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    pem: str

    @classmethod
    def made(cls) -> Authority:
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("Chợ nổi CA")
        certificate = _signed(name, key.public_key(), name, key, timedelta(days=1), [], authority=True)
        return cls(name, key, certificate.public_bytes(serialization.Encoding.PEM).decode())

    def context(
        self,
        folder: Path,
        *,
        valid: timedelta = timedelta(days=1),
        hosts: Iterable[str] = ("127.0.0.1",),
        self_signed: bool = False,
    ) -> ssl.SSLContext:
        """What a server shows that has this certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signing = (_name("sạp"), key) if self_signed else (self.name, self.key)
        certificate = _signed(_name("sạp"), key.public_key(), issuer, signing, valid, hosts, authority=False)
        file = folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: timedelta,
    hosts: Iterable[str],
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + valid) - timedelta(days=2))
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    names = [_alternative(host) for host in hosts]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
