"""Whisper never reaches the customer, and listening or whispering changes nothing the parties hear of each other.

However the mode is switched, every packet from the agent's phone reaches the customer's phone with its payload, order,
marker and timestamp steps, unless a barge grant was open; and what the supervisor's side is given is what came in.
A build that leaks on purpose is caught by the run-time proof before the packet leaves.
"""

from __future__ import annotations

import json
import random
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from sip_bridge.link import wire
from sip_bridge.media import rtp
from sip_bridge.media.g711 import Law, decode, encode
from tests.keeper_play import SocketPhone, call, running
from tests.relay_play import AGENT, CUSTOMER, MS, Play

LOUD = b"\x00\x20" * 160
"""20 ms of a constant that no phone in these tests sends."""


def numbers(packets: list[rtp.Packet]) -> list[tuple[int, int, bool, bytes]]:
    first = packets[0]
    return [
        ((p.seq - first.seq) & 0xFFFF, (p.timestamp - first.timestamp) & 0xFFFFFFFF, p.marker, p.payload)
        for p in packets
    ]


def test_the_customer_gets_the_agents_packets_through_1000_mode_switches() -> None:
    play = Play(seed=11)
    switch = random.Random(5)
    uplink: list[rtp.Packet] = []
    downlink: list[rtp.Packet] = []
    play.do("tap", on=True)
    for counter in range(1000):
        speaking = switch.random() < 0.7
        mode = switch.choice(["off", "listen", "whisper"])
        play.do("listen", legs=[AGENT, CUSTOMER], on=mode != "off")
        if mode == "whisper":
            play.grant(counter)
        elif switch.random() < 0.5:
            play.do("revoke", session=7)
        for _ in range(switch.randrange(1, 6)):
            data = play.agent.packet(marker=switch.random() < 0.1, skip=switch.choice([0, 0, 0, 2]))
            if switch.random() < 0.95:  # the network may lose it before us
                sent = rtp.parse(data)
                assert isinstance(sent, rtp.Packet)
                uplink.append(sent)
                downlink += [got.rtp for got in play.feed(AGENT, data) if got.port == 22002]
            if speaking:
                play.feed(CUSTOMER, play.customer.packet())
            else:
                play.customer.pause(160)
            if mode == "whisper":
                play.whisper(LOUD)
            play.wait(20)
    assert numbers(downlink) == numbers(uplink)
    assert [packet.payload for packet in play.tapped() if packet.leg == AGENT] == [packet.payload for packet in uplink]
    assert len({packet.ssrc for packet in downlink}) == 1
    assert play.relay.counters["proof_mismatches"] == 0
    assert play.relay.lines[AGENT].out.mixed > 100, "nothing was whispered, so nothing was shown"
    assert play.relay.lines[AGENT].out.generated > 100
    assert play.events("origin") == []


def test_barge_reaches_the_customer_and_is_told_and_ends_without_a_trace() -> None:
    play = Play(seed=3)
    play.grant(1, mode="barge")
    for _ in range(10):
        play.whisper(LOUD)
        play.feed(AGENT, play.agent.packet(b"\xff" * 160))
        play.feed(CUSTOMER, play.customer.packet(b"\xff" * 160))
        play.wait(20)
    heard = [got.rtp.payload for got in play.ear(CUSTOMER)]
    assert all(payload != b"\xff" * 160 for payload in heard)
    assert decode(heard[5], Law.PCMU)[:2] == decode(play.ear(AGENT)[5].rtp.payload, Law.PCMU)[:2]
    play.do("revoke", session=7)
    [after] = play.feed(AGENT, play.agent.packet(b"\xff" * 160))
    assert after.rtp.payload == b"\xff" * 160
    opened, closed = play.events("origin")
    assert (opened["open"], closed["open"], opened["session"], opened["leg"]) == (True, False, 7, CUSTOMER)
    assert closed["at_ns"] > opened["at_ns"]


def test_a_leaking_build_is_caught_within_the_packet() -> None:
    play = Play(seed=4, leak_whisper=True)
    play.grant(1)
    play.feed(AGENT, play.agent.packet())
    play.whisper(LOUD)
    payload = play.agent.noise()
    [sent] = play.feed(AGENT, play.agent.packet(payload))
    assert sent.rtp.payload == payload
    assert play.events("proof") == [{"ev": "proof", "leg": CUSTOMER, "mismatches": 1}]
    assert play.relay.counters["proof_mismatches"] == 1
    assert play.events("grant_state")[-1] == {
        "ev": "grant_state", "session": 7, "state": "revoked", "reason": "proof_failed"
    }  # fmt: skip
    play.grant(2)
    assert play.events("grant_state")[-1]["reason"] == "proof_failed"
    play.whisper(LOUD)
    [quiet] = play.feed(CUSTOMER, play.customer.packet(b"\xff" * 160))
    assert quiet.rtp.payload == b"\xff" * 160


def switched(index: int) -> list[dict[str, Any]]:
    """Commands of the index-th switch of mode."""
    mode = ("off", "listen", "whisper")[index % 3]
    out: list[dict[str, Any]] = [{"cmd": "listen", "legs": [1, 2], "on": mode != "off"}]
    if mode == "whisper":
        out.append({"cmd": "grant", "session": 7, "leg": 1, "customer_leg": 2, "mode": mode, "counter": index})
        out[-1]["ttl_ms"] = 300
    else:
        out.append({"cmd": "revoke", "session": 7})
    return out


@pytest.mark.slow
@pytest.mark.parametrize("leak", [False, True])
def test_over_sockets_50_switches_change_nothing_and_a_leak_is_caught(
    leak: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEMON_TEST_LEAK_WHISPER", "1" if leak else "0")
    with (
        SocketPhone(22780, 22700) as agent,
        SocketPhone(22782, 22702) as customer,
        running(22700, tmp_path, call(22700, (22780, 22782)), "--pipe", str(tmp_path / "pipe")) as play,
    ):
        play.wait(lambda: (tmp_path / "pipe").exists())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
            control.connect(str(tmp_path / "pipe"))
            for index in range(150):
                if index % 3 == 0:
                    for command in switched(index // 3):
                        control.send(json.dumps(command).encode())
                control.send(wire.whisper_frame(wire.WhisperChunk(7, index, 0, encode(LOUD, Law.PCMU))))
                agent.send()
                customer.send()
                time.sleep(0.02)
            play.wait(lambda: (agent.receive(), customer.receive()) == (150, 150))
            control.send(b'{"cmd":"stats"}')
            play.wait(lambda: play.events("ev", "stats"))
        counters = play.events("ev", "stats")[0]["counters"]
        proofs = play.events("ev", "proof")
    assert [packet.payload for _, packet in customer.got] == agent.sent
    changed = sum(packet.payload != sent for (_, packet), sent in zip(agent.got, customer.sent, strict=True))
    assert changed == counters["packets_mixed"]
    if leak:
        assert (len(proofs), counters["proof_mismatches"]) == (1, 1)
    else:
        assert (len(proofs), counters["proof_mismatches"]) == (0, 0)
        assert changed > 20


@pytest.mark.parametrize("law", list(Law))
def test_without_the_leak_the_same_play_raises_no_alarm(law: Law) -> None:
    play = Play(seed=4)
    play.agent.law = play.customer.law = law
    play.grant(1)
    for _ in range(50):
        play.whisper(LOUD)
        play.feed(AGENT, play.agent.packet())
        play.feed(CUSTOMER, play.customer.packet())
        play.now += 20 * MS
    assert play.events("proof") == []
    assert play.relay.lines[AGENT].out.mixed == 50
