"""RTP from a stranger is never heard by anyone, never recorded, and never answered.

At every phase of a call (before the answer, in its first seconds, steady, after a re-INVITE) 500 packets from another
address reach no ear and no tap, and nothing is sent to where they came from. Nor does a spray of odd datagrams.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tests.keeper_play import SocketPhone, call, running
from tests.relay_play import AGENT, CUSTOMER, PHONES, STRANGER, Phone, Play

MARK = b"\x2a" * 160
STUN = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
CLIENT_HELLO = b"\x16\xfe\xfd" + bytes(60)
SPRAY = (b"", b"\x80", b"\x80\0" + bytes(10), b"\x80\xc9\0\0", CLIENT_HELLO, STUN)
IP_RECVERR = 11
"""Linux: an ICMP answer becomes an error of the socket."""


def attack(play: Play, guess: bool = False) -> None:
    """500 packets at each leg; with `guess`, the phone's own SSRC and next sequence numbers."""
    before = len(play.wire.sent)
    for leg, phone in ((AGENT, play.agent), (CUSTOMER, play.customer)):
        liar = Phone(666)
        if guess:
            liar.ssrc, liar.seq, liar.timestamp = phone.ssrc, phone.seq, phone.timestamp
        for source in (STRANGER, (PHONES[leg][0], PHONES[leg][1] + 1), ("10.0.0.66", PHONES[leg][1])):
            for _ in range(500):
                play.feed(leg, liar.packet(MARK), source)
    assert play.wire.sent[before:] == []


def talk(play: Play, packets: int) -> None:
    for _ in range(packets):
        play.feed(AGENT, play.agent.packet())
        play.feed(CUSTOMER, play.customer.packet())
        play.wait(20)


@pytest.mark.parametrize("learn", [False, True])
def test_a_stranger_is_heard_in_no_phase_of_a_call(learn: bool) -> None:
    play = Play(open_call=False)
    play.do("tap", on=True)
    play.open(remote=None)
    attack(play)
    play.set(AGENT, learn=learn)
    play.set(CUSTOMER, learn=learn)
    talk(play, 1)
    attack(play)
    talk(play, 200)
    attack(play, guess=True)
    play.set(AGENT, remote=["10.0.0.1", 4100], learn=False)
    play.set(CUSTOMER, remote=["10.0.0.2", 5100], learn=False)
    attack(play, guess=True)
    talk(play, 5)
    heard = [sent.rtp.payload for leg in (AGENT, CUSTOMER) for sent in play.ear(leg)]
    assert len(heard) == 2 * 201
    assert MARK not in heard
    assert MARK not in [packet.payload for packet in play.tapped()]
    assert all(sent.address in PHONES.values() or sent.address[1] % 2 for sent in play.wire.sent)


def test_the_call_goes_on_through_the_attack_without_a_hole() -> None:
    play = Play()
    for _ in range(5):
        attack(play, guess=True)
        assert len(play.feed(AGENT, play.agent.packet())) == 1
        play.wait(20)
    sequence = [sent.rtp.seq for sent in play.ear(CUSTOMER)]
    assert [(seq - sequence[0]) & 0xFFFF for seq in sequence] == list(range(5))


def test_a_flood_from_the_phone_itself_is_capped_and_hurts_no_other_call() -> None:
    """1000 packets a second of 1200 octets on a stream of 50: at most 100 a second pass after the first burst."""
    play = Play()
    play.do("tap", on=True)
    passed = []
    for _ in range(5):
        before = len(play.ear(CUSTOMER))
        for _ in range(1000):
            play.feed(AGENT, play.agent.packet(bytes(1200)))
            play.wait(1)
        passed.append(len(play.ear(CUSTOMER)) - before)
    assert passed[0] <= 300
    assert all(count <= 101 for count in passed[1:])
    assert len(play.feed(CUSTOMER, play.customer.packet())) == 1


@pytest.mark.slow
def test_over_sockets_a_stranger_is_heard_by_nobody_and_gets_no_answer(tmp_path: Path) -> None:
    commands = call(22600, (22680, 22682))
    with (
        SocketPhone(22680, 22600) as agent,
        SocketPhone(22682, 22602) as customer,
        SocketPhone(22684, 22600, "127.0.0.2") as stranger,
        running(22600, tmp_path, commands) as play,
    ):
        stranger.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        agent.send()
        play.wait(lambda: customer.receive() == 1)
        for round_ in range(100):
            for port in (22600, 22602):
                stranger.bridge = ("127.0.0.1", port)
                for _ in range(5):
                    stranger.send(MARK)
            agent.send()
            customer.send()
            for data in SPRAY:
                stranger.sock.sendto(data, ("127.0.0.1", 22600 + round_ % 40))
            time.sleep(0.01)
        play.wait(lambda: (agent.receive(), customer.receive()) == (100, 101))
        assert MARK not in [packet.payload for phone in (agent, customer) for _, packet in phone.got]
        assert stranger.receive() == 0
        assert stranger.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
