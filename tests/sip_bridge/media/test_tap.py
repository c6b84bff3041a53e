from sip_bridge.link import wire
from sip_bridge.media.commands import Open
from sip_bridge.media.leg import Current, Kind, Leg
from sip_bridge.media.tap import FAST_NS, FRAME_OCTETS, SLOW_NS, Tap

NOW = 5_000_000_000


class Play:
    def __init__(self) -> None:
        self.tap = Tap(77)
        self.current = Current()
        self.leg = Leg(Open(3, 22000, False, 4, "s"), self.current)

    def packet(self, kind: Kind = Kind.PCMU, payload: bytes = b"abc", now: int = NOW) -> None:
        current = self.current
        current.kind, current.seq, current.second, current.timestamp = kind, 9, 0x80, 160
        self.tap.packet(self.leg, current, payload, now)

    def frames(self, now: int) -> list[wire.TapFrame]:
        frames = [wire.decode(frame) for frame in self.tap.flush(now)]
        return [frame for frame in frames if isinstance(frame, wire.TapFrame)]


def test_a_packet_is_recorded_as_received_and_flushed_after_20_ms() -> None:
    play = Play()
    play.packet()
    assert play.frames(NOW + SLOW_NS - 1) == []
    [frame] = play.frames(NOW + SLOW_NS)
    assert (frame.epoch, frame.tick, frame.previous) == (77, 1, 0)
    assert frame.packets == (wire.TapPacket(3, 9, 0, True, 0, 160, NOW // 1000, b"abc"),)


def test_a_listened_leg_is_flushed_after_2_ms() -> None:
    play = Play()
    play.leg.listened = True
    play.packet()
    assert len(play.frames(NOW + FAST_NS)) == 1
    assert play.frames(NOW + SLOW_NS) == []


def test_a_leg_that_is_listened_to_from_now_on_does_not_overtake_itself() -> None:
    play = Play()
    play.packet(payload=b"first")
    play.tap.cut()
    play.leg.listened = True
    play.packet(payload=b"second", now=NOW + 1)
    play.tap.cut()
    play.tap.cut()
    assert [frame.packets[0].payload for frame in play.frames(NOW + 1)] == [b"first", b"second"]


def test_a_digit_is_zeroed_and_flagged() -> None:
    play = Play()
    play.packet(Kind.DTMF, b"\x05\x8a\x00\xa0")
    play.packet(Kind.DTMF, b"")
    play.packet(Kind.COMFORT_NOISE, b"\x40")
    play.packet(Kind.OTHER)
    [frame] = play.frames(NOW + SLOW_NS)
    assert [(packet.flags, packet.payload) for packet in frame.packets] == [
        (wire.FLAG_DTMF, b"\0\x8a\x00\xa0"),
        (wire.FLAG_DTMF, b""),
        (wire.FLAG_COMFORT_NOISE, b"\x40"),
        (0, b"abc"),
    ]


def test_frames_are_cut_at_48_kib_and_ticks_are_numbered_on() -> None:
    play = Play()
    for _ in range(500):
        play.packet(payload=bytes(160))
    frames = play.frames(NOW)
    assert sum(len(frame.packets) for frame in frames) > 250
    assert all(len(frame.packets) * 186 < FRAME_OCTETS + 1500 for frame in frames)
    frames += play.frames(NOW + SLOW_NS)
    assert [(frame.tick, frame.previous) for frame in frames] == [(n + 1, n) for n in range(len(frames))]
    assert sum(len(frame.packets) for frame in frames) == 500


def test_rows_go_out_only_while_the_tap_is_on() -> None:
    play = Play()
    row = wire.TapRow(3, 1, 0, 0, 0, -9600, 1)
    play.tap.rows([row])
    assert play.frames(NOW) == []
    play.tap.on = True
    play.tap.rows([])
    assert play.frames(NOW) == []
    play.tap.rows([row])
    assert play.frames(NOW)[0].rows == (row,)
