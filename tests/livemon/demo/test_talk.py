import asyncio

import numpy as np
import pytest

from livemon.demo.cast import AGENTS
from livemon.demo.schedule import NextCall
from livemon.demo.script import Script, Silence
from livemon.demo.talk import LiveCall
from livemon.demo.track import Conversation, Cue
from livemon.demo.useragent import UaCall, UaState
from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop

PLAN = NextCall(AGENTS[0], "s", "+12025550100", 0.0, 0.0, 0.0, 5)
FRAMES = 10


def live() -> LiveCall:
    rng = np.random.default_rng(1)
    tracks = [rng.integers(-9000, 9000, 160 * FRAMES).astype(np.int16) for _ in range(2)]
    script = Script("s", "s", "inbound", "", 1, (Silence(1.0),))
    return LiveCall(
        PLAN, Conversation(script, tracks[0], tracks[1], [Cue(320, "hold"), Cue(640, "resume")]), "127.0.0.1"
    )


def phone_call(rtp: tuple[str, int]) -> UaCall:
    dialog = Dialog.as_client("1", "<sip:a@b>", "1", "<sip:c@d>", "sip:c@d", Hop("udp", "127.0.0.1", 9))
    return UaCall("201", dialog, False, 0, UaState.UP, remote_rtp=rtp)


async def heard_all(call: LiveCall, agent: int, customer: int) -> None:
    async with asyncio.timeout(5):
        while (call.agent.ear.packets, call.customer.ear.packets) != (agent, customer):
            await asyncio.sleep(0)


async def test_both_phones_hear_each_other_and_nobody_else() -> None:
    call = live()
    assert call.inbound
    assert not call.up
    call.agent.call = phone_call(("127.0.0.1", call.customer.rtp.port))
    call.customer.call = phone_call(("127.0.0.1", call.agent.rtp.port))
    assert call.up
    cues = [cue.kind for _ in range(FRAMES) for cue in call.speak()]
    assert cues == ["hold", "resume"]
    await heard_all(call, FRAMES, FRAMES)
    assert call.finished
    heard = call.heard()
    assert heard["customer_foreign_packets"] == 0
    assert heard["whisper_found"] is False
    assert heard["agent_hears_dbfs"] == pytest.approx(-16, abs=2)
    call.close()


async def test_nobody_speaks_to_a_phone_that_does_not_listen() -> None:
    call = live()
    call.agent.call = phone_call(("127.0.0.1", call.customer.rtp.port))
    call.customer.call = phone_call(("127.0.0.1", call.agent.rtp.port))
    call.customer.call.remote_listens = False
    for _ in range(FRAMES):
        call.speak()
    await heard_all(call, 0, FRAMES)
    call.close()
