"""The simulated call centre: agents' phones registered through the bridge, customers behind a telephone system.

It runs as a process of its own: `python -m livemon.demo.centre --bridge HOST:PORT ...`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from livemon.bus.local import LocalBus
from livemon.demo.schedule import NextCall, Schedule
from livemon.demo.script import Script, parse
from livemon.demo.talk import LiveCall
from livemon.demo.track import Conversation, Samples, lay_out
from livemon.demo.useragent import UaCall, UserAgent
from livemon.demo.voice import Voices
from sip_bridge.endpoint import SipShell
from sip_bridge.hooks import Hop
from sip_bridge.tasks import Tasks
from sip_bridge.transaction_layer import Advertised, TransactionLayer

log = logging.getLogger(__name__)

FRAME_S = 0.02
DOMAIN = "demo.invalid"
HEARD_TOPIC = "demo.heard"
# The page polls twice a second.
HEARD_EVERY_S = 0.5
# A phone that is not registered after this long tries again.
REGISTER_AGAIN_S = 1.0


def scripts() -> dict[str, Script]:
    """Return the sample conversations that come with the demo."""
    folder = Path(__file__).parent / "scripts"
    return {path.stem: parse(path.stem, path.read_text()) for path in sorted(folder.glob("*.toml"))}


Prepare = Callable[[NextCall], Conversation]
"""Gives what is said in a planned call; runs in a thread."""


def spoken(voices: Voices) -> Prepare:
    """Return the `Prepare` that plays the sample scripts in these voices."""
    known = scripts()

    def prepare(plan: NextCall) -> Conversation:
        pitch = {"agent": plan.agent.semitones, "customer": plan.customer_semitones}

        def render(who: str, text: str) -> Samples:
            return voices.render(text, pitch[who])

        return lay_out(known[plan.script], render, plan.seed)

    return prepare


class Office:
    """One SIP user agent on a socket of its own."""

    def __init__(self, host: str, port: int, centre: Centre) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, port))
        layer = TransactionLayer(Advertised(((host, self._socket.getsockname()[1]),)))
        self.agent = UserAgent(layer, host, centre)
        self.shell = SipShell(layer, [self._socket])

    async def close(self) -> None:
        """End the stack and its socket."""
        await self.shell.close()
        self._socket.close()


class Centre:
    """Plays calls until it is closed; a `UaObserver` of both offices."""

    def __init__(self, host: str, bridge: Hop, pbx_port: int, schedule: Schedule, prepare: Prepare) -> None:
        self._host = host
        self._bridge = bridge
        self._schedule = schedule
        self._prepare = prepare
        self._tasks = Tasks("demo")
        self._live: dict[int, LiveCall] = {}
        self._ended: dict[int, asyncio.Event] = {}
        self._phones = Office(host, 0, self)
        self._world = Office(host, pbx_port, self)

    @property
    def live(self) -> list[LiveCall]:
        """The calls that are being set up or played."""
        return list(self._live.values())

    # -- what the phones tell (UaObserver)

    def on_incoming(self, call: UaCall, now: float) -> None:
        """Ring, then pick up after the time the schedule gives."""
        slot = self._slot_of(call)
        if slot is None:
            return
        live = self._live[slot]
        office = self._phones if live.inbound else self._world
        office.agent.ring(call, now)
        asyncio.get_running_loop().call_later(live.plan.ring, self._pick_up, slot, office, call)

    def on_up(self, call: UaCall, now: float) -> None:
        """Nothing more to do: both parties speak once both are up."""
        slot = self._slot_of(call)
        if slot is not None:
            live = self._live[slot]
            (live.agent if call.user == live.plan.agent.extension else live.customer).call = call

    def on_ended(self, call: UaCall, now: float) -> None:
        """Let the agent's next call begin."""
        slot = self._slot_of(call)
        if slot is not None:
            self._ended[slot].set()

    # -- life

    async def run(self, bus: LocalBus | None) -> None:
        """Register the phones, then play calls until cancelled."""
        await self._phones.shell.start()
        await self._world.shell.start()
        await self._register()
        self._tasks.start(self._speak(), "speak")
        for slot in range(len(self._schedule.agents)):
            self._tasks.start(self._agent_day(slot), f"agent {slot}")
        while True:
            await asyncio.sleep(HEARD_EVERY_S)
            if bus is not None:
                rows = [live.heard() for live in self._live.values() if live.up]
                bus.publish(HEARD_TOPIC, json.dumps({"phones": rows}).encode(), retain=True)

    async def close(self) -> None:
        """Hang up and give every port back."""
        now = asyncio.get_running_loop().time()
        for office in (self._phones, self._world):
            for call in office.agent.calls:
                office.agent.hang_up(call, now)
            office.shell.flush()
        await self._tasks.close()
        for live in self._live.values():
            live.close()
        await self._phones.close()
        await self._world.close()

    async def _register(self) -> None:
        loop = asyncio.get_running_loop()
        wanted = {agent.extension for agent in self._schedule.agents}
        again = 0.0
        while missing := wanted - self._phones.agent.registered:
            if loop.time() >= again:
                again = loop.time() + REGISTER_AGAIN_S
                for extension in missing:
                    self._phones.agent.register(extension, DOMAIN, self._bridge, loop.time())
                self._phones.shell.flush()
            await asyncio.sleep(FRAME_S)

    async def _agent_day(self, slot: int) -> None:
        while True:
            plan = self._schedule.next(slot)
            conversation = await asyncio.to_thread(self._prepare, plan)
            await asyncio.sleep(plan.pause)
            ended = self._ended[slot] = asyncio.Event()
            live = self._live[slot] = LiveCall(plan, conversation, self._host)
            self._dial(live)
            await ended.wait()
            del self._live[slot]
            live.close()

    def _dial(self, live: LiveCall) -> None:
        now = asyncio.get_running_loop().time()
        plan, extension = live.plan, live.plan.agent.extension
        if live.inbound:
            contact, hop = self._world.agent.bindings[extension]
            self._world.agent.call(
                plan.customer, "", contact, DOMAIN, hop, live.customer.rtp.port, now,
                (("x-queue", live.conversation.script.queue),),
            )  # fmt: skip
            self._world.shell.flush()
        else:
            target = f"sip:{plan.customer}@{DOMAIN}"
            self._phones.agent.call(
                extension, plan.agent.name, target, DOMAIN, self._bridge, live.agent.rtp.port, now,
                (("x-queue", live.conversation.script.queue),),
            )  # fmt: skip
            self._phones.shell.flush()

    def _pick_up(self, slot: int, office: Office, call: UaCall) -> None:
        live = self._live.get(slot)
        if live is None:
            return
        party = live.agent if live.inbound else live.customer
        office.agent.answer(call, party.rtp.port, asyncio.get_running_loop().time())
        office.shell.flush()

    async def _speak(self) -> None:
        """The clock of every phone: 20 ms, kept by schedule and not by sleeping 20 ms after the work."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + FRAME_S, loop.time() - 5 * FRAME_S)
            await asyncio.sleep(max(0.0, due - loop.time()))
            for live in self._live.values():
                if live.up:
                    self._step(live, loop.time())

    def _step(self, live: LiveCall, now: float) -> None:
        agent = self._phones.agent
        call = live.agent.call
        assert call is not None, "only calls that are up speak"
        for cue in live.speak():
            agent.hold(call, cue.kind == "hold", now)
            self._phones.shell.flush()
        if live.finished:
            agent.hang_up(call, now)
            self._phones.shell.flush()

    def _slot_of(self, call: UaCall) -> int | None:
        """Find the call: an agent is known by extension, a customer by number."""
        for slot, live in self._live.items():
            if call.user in (live.plan.agent.extension, live.plan.customer) and not self._ended[slot].is_set():
                return slot
        return None


def main(argv: list[str] | None = None) -> int:
    """Run the call centre until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="livemon.demo.centre")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--bridge", required=True, help="host:port of the bridge")
    parser.add_argument("--pbx-port", type=int, required=True)
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--bus", type=Path)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    return asyncio.run(_main(options))


async def _main(options: argparse.Namespace) -> int:
    host, _, port = options.bridge.rpartition(":")
    voices = Voices(options.cache)
    schedule = Schedule(options.calls, options.seed)
    centre = Centre(options.host, Hop("udp", host, int(port)), options.pbx_port, schedule, spoken(voices))
    bus = LocalBus(options.bus, "demo") if options.bus else None
    if bus is not None:
        await bus.start()
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(centre.run(bus))  # noqa: TID251 - held here, its end is awaited below
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, partial(running.cancel))
    try:
        await running
    except asyncio.CancelledError:
        log.info("the call centre closes")
    await centre.close()
    if bus is not None:
        await bus.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
