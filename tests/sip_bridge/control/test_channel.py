import asyncio
import json
import socket
from collections.abc import Iterator

import pytest

from sip_bridge.control.channel import COMMANDS, MediaChannel
from sip_bridge.descriptors import channel_pair
from sip_bridge.media.host import LARGEST_MESSAGE

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = channel_pair()
    with ours, theirs:
        yield ours, theirs


async def test_messages_go_both_ways_in_order(pair: Pair) -> None:
    ours, theirs = pair
    got: list[bytes] = []
    channel = MediaChannel(ours, got.append)
    channel.command({"cmd": "hello"})
    channel.frame(b"\x03frame")
    assert json.loads(theirs.recv(1000)) == {"cmd": "hello"}
    assert theirs.recv(1000) == b"\x03frame"
    for at in range(100):
        theirs.send(b"%d" % at)
    while len(got) < 100:
        await asyncio.sleep(0)
    assert got == [b"%d" % at for at in range(100)]
    channel.close()


async def test_commands_wait_for_a_slow_media_process_and_frames_do_not(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    channel = MediaChannel(ours, lambda _: None)
    big = "x" * 100_000
    for at in range(100):
        channel.command({"n": at, "big": big})
    channel.frame(b"late")
    assert channel.counters["whisper_frames_dropped"] == 1
    seen: list[int] = []
    while len(seen) < 100:
        try:
            seen.append(json.loads(theirs.recv(200_000))["n"])
        except BlockingIOError:
            await asyncio.sleep(0)
    assert seen == list(range(100))
    channel.frame(b"now")
    assert theirs.recv(100) == b"now"
    channel.close()


async def test_the_other_end_gone_is_survived() -> None:
    ours, theirs = channel_pair()
    got: list[bytes] = []
    channel = MediaChannel(ours, got.append)
    theirs.close()
    channel.frame(b"nobody")
    for _ in range(3):
        await asyncio.sleep(0)
    assert got == []
    assert channel.counters["whisper_frames_dropped"] == 1
    channel.close()
    ours.close()


async def test_the_end_of_keeper_and_media_is_told_once_and_costs_no_cpu(pair: Pair) -> None:
    ours, theirs = pair
    lost: list[int] = []
    channel = MediaChannel(ours, lambda _: None, lambda: lost.append(1))
    theirs.close()
    for _ in range(20):
        await asyncio.sleep(0)
        channel.command({"cmd": "stats"})
    assert lost == [1]
    loop = asyncio.get_running_loop()
    # A descriptor that is ready for ever would wake the loop at once each time.
    assert not loop.remove_reader(ours)
    assert not loop.remove_writer(ours)


async def test_several_commands_go_in_one_message_that_the_other_end_can_read(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setblocking(False)
    channel = MediaChannel(ours, lambda _: None)
    channel.command(*({"n": at} for at in range(COMMANDS + 2)))
    messages = [theirs.recv(65536), theirs.recv(65536)]
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    assert [len(message.split(b"\n")) for message in messages] == [COMMANDS, 2]
    said = [json.loads(line)["n"] for message in messages for line in message.split(b"\n")]
    assert said == list(range(COMMANDS + 2))
    codecs = {str(number): "telephone-event" for number in range(128)}
    channel.command(*({"cmd": "set", "leg": 1 << 31, "codecs": codecs} for _ in range(COMMANDS)))
    assert len(theirs.recv(1 << 20)) < LARGEST_MESSAGE
    channel.close()
