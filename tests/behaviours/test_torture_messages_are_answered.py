"""Promise: the odd and the malformed get what RFC 4475 allows, and the next call works all the same.

Messages in the manner of RFC 4475, written here; `$LIVEMON_SHARED` adds the RFC's own. A message that cannot be
answered is dropped, none raises, and after each one a plain call still reaches the callee.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sip_bridge.hooks import Hop
from tests.sip_stage import Stage

SHARED = os.environ.get("LIVEMON_SHARED")
VIA = "Via: SIP/2.0/UDP 127.0.0.1:5061;rport;branch=z9hG4bKtorture"
REST = [
    "Max-Forwards: 70",
    "From: <sip:a@b>;tag=1",
    "To: <sip:c@d>",
    "Call-ID: torture",
    "Contact: <sip:a@127.0.0.1:5061>",
]


def message(start: str, *lines: str) -> bytes:
    return ("\r\n".join([start, *lines]) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def invite(*lines: str) -> bytes:
    return message("INVITE sip:c@d SIP/2.0", *lines, *REST, "CSeq: 1 INVITE")


CASES: dict[str, tuple[bytes, int | None]] = {
    # RFC 4475, 3.1.1.1: folds, odd spacing, compact and mixed-case names are all legal.
    "tortuous_but_legal": (
        message(
            "OPTIONS sip:c@d SIP/2.0", "v:  SIP / 2.0 / UDP\r\n  127.0.0.1:5061 ;rport;branch = z9hG4bKtorture",
            "MaX-fOrWaRdS: 0068", 'f : "A \\" quoted" <sip:a@b> ; tag = 1', "TO :\r\n <sip:c@d>", "I: torture",
            "cseq: 0009\r\n  OPTIONS", "l:0", "NewFangledHeader: newfangled",
        ),
        200,
    ),
    "unknown_method_with_strange_characters": (
        message("!interesting-Method0123456789_*+`.%indeed'~ sip:c@d SIP/2.0", VIA, *REST,
                "CSeq: 1 !interesting-Method0123456789_*+`.%indeed'~"),
        405,
    ),
    "semicolons_in_the_user_part": (
        message("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", VIA, *REST, "CSeq: 1 OPTIONS"), 200,
    ),
    "empty_via_parameters": (invite(VIA + ";;,;,,"), 400),
    "content_length_too_large": (invite(VIA, "Content-Length: 9999"), 400),
    "negative_content_length": (invite(VIA, "Content-Length: -999"), 400),
    "sequence_number_out_of_range": (
        message("OPTIONS sip:c@d SIP/2.0", VIA, *REST, "CSeq: 36893488147419103232 OPTIONS"), 400,
    ),
    "unterminated_quote": (
        message("OPTIONS sip:c@d SIP/2.0", VIA, *REST[:2], 'To: "Mr. <sip:c@d>', *REST[3:], "CSeq: 1 OPTIONS"), 400,
    ),
    "request_uri_in_angle_brackets": (message("INVITE <sip:c@d> SIP/2.0", VIA, *REST, "CSeq: 1 INVITE"), 400),
    "spaces_in_the_request_line": (message("INVITE  sip:c@d  SIP/2.0", VIA, *REST, "CSeq: 1 INVITE"), 400),
    "another_version": (message("OPTIONS sip:c@d SIP/7.0", VIA, *REST, "CSeq: 1 OPTIONS"), 505),
    "mismatched_methods": (message("OPTIONS sip:c@d SIP/2.0", VIA, *REST, "CSeq: 1 INVITE"), 400),
    "unknown_scheme": (message("OPTIONS nobodyKnows:text SIP/2.0", VIA, *REST, "CSeq: 1 OPTIONS"), 416),
    "unknown_extension_required": (
        message("OPTIONS sip:c@d SIP/2.0", VIA, *REST, "CSeq: 1 OPTIONS", "Require: nothingSupportsThis"), 420,
    ),
    "missing_headers": (message("INVITE sip:c@d SIP/2.0", VIA, "CSeq: 1 INVITE"), 400),
    "two_of_what_may_stand_once": (
        message("OPTIONS sip:c@d SIP/2.0", VIA, *REST, "CSeq: 1 OPTIONS", "CSeq: 2 OPTIONS"), 400,
    ),
    "no_hops_left": (
        message("INVITE sip:c@d SIP/2.0", VIA, "Max-Forwards: 0", *REST[1:], "CSeq: 1 INVITE"), 483,
    ),
    "status_out_of_range": (message("SIP/2.0 4294967301 better not", VIA, *REST, "CSeq: 1 INVITE"), None),
    "response_to_nothing": (message("SIP/2.0 200 OK", VIA, *REST, "CSeq: 1 INVITE"), None),
    "smuggled_header": (invite(VIA, "X-Bypass : 1"), 100),
    "nul": (invite(VIA, "X: a\0b"), 400),
}  # fmt: skip


def plain_call_works(stage: Stage, number: int) -> bool:
    before = len(stage.callee.requests("INVITE"))
    stage.invite(call_id=f"plain{number}")
    return len(stage.callee.requests("INVITE")) == before + 1


@pytest.mark.parametrize("name", CASES)
def test_messages_of_our_own(name: str) -> None:
    data, want = CASES[name]
    stage = Stage()
    stage.caller.send(data)
    statuses = [int(data[8:11]) for data in stage.caller.raw]
    assert statuses == ([want] if want else [])
    assert plain_call_works(stage, 0)


def test_a_smuggled_header_is_seen_by_its_name() -> None:
    stage = Stage()
    stage.caller.send(CASES["smuggled_header"][0])
    assert b"X-Bypass: 1\r\n" in stage.callee.request("INVITE").encode()


@pytest.mark.skipif(not SHARED, reason="LIVEMON_SHARED is not set: the RFC's own messages are not here")
def test_messages_of_rfc_4475() -> None:
    paths = sorted(Path(str(SHARED)).glob("protocol/sip_torture/*/*.dat"))
    assert paths
    stage = Stage()
    for number, path in enumerate(paths):
        stage.layer.receive(path.read_bytes(), Hop("udp", "127.0.0.1", 5061), stage.now)
        stage.deliver()
        assert plain_call_works(stage, number), path.name
