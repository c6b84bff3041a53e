"""A baresip phone registers through the bridge to Kamailio, with a digest, and calls go both ways with sound."""

from __future__ import annotations

import asyncio
import subprocess
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.bridge_process import BridgeProcess
from tests.softphone import Softphone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.needs("kamailio", "baresip"),
]

PBX, BRIDGE, METRICS, PHONE, CUSTOMER = 23400, 23401, 23402, 23410, 23420
TONE_HZ = 440
"""What the baresip phone says, all the time."""

KAMAILIO = f"""#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{PBX}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
request_route {{
  if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("481", "Call/Transaction Does Not Exist"); exit;
  }}
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("livemon.test", "secret", "0")) {{ www_challenge("livemon.test", "0"); exit; }}
    save("location");
    exit;
  }}
  record_route();
  if ($rU == "900") {{ $du = "sip:127.0.0.1:{CUSTOMER}"; t_relay(); exit; }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}
"""


def tone(path: Path, seconds: float = 30.0) -> None:
    at = np.arange(int(8000 * seconds)) / 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(2 * np.pi * TONE_HZ * at)).astype("<i2").tobytes())


def baresip_config(folder: Path) -> None:
    folder.mkdir()
    tone(folder / "tone.wav")
    (folder / "config").write_text(
        f"sip_listen 127.0.0.1:{PHONE}\nnet_interface 127.0.0.1\nrtp_ports 23430-23449\n"
        f"audio_source aufile,{folder}/tone.wav\n"
        f"audio_player aufile,{folder}/heard.wav\nsnd_path {folder}\nmodule_path /usr/lib/baresip/modules\n"
        "module g711.so\nmodule aufile.so\nmodule sndfile.so\nmodule_app account.so\nmodule_app menu.so\n"
        "module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:23415\naudio_srate 8000-8000\naudio_channels 1-1\n"
    )
    (folder / "accounts").write_text(
        f'<sip:201@127.0.0.1:{PBX}>;auth_user=201;auth_pass=secret;outbound="sip:127.0.0.1:{BRIDGE}"'
        ";answermode=auto;regint=60;audio_codecs=pcmu/8000/1\n"
    )
    (folder / "contacts").write_text("")


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Scene:
    def __init__(self, bridge: BridgeProcess, customer: Softphone, folder: Path) -> None:
        self.bridge = bridge
        self.customer = customer
        self.folder = folder

    async def registered(self) -> None:
        for _ in range(100):
            if "200 OK" in (self.folder / "baresip.log").read_text("utf-8", "replace"):
                return
            await asyncio.sleep(0.1)
        raise AssertionError((self.folder / "baresip.log").read_text("utf-8", "replace"))

    async def command(self, name: str, params: str = "") -> None:
        """Give baresip a command over its control port."""
        _, writer = await asyncio.open_connection("127.0.0.1", 23415)
        text = f'{{"command":"{name}","params":"{params}","token":"t"}}'
        writer.write(f"{len(text)}:{text},".encode())
        await writer.drain()
        writer.close()

    def level(self, hertz: float) -> float:
        """Return the share of `hertz` in what the customer heard, 0 to 1."""
        laws = np.concatenate([np.frombuffer(one.payload, np.uint8) for one in self.customer.heard[-50:]])
        sound = mu_law(laws)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        at = round(hertz * len(sound) / 8000)
        return float(spectrum[at - 3 : at + 4].sum() / spectrum.sum())


def mu_law(codes: np.ndarray) -> np.ndarray:
    """Return samples of G.711 mu-law (ITU-T G.711), written apart from the code under test."""
    value = ~codes.astype(np.int32) & 0xFF
    magnitude = ((((value & 0x0F) << 3) + 0x84) << ((value >> 4) & 0x07)) - 0x84
    return np.where(value & 0x80, -magnitude, magnitude).astype(float)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    (tmp_path / "kamailio.cfg").write_text(KAMAILIO)
    baresip_config(tmp_path / "phone")
    arguments = [
        "--listen", f"udp:127.0.0.1:{BRIDGE}", "--route", f"127.0.0.1:{PBX}", "--phones-side", "listen", "--no-tap",
        "--rtp-ports", "23450-23489", "--rtp-host", "127.0.0.1",
    ]  # fmt: skip
    kamailio = ["kamailio", "-DD", "-E", "-f", str(tmp_path / "kamailio.cfg"), "-Y", str(tmp_path), "-w", str(tmp_path)]
    with running(kamailio, tmp_path / "kamailio.log"):
        async with (
            BridgeProcess(arguments, METRICS, tmp_path / "bridge.log") as bridge,
            Softphone("127.0.0.1", CUSTOMER, CUSTOMER + 2, ("127.0.0.1", PBX), "900") as customer,
        ):
            with running(["baresip", "-f", str(tmp_path / "phone")], tmp_path / "baresip.log"):
                yield Scene(bridge, customer, tmp_path)


async def test_calls_in_and_out_of_a_registered_phone(scene: Scene) -> None:
    await scene.registered()

    inbound = await scene.customer.call(f"sip:201@127.0.0.1:{PBX}")
    await scene.bridge.until('livemon_bridge_segments{state="talking"}', 1)
    assert inbound.media is not None
    assert 23450 <= inbound.media[1] < 23490
    await asyncio.sleep(2)
    assert scene.level(TONE_HZ) > 0.9
    assert await inbound.bye() == "SIP/2.0 200 OK"
    await scene.bridge.until("livemon_bridge_calls_active", 0)

    scene.customer.heard.clear()
    await scene.command("dial", f"sip:900@127.0.0.1:{PBX}")
    await asyncio.wait_for(scene.customer.rang.wait(), 5)
    await scene.bridge.until('livemon_bridge_segments{state="talking"}', 1)
    await asyncio.sleep(2)
    assert scene.level(TONE_HZ) > 0.9
    outbound = next(call for call in scene.customer.calls.values() if call is not inbound)
    assert await outbound.bye() == "SIP/2.0 200 OK"
    await scene.bridge.until("livemon_bridge_calls_active", 0)
