"""A baresip phone registers through the bridge to Kamailio, with a digest, and calls go both ways with sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone
from tests.telephone_system import TONE_HZ, Peers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.needs("kamailio", "baresip"),
]

PBX, BRIDGE, METRICS, PHONE, CUSTOMER = 23400, 23401, 23402, 23410, 23420


@dataclass
class Scene:
    bridge: BridgeProcess
    customer: Softphone
    peers: Peers

    def level(self, hertz: float) -> float:
        """Return the share of `hertz` in what the customer heard, 0 to 1."""
        laws = np.concatenate([np.frombuffer(one.payload, np.uint8) for one in self.customer.heard[-50:]])
        sound = mu_law(laws)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        at = round(hertz * len(sound) / 8000)
        return float(spectrum[at - 3 : at + 4].sum() / spectrum.sum())


def mu_law(codes: np.ndarray) -> np.ndarray:
    """Return samples of G.711 mu-law (ITU-T G.711), written apart from the code under test."""
    value = ~codes.astype(np.int32) & 0xFF
    magnitude = ((((value & 0x0F) << 3) + 0x84) << ((value >> 4) & 0x07)) - 0x84
    return np.where(value & 0x80, -magnitude, magnitude).astype(float)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    peers = Peers(tmp_path, PBX, BRIDGE, PHONE, CUSTOMER)
    arguments = [
        "--listen", f"udp:127.0.0.1:{BRIDGE}", "--route", f"127.0.0.1:{PBX}", "--phones-side", "listen", "--no-tap",
        "--rtp-ports", "23450-23489", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    with peers.kamailio():
        async with (
            BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
            Softphone("127.0.0.1", CUSTOMER, CUSTOMER + 2, ("127.0.0.1", PBX), "900") as customer,
            peers.baresip(),
        ):
            yield Scene(bridge, customer, peers)


async def test_calls_in_and_out_of_a_registered_phone(scene: Scene) -> None:
    inbound = await scene.customer.call(f"sip:201@127.0.0.1:{PBX}")
    await scene.bridge.until('livemon_bridge_segments{state="talking"}', 1)
    assert inbound.media is not None
    assert 23450 <= inbound.media[1] < 23490
    await asyncio.sleep(2)
    assert scene.level(TONE_HZ) > 0.9
    assert await inbound.bye() == "SIP/2.0 200 OK"
    await scene.bridge.until("livemon_bridge_calls_active", 0)

    scene.customer.heard.clear()
    await scene.peers.command("dial", f"sip:900@127.0.0.1:{PBX}")
    await asyncio.wait_for(scene.customer.rang.wait(), 5)
    await scene.bridge.until('livemon_bridge_segments{state="talking"}', 1)
    await asyncio.sleep(2)
    assert scene.level(TONE_HZ) > 0.9
    outbound = next(call for call in scene.customer.calls.values() if call is not inbound)
    assert await outbound.bye() == "SIP/2.0 200 OK"
    await scene.bridge.until("livemon_bridge_calls_active", 0)
