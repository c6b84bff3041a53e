from __future__ import annotations

import asyncio
import datetime
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from ssl import SSLContext

import pytest
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from livemon.errors import ConfigError
from livemon.tap import messages
from livemon.tap.keys import LinkKeys
from livemon.tap.link import Link
from livemon.tap.messages import Anchor, FromBridge, Hello
from livemon.tap.server import LinkServer, tls_context
from sip_bridge.link.wire import TapFrame, TapPacket
from tests.bridges import KEY, FakeBridge
from tests.segments import TALKING


class Recorder:
    def __init__(self) -> None:
        self.got: list[str | FromBridge | TapFrame] = []
        self.link: Link | None = None
        self._news = asyncio.Event()

    def attached(self, link: Link, hello: Hello) -> None:
        self.link = link
        link.send(messages.welcome("node-0", None))
        self._note(f"attached {hello.bridge}")

    def message(self, link: Link, message: FromBridge) -> None:
        self._note(message)

    def frame(self, link: Link, frame: TapFrame) -> None:
        self._note(frame)

    def detached(self, link: Link) -> None:
        self._note(f"detached {link.bridge}")

    def _note(self, item: str | FromBridge | TapFrame) -> None:
        self.got.append(item)
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(3):
            while not done():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def events() -> Recorder:
    return Recorder()


@pytest.fixture
async def server(tmp_path: Path, events: Recorder) -> AsyncIterator[str]:
    url = f"unix://{tmp_path / 'node-0.sock'}"
    made = LinkServer(url, LinkKeys((KEY,)), events)
    await made.start()
    yield url
    await made.close()


async def test_a_bridge_attaches_speaks_and_leaves(server: str, events: Recorder) -> None:
    bridge = FakeBridge()
    async with bridge.connected(server, segments=[TALKING]):
        await bridge.packets(TapPacket(7, 1, 0, True, 0, 160, 5, b"\xff" * 160))
        await bridge.say({"t": "unknown"})
        await bridge.say({"t": "anchor", "mono_ns": 1, "utc_ms": 2})
        await events.until(lambda: Anchor(1, 2) in events.got)
        assert events.link is not None
        events.link.send(messages.revoke(3))
        assert await bridge.heard("revoke") == {"t": "revoke", "session": 3}
    await events.until(lambda: events.got[-1] == "detached b1")
    assert events.got[:2] == ["attached b1", TALKING]
    frame = events.got[3]
    assert isinstance(frame, TapFrame)
    assert frame.packets == (TapPacket(7, 1, 0, True, 0, 160, 5, b"\xff" * 160),)


@pytest.mark.parametrize(
    ("headers", "protocols", "status"),
    [
        ({}, ["livemon-link.1"], 401),
        ({"Authorization": "Bearer wrong"}, ["livemon-link.1"], 401),
        ({"Authorization": f"Bearer {KEY}"}, ["livemon-link.2"], 400),
        ({"Authorization": f"Bearer {KEY}"}, None, 400),
    ],
)
async def test_wrong_keys_and_versions_are_refused_before_the_upgrade(
    server: str, headers: dict[str, str], protocols: list[Subprotocol] | None, status: int, events: Recorder
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await unix_connect(server.removeprefix("unix://"), additional_headers=headers, subprotocols=protocols)
    assert refused.value.response.status_code == status
    assert events.got == []


@pytest.mark.parametrize(
    "first",
    [b"\x01", "{}", '{"t":"announced"}', '{"t":"hello","version":2,"bridge":"b","boot":"x","mono_ns":1,"utc_ms":1}'],
)
async def test_a_connection_that_does_not_begin_with_a_good_hello_is_closed(
    server: str, first: str | bytes, events: Recorder
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    path = server.removeprefix("unix://")
    async with unix_connect(path, additional_headers=headers, subprotocols=[Subprotocol("livemon-link.1")]) as client:
        await client.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert events.got == []


async def test_the_socket_is_open_to_the_group_and_replaces_a_stale_one(server: str, tmp_path: Path) -> None:
    mode = (tmp_path / "node-0.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660
    again = LinkServer(server, LinkKeys((KEY,)), Recorder())
    await again.start()
    await again.close()


async def test_tcp(events: Recorder) -> None:
    server = LinkServer("tcp://127.0.0.1:0", LinkKeys((KEY,)), events)
    await server.start()
    async with FakeBridge().connected(f"tcp://127.0.0.1:{server.port}"):
        pass
    await events.until(lambda: events.got[-1] == "detached b1")
    await server.close()


async def test_a_place_that_cannot_be_listened_on_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = LinkServer(f"unix://{tmp_path}/file/x.sock", LinkKeys((KEY,)), Recorder())
    with pytest.raises(ConfigError, match=r"node\.link"):
        await server.start()
    await server.close()


async def test_tls(tmp_path: Path, events: Recorder) -> None:
    certificate, key, client_context = _certificate(tmp_path)
    server = LinkServer("tcp://127.0.0.1:0", LinkKeys((KEY,)), events, tls_context(certificate, key))
    await server.start()
    async with connect(
        f"wss://127.0.0.1:{server.port}/",
        ssl=client_context,
        additional_headers={"Authorization": f"Bearer {KEY}"},
        subprotocols=[Subprotocol("livemon-link.1")],
        compression=None,
    ) as client:
        assert client.subprotocol == "livemon-link.1"
    await server.close()
    with pytest.raises(ConfigError, match="link_tls"):
        tls_context(key, certificate)


def _certificate(folder: Path) -> tuple[Path, Path, SSLContext]:
    import ipaddress
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(private, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem", ssl.create_default_context(cafile=str(folder / "cert.pem"))
