from sip_bridge.control.outlets import Surroundings


def test_without_a_registrar_nobody_is_registered() -> None:
    given = Surroundings(lambda: 1.0, lambda: 2, lambda: "id")
    assert given.aor("sip:201@192.0.2.1") == ""
    assert (given.now(), given.utc_ms(), given.mint()) == (1.0, 2, "id")
