import pytest

from sip_bridge.message import MAX_MESSAGE
from sip_bridge.transport_framing import MAX_HEAD, Framer

ONE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"SIP/2.0 200 OK\r\nl : 0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_are_cut_however_the_bytes_arrive(size: int) -> None:
    framer = Framer()
    stream = b"\r\n" + ONE + TWO + ONE
    got: list[bytes] = []
    for at in range(0, len(stream), size):
        messages, pongs = framer.feed(stream[at : at + size])
        got += messages
        assert pongs == 0
    assert got == [ONE, TWO, ONE]
    assert not framer.pending
    assert not framer.broken


def test_a_ping_wants_a_pong() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n") == ([], 0)
    assert framer.feed(b"\r\n\r\n\r\n" + TWO) == ([TWO], 2)


def test_an_odd_empty_line_before_a_message_is_skipped() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n\rOPT") == ([], 0)
    assert framer.pending


def test_a_message_without_length_is_handed_over_and_ends_the_stream() -> None:
    framer = Framer()
    assert framer.feed(b"OPTIONS sip:a SIP/2.0\r\n\r\nrest") == ([b"OPTIONS sip:a SIP/2.0\r\n\r\n"], 0)
    assert framer.broken == "no length"
    assert framer.feed(ONE) == ([], 0)


def test_too_long_a_body_ends_the_stream() -> None:
    framer = Framer()
    framer.feed(f"OPTIONS sip:a SIP/2.0\r\nContent-Length: {MAX_MESSAGE}\r\n\r\n".encode())
    assert framer.broken == "message too long"


def test_endless_headers_end_the_stream() -> None:
    framer = Framer()
    for _ in range(MAX_HEAD // 1000 + 1):
        framer.feed(b"x" * 1000)
    assert framer.broken == "headers too long"
