"""Promise: losing SIP packets costs time, never a call, and nothing is left behind.

Two simulated phones and the bridge between them share a network that drops one datagram in five, both ways, in
virtual time. Every call is set up, hung up and forgotten.
"""

from __future__ import annotations

import random
from itertools import count

import pytest

from sip_bridge.b2bua.core import B2bua
from sip_bridge.endpoint import EndCounter, OneRoute, UntouchedMedia
from sip_bridge.hooks import Hop
from sip_bridge.transaction_layer import Advertised, TransactionLayer
from tests.sip_phone import Phone

CALLS = 100
BRIDGE = Hop("udp", "127.0.0.1", 5070)


class Network:
    """Datagrams between three stacks, each 10 ms under way, some lost."""

    def __init__(self, loss: float, seed: int) -> None:
        self.now = 0.0
        self.caller = Phone("127.0.0.1", 5061, BRIDGE)
        self.callee = Phone("127.0.0.1", 5080, BRIDGE)
        self.bridge = TransactionLayer(Advertised((("127.0.0.1", 5070),)))
        self.observer = EndCounter()
        self.b2bua = B2bua(self.bridge, OneRoute(self.callee.hop), UntouchedMedia(), self.observer)
        self.stacks = {
            self.caller.hop: self.caller.layer, self.callee.hop: self.callee.layer, BRIDGE: self.bridge,
        }  # fmt: skip
        self._random = random.Random(seed)
        self._loss = loss
        self._flying: list[tuple[float, int, Hop, Hop, bytes]] = []
        self._serial = count()

    def run(self, until: float) -> None:
        """Let everything happen up to `until`, 10 ms at a time."""
        while self.now < until:
            self.now += 0.01
            landed = [packet for packet in self._flying if packet[0] <= self.now]
            self._flying = [packet for packet in self._flying if packet[0] > self.now]
            for _, _, source, target, data in landed:
                self.stacks[target].receive(data, source, self.now)
            for own, layer in self.stacks.items():
                layer.tick(self.now)
                for outgoing in layer.drain():
                    if self._random.random() >= self._loss:
                        self._flying.append((self.now + 0.01, next(self._serial), own, outgoing.hop, outgoing.data))


@pytest.mark.slow
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_every_call_is_set_up_and_ended_and_forgotten(loss: float) -> None:
    network = Network(loss, seed=7)
    for number in range(CALLS):
        network.caller.place(f"call{number}", network.now)
        network.run(network.now + 0.05)
    network.run(network.now + 20)
    assert (network.caller.talking, network.callee.talking) == (CALLS, CALLS)
    assert len(network.b2bua.calls) == CALLS
    for number in range(CALLS):
        network.caller.hang_up(f"call{number}", network.now)
    network.run(network.now + 80)
    assert network.caller.failed == []
    assert network.observer.events["CallEnded"] == CALLS
    assert network.b2bua.idle
    for layer in network.stacks.values():
        assert (len(layer.clients), len(layer.servers), len(layer.timers)) == (0, 0, 0)
