"""The ICE-lite mux, datagram by datagram."""

from __future__ import annotations

from aioice import stun as aioice_stun

from livemon.listen import stun
from livemon.listen.icelite import DEAD_AFTER_S, MAX_ADDRESSES, Address, IceAgent, IceMux

ANNA: Address = ("192.0.2.1", 1000)
BERT: Address = ("192.0.2.2", 2000)
DTLS = b"\x16hello"


class Peer:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.paths: list[Address] = []

    def on_datagram(self, data: bytes) -> None:
        self.data.append(data)

    def on_selected(self, address: Address) -> None:
        self.paths.append(address)

    def on_dead(self) -> None:
        """Not called by the core."""


def check(agent: IceAgent, use: bool = True, ufrag: str = "", password: str = "", controlled: bool = False) -> bytes:
    name = f"{ufrag or agent.ufrag}:remote"
    return stun.request(bytes(12), name, password or agent.password, use, controlled)


def opened() -> tuple[IceMux, Peer, IceAgent]:
    mux, peer = IceMux(), Peer()
    return mux, peer, mux.open(peer, 0.0)


def test_a_signed_check_is_answered_and_opens_the_path() -> None:
    mux, peer, agent = opened()
    answer = mux.receive(check(agent), ANNA, 1.0)
    assert answer is not None
    message = aioice_stun.parse_message(answer)
    assert message.check_message_integrity(agent.password.encode())
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ANNA
    assert peer.paths == [ANNA]
    assert mux.receive(DTLS, ANNA, 1.0) is None
    assert peer.data == [DTLS]
    assert (mux.counters.checks, mux.counters.datagrams, len(mux)) == (1, 2, 1)


def test_strangers_reach_nobody() -> None:
    mux, peer, agent = opened()
    mux.receive(check(agent), ANNA, 1.0)
    for data in (DTLS, b"\x80junk", b"", b"\x10", b"\x45", b"\xff", b"\0", check(agent, password="wrong")):
        assert mux.receive(data, BERT, 1.0) is None
    assert mux.receive(check(agent, ufrag="unknown"), BERT, 1.0) is None
    assert peer.data == []
    assert peer.paths == [ANNA]
    assert mux.counters.refused == {
        "unvalidated_source": 2,
        "empty": 1,
        "unknown_kind": 3,
        "short": 1,
        "bad_integrity": 1,
        "unknown_ufrag": 1,
    }


def test_the_nominated_address_is_used_and_others_are_heard() -> None:
    mux, peer, agent = opened()
    mux.receive(check(agent, use=False), ANNA, 1.0)
    mux.receive(check(agent, use=False), BERT, 1.0)
    assert peer.paths == [ANNA]
    mux.receive(check(agent), BERT, 1.0)
    mux.receive(check(agent), BERT, 1.0)
    assert peer.paths == [ANNA, BERT]
    mux.receive(DTLS, ANNA, 1.0)
    assert peer.data == [DTLS]


def test_a_role_conflict_and_an_unknown_attribute_are_answered() -> None:
    mux, peer, agent = opened()
    conflict = mux.receive(check(agent, controlled=True), ANNA, 1.0)
    assert conflict is not None
    assert b"Role Conflict" in conflict
    odd = check(agent).replace(b"\x00\x25\x00\x00", b"\x7f\xff\x00\x00")
    name = agent.ufrag.encode()
    assert name in odd
    assert mux.receive(odd, ANNA, 1.0) is None, "the change broke the signature"
    assert peer.paths == []


def test_a_signed_check_with_an_unknown_attribute_is_answered_with_420() -> None:
    mux, peer, agent = opened()
    message = aioice_stun.Message(aioice_stun.Method.BINDING, aioice_stun.Class.REQUEST, bytes(12))
    message.attributes["USERNAME"] = f"{agent.ufrag}:r"
    message.attributes["CHANNEL-NUMBER"] = 5
    message.add_message_integrity(agent.password.encode())
    answer = mux.receive(bytes(message), ANNA, 1.0)
    assert answer is not None
    assert b"Unknown Attribute" in answer
    assert peer.paths == []


def test_a_restart_keeps_the_old_path_until_the_browser_moves() -> None:
    mux, peer, agent = opened()
    mux.receive(check(agent), ANNA, 1.0)
    old = (agent.ufrag, agent.password)
    mux.restart(agent)
    assert agent.ufrag != old[0]
    assert mux.receive(check(agent, ufrag=old[0], password=old[1]), BERT, 2.0) is not None
    assert peer.paths == [ANNA]
    mux.receive(check(agent), BERT, 2.0)
    assert peer.paths == [ANNA, BERT]
    mux.restart(agent)
    assert mux.receive(check(agent, ufrag=old[0], password=old[1]), ANNA, 3.0) is None
    assert len(mux) == 1


def test_a_browser_that_stops_checking_is_dead() -> None:
    mux, _, agent = opened()
    assert mux.dead(1e6) == [], "never connected: the session's own limit applies"
    mux.receive(check(agent), ANNA, 10.0)
    assert mux.dead(10.0 + DEAD_AFTER_S) == []
    assert mux.dead(10.1 + DEAD_AFTER_S) == [agent]


def test_a_closed_agent_hears_nothing() -> None:
    mux, peer, agent = opened()
    name, password = agent.ufrag, agent.password
    mux.receive(check(agent), ANNA, 1.0)
    mux.close(agent)
    mux.close(agent)
    assert mux.receive(DTLS, ANNA, 1.0) is None
    assert mux.receive(check(agent, ufrag=name, password=password), ANNA, 1.0) is None
    assert peer.data == []
    assert len(mux) == 0


def test_an_address_belongs_to_its_newest_proof() -> None:
    mux, first, one = opened()
    second = Peer()
    two = mux.open(second, 0.0)
    mux.receive(check(one), ANNA, 1.0)
    mux.receive(check(two), ANNA, 2.0)
    mux.receive(DTLS, ANNA, 2.0)
    assert (first.data, second.data) == ([], [DTLS])
    mux.close(one)
    mux.receive(DTLS, ANNA, 2.0)
    assert second.data == [DTLS, DTLS]


def test_a_flood_of_addresses_is_bounded_and_keeps_the_path() -> None:
    mux, peer, agent = opened()
    mux.receive(check(agent), ANNA, 1.0)
    for port in range(50):
        mux.receive(check(agent, use=False), ("192.0.2.9", port), 1.0)
    assert len(agent.addresses) == MAX_ADDRESSES
    mux.receive(DTLS, ANNA, 1.0)
    mux.receive(DTLS, ("192.0.2.9", 49), 1.0)
    mux.receive(DTLS, ("192.0.2.9", 0), 1.0)
    assert peer.data == [DTLS, DTLS]


def test_a_closed_agent_leaves_an_address_that_was_taken_over() -> None:
    mux, _, one = opened()
    mux.receive(check(one), ANNA, 1.0)
    two = mux.open(Peer(), 0.0)
    mux.receive(check(two), ANNA, 1.0)
    one.addresses[ANNA] = None
    mux.close(one)
    assert mux.receive(DTLS, ANNA, 1.0) is None
    assert mux.counters.refused == {}
