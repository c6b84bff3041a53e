from sip_bridge.control.figures import Picture, figures, states
from sip_bridge.metrics import exposition


def test_the_state_of_the_bridge_as_text() -> None:
    picture = Picture(
        calls=2, segments=states([{"state": "talking"}, {"state": "talking"}, {"state": "hold"}]), ports_free=90,
        ports=100, grants=1, link_up=True, link_attempts=3, tap_dropped=4, replay_bytes=5, draining=False,
        media_silent_s=0.5, media={"packets_in": 7, "text": "x"}, counters={"proof_mismatches": 6}, anchor={}, sip={},
    )  # fmt: skip
    text = exposition(figures(picture))
    for line in (
        "livemon_bridge_calls_active 2",
        'livemon_bridge_segments{state="talking"} 2',
        "livemon_bridge_link_up 1",
        "livemon_bridge_draining 0",
        "livemon_bridge_proof_mismatches_total 6",
        'livemon_bridge_media_total{kind="packets_in"} 7',
        "livemon_bridge_media_silent_seconds 0.5",
    ):
        assert line in text.splitlines()
    assert "not_anchored" not in text
    assert 'kind="text"' not in text
