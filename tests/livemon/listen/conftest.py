"""Fixtures of the listening service."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from livemon.listen.udp import UdpPort
from tests import listening


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture
async def udp() -> AsyncIterator[UdpPort]:
    port = UdpPort.bind("127.0.0.1", 0)
    yield port
    port.close()


@pytest.fixture
def calls() -> listening.Calls:
    made = listening.Calls()
    made.add(listening.FakeCall())
    return made
