import pytest

from sip_bridge.headers import CSeq, canonical, display, parse_cseq, parse_via, split_list


def test_names_are_lower_case_and_long() -> None:
    assert canonical(" V ") == "via"
    assert canonical("X-Ref ") == "x-ref"
    assert canonical("bad name") == ""
    assert canonical("") == ""
    assert display("call-id") == "Call-ID"
    # A name no other test writes: names are remembered for the life of the process.
    assert display("x-seen-here-alone") == "X-Seen-Here-Alone"
    assert canonical(" X-Seen-Here-Alone ") == "x-seen-here-alone"


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("a", ["a"]),
        ("a, b,,", ["a", "b"]),
        ('"x, \\"y" <sip:a,b@c>, <sip:d>', ['"x, \\"y" <sip:a,b@c>', "<sip:d>"]),
        ('"open, never closed', ['"open, never closed']),
    ],
)
def test_lists(value: str, want: list[str]) -> None:
    assert split_list(value) == want


def test_a_via() -> None:
    via = parse_via("SIP / 2.0 / udp [::1]:5070 ;rport; Branch=z9hG4bKx;branch=second")
    assert via is not None
    assert (via.transport, via.host, via.port, via.branch, via.rport, via.sound) == (
        "UDP", "[::1]", 5070, "z9hG4bKx", True, True,
    )  # fmt: skip


def test_a_via_with_empty_parameters_can_only_be_answered() -> None:
    via = parse_via("SIP/2.0/UDP 192.0.2.15;;")
    assert via is not None
    assert not via.sound


@pytest.mark.parametrize("text", ["", "SIP/3.0/UDP h", "SIP/2.0/UDP h:65536", "SIP/2.0/UDP h:1x", "SIP/2.0/UDP"])
def test_vias_that_cannot_be_read(text: str) -> None:
    assert parse_via(text) is None


def test_cseq_numbers_are_ranged() -> None:
    assert parse_cseq("0009  INVITE") == CSeq(9, "INVITE")
    assert parse_cseq("2147483648 INVITE") is None
    assert parse_cseq("36893488147419103232 REGISTER") is None
    assert parse_cseq("-1 INVITE") is None
    assert parse_cseq("1") is None
