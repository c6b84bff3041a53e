import pytest

from sip_bridge.metrics import Figure, answer, counted, exposition, single


def test_the_text_format() -> None:
    text = exposition(
        [
            single("calls", "gauge", "Calls.", 3),
            counted("events_total", "Events.", {'a"b\\c\n': 1, "a": 2.5}),
            Figure("empty", "gauge", "None."),
        ]
    )
    assert text == (
        "# HELP calls Calls.\n# TYPE calls gauge\ncalls 3\n"
        "# HELP events_total Events.\n# TYPE events_total counter\n"
        'events_total{kind="a"} 2.5\nevents_total{kind="a\\"b\\\\c\\n"} 1\n'
        "# HELP empty None.\n# TYPE empty gauge\n"
    )


@pytest.mark.parametrize(
    ("line", "status", "body"),
    [
        (b"GET /metrics HTTP/1.1", b"200 OK", b"text"),
        (b"HEAD /metrics?x=1 HTTP/1.0", b"200 OK", b"text"),
        (b"GET /healthz HTTP/1.1", b"200 OK", b"ok\n"),
        (b"GET /readyz HTTP/1.1", b"200 OK", b"ready\n"),
        (b"GET /other HTTP/1.1", b"404 Not Found", b"try /metrics\n"),
        (b"POST /metrics HTTP/1.1", b"400 Bad Request", b"only GET of HTTP/1.1\n"),
        (b"\xff\x00", b"400 Bad Request", b"only GET of HTTP/1.1\n"),
    ],
)
def test_answers(line: bytes, status: bytes, body: bytes) -> None:
    head, _, found = answer(line + b"\r\nHost: x\r\n\r\n", "text", ready=True).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert found == body
    assert b"Content-Length: %d" % len(body) in head


def test_a_draining_bridge_is_not_ready() -> None:
    assert answer(b"GET /readyz HTTP/1.1\r\n\r\n", "", ready=False).startswith(b"HTTP/1.1 503 ")
