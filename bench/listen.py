"""Figures of the listening service, one JSON line each: `python -m bench.listen [cpu|latency|browser]...`.

cpu: many listeners made of a minimal DTLS client in another process, CPU of the service per listener-second.
latency: packet in at `on_packet` -> SRTP datagram received on a socket of the same host.
browser: Chromium (default autoplay policy): click to sound, hop, mode switch, server to ear by worklet timestamps.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from livemon.bus.messages import ListenOpen
from livemon.listen.service import ListenService
from livemon.listen.udp import UdpPort
from tests.listen_page import Site, chromium, page_of, site
from tests.listening import Calls, FakeCall, MemoryAudit, States, Wire, principal


def line(name: str, value: float, unit: str, goal: str, peer: str = "", peer_value: float | None = None) -> None:
    conditions = f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, SCHED_OTHER"
    print(
        json.dumps(
            {
                "name": name,
                "value": round(value, 3),
                "unit": unit,
                "goal": goal,
                "peer": peer,
                "peer_value": peer_value,
                "conditions": conditions,
            }
        ),
        flush=True,
    )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Listener:
    """The least that is a browser to us: STUN checks, a DTLS server, a datagram counter."""

    def __init__(self, certificate: RTCCertificate) -> None:
        self.certificate = certificate
        self.arrivals: list[tuple[int, float]] = []
        self.count = 0

    def offer(self) -> str:
        print_ = self.certificate.getFingerprints()[0].value
        head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
        part = (
            "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\na=recvonly\r\na=ice-ufrag:benc\r\n"
            f"a=ice-pwd:{'x' * 24}\r\na=fingerprint:sha-256 {print_}\r\na=setup:actpass\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        return head + part.format(0) + part.format(1)

    async def join(self, answer: str, keep: bool) -> None:
        from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

        from livemon.listen import stun

        fields = dict(
            entry[2:].split(":", 1) for entry in answer.splitlines() if entry.startswith("a=") and ":" in entry
        )
        port = int(fields["candidate"].split()[5])
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[bytes] = asyncio.Queue(64)  # noqa: TID251 - the handshake has 8 datagrams
        listener = self

        class Path(asyncio.DatagramProtocol):
            role = "controlling"

            def connection_made(self, transport: Any) -> None:
                self.transport = transport
                self.check()

            def check(self) -> None:
                data = stun.request(bytes(12), fields["ice-ufrag"] + ":benc", fields["ice-pwd"], True)
                self.transport.sendto(data)
                loop.call_later(2.5, self.check)

            def datagram_received(self, data: bytes, addr: Any) -> None:
                if data[0] >= 128:
                    listener.count += 1
                    if keep and not 192 <= data[1] <= 223:
                        listener.arrivals.append((int.from_bytes(data[2:4]), time.monotonic()))
                elif data[0] >= 20:
                    inbox.put_nowait(data)

            async def _recv(self) -> bytes:
                return await inbox.get()

            async def _send(self, data: bytes) -> None:
                self.transport.sendto(data)

        _, path = await loop.create_datagram_endpoint(Path, remote_addr=("127.0.0.1", port))
        dtls = RTCDtlsTransport(path, [self.certificate])  # type: ignore[arg-type]
        dtls._set_role("server")
        algorithm, value = fields["fingerprint"].split(" ")
        await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(algorithm, value)]))
        assert dtls.state == "connected", dtls.state


async def serve(pipe: Any, count: int, seconds: float) -> None:
    calls = Calls()
    calls.add(FakeCall())
    udp = UdpPort.bind("127.0.0.1", 0)
    states = States()
    service = ListenService(calls, MemoryAudit(), states, udp)
    loop = asyncio.get_running_loop()
    while True:
        while not pipe.poll():
            await asyncio.sleep(0.002)
        offer = pipe.recv()
        if offer is None:
            break
        opened = await service.open(ListenOpen(principal(), "call-1", offer, ""))
        pipe.send(opened.sdp)
    wires = [Wire(1, 440), Wire(2, 880)]
    made = [[wire.packet(0) for wire in wires] for _ in range(50)]
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = loop.time()
    sent: list[float] = []
    late: list[float] = []
    for n in range(int(seconds * 50)):
        for packet in made[n % 50]:
            at = time.monotonic()
            seq, rtp_ts = (packet.seq + n) & 0xFFFF, packet.rtp_ts + 160 * n
            service.on_packet(packet._replace(seq=seq, rtp_ts=rtp_ts, arrival_us=n * 20_000), "b1")
            sent.append(at)
        due = start + (n + 1) * 0.02
        await asyncio.sleep(max(0.0, due - loop.time()))
        late.append(loop.time() - due)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pipe.send((cpu, sent, percentile(late, 0.99), service.counters()["listen_sent"]))
    await service.aclose()
    udp.close()


def server(pipe: Any, count: int, seconds: float) -> None:
    asyncio.run(serve(pipe, count, seconds))


async def crowd(count: int, seconds: float, keep: bool) -> tuple[Any, list[Listener]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=server, args=(theirs, count, seconds))
    process.start()
    certificate = RTCCertificate.generateCertificate()
    listeners = [Listener(certificate) for _ in range(count)]
    for listener in listeners:
        ours.send(listener.offer())
        answer = await asyncio.to_thread(ours.recv)
        await listener.join(answer, keep)
    await asyncio.sleep(0.3)
    ours.send(None)
    result = await asyncio.to_thread(ours.recv)
    process.join(5)
    return result, listeners


async def cpu() -> None:
    best = (1e9, 1e9)
    for _ in range(3):
        (used, _, late, _), listeners = await crowd(60, 4.0, keep=False)
        assert sum(listener.count for listener in listeners) > 60 * 2 * 195
        best = (min(best[0], used / 4.0 / 60 * 1000), min(best[1], late * 1000))
    line("listen.cpu_per_listener_second", best[0], "ms", "<= 3.0", "aiortc stock Opus, one track", 45.9)
    line(
        "listen.listeners_per_core_two_tracks",
        1000 / best[0],
        "listeners",
        ">= 330",
        "aiortc stock Opus, one track",
        21,
    )
    line("listen.tick_late_p99_60_listeners", best[1], "ms", "<= 20")


async def latency() -> None:
    (_, sent, _, _), (listener,) = await crowd(1, 6.0, keep=True)
    # The two slots alternate in the order they were sent, so the n-th datagram is the n-th packet.
    took = [(at - begun) * 1000 for begun, (_, at) in zip(sent, listener.arrivals, strict=False)]
    assert len(listener.arrivals) == len(sent), (len(listener.arrivals), len(sent))
    line("listen.rtp_in_srtp_out_p50", statistics.median(took), "ms", "<= 3", "Asterisk", 20)
    line("listen.rtp_in_srtp_out_p95", percentile(took, 0.95), "ms", "<= 21", "Asterisk", 36)


async def browser() -> None:
    async with site() as made, chromium() as chrome:
        clicks, hops, modes = [], [], []
        for _ in range(3):
            page = await page_of(chrome, made.origin)
            await page.click("#listen")
            await page.wait_for_function("heard.length > 0", polling=5, timeout=10_000)
            clicks.append(await page.evaluate("heard[0].at - performance.timeOrigin - stages.click"))
            await asyncio.sleep(1)
            for call, hz in (("call-2", 1200), ("call-1", 440)):
                script = """async ([call, hz]) => { const t = performance.now();
                    await post('/hop', { session, call }); const answered = performance.now() - t;
                    await until(0, hz, 3000); return [answered, performance.now() - t]; }"""
                hops.append(await page.evaluate(script, [call, hz]))
                await asyncio.sleep(0.5)
            script = """async () => { const t = performance.now();
                await post('/mode', { session, mode: 'whisper' }); return performance.now() - t; }"""
            modes.append(await page.evaluate(script))
            await page.evaluate("post('/mode', { session, mode: 'listen' })")
            await page.close()
        line("listen.click_to_sound", min(clicks), "ms", "<= 300")
        line("listen.hop_request", min(h[0] for h in hops), "ms", "<= 50")
        line("listen.hop_new_tone_in_fft", min(h[1] for h in hops), "ms", "<= 50 + 21 of the FFT window")
        line("listen.mode_switch", min(modes), "ms", "<= 50")
        for button, name in (("#listen", "webrtc"), ("#fallback", "fallback")):
            line(f"listen.server_to_ear_{name}", await server_to_ear(made, chrome, button), "ms", "<= 50")


async def server_to_ear(made: Site, chrome: Any, button: str) -> float:
    page = await page_of(chrome, made.origin)
    made.burst_every = 50
    made.bursts.clear()
    await page.click(button)
    await asyncio.sleep(12)
    onsets = [entry["at"] / 1000 for entry in await page.evaluate("heard") if entry["slot"] == 0]
    made.burst_every = 0
    await page.close()
    shift = time.time_ns() / 1e9 - time.monotonic()
    took = []
    for burst in made.bursts:
        after = [onset - shift - burst for onset in onsets if 0 <= onset - shift - burst < 0.6]
        took += after[:1]
    # The first seconds fill and drain the browser's buffer.
    return statistics.median(took[4:]) * 1000


async def main() -> None:
    wanted = sys.argv[1:] or ["cpu", "latency", "browser"]
    for name in wanted:
        await {"cpu": cpu, "latency": latency, "browser": browser}[name]()


if __name__ == "__main__":
    asyncio.run(main())
