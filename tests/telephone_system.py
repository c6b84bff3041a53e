"""Real peers for interop tests: a Kamailio where phones register, and a baresip phone that does so."""

from __future__ import annotations

import asyncio
import subprocess
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

TONE_HZ = 440
"""What the baresip phone says, all the time."""

_KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:%(pbx)d
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
request_route {
  if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("481", "Call/Transaction Does Not Exist"); exit;
  }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("livemon.test", "secret", "0")) { www_challenge("livemon.test", "0"); exit; }
    save("location");
    exit;
  }
  record_route();
  if ($rU == "900") { $du = "sip:127.0.0.1:%(customer)d"; t_relay(); exit; }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """The ports of a Kamailio, of the bridge before it, of a baresip phone (201) and of a customer (900).

    The phone takes ten from `phone` on: SIP, SIP over TLS, RTP, and the last one for commands.
    """

    folder: Path
    pbx: int
    bridge: int
    phone: int
    customer: int

    @contextmanager
    def kamailio(self) -> Iterator[None]:
        """Run the telephone system."""
        config = self.folder / "kamailio.cfg"
        config.write_text(_KAMAILIO % {"pbx": self.pbx, "customer": self.customer})
        command = ["kamailio", "-DD", "-E", "-f", str(config), "-Y", str(self.folder), "-w", str(self.folder)]
        with _running(command, self.folder / "kamailio.log"):
            yield

    @asynccontextmanager
    async def baresip(self) -> AsyncIterator[None]:
        """Run the phone; it is registered."""
        self._configure(self.folder / "phone")
        log = self.folder / "baresip.log"
        with _running(["baresip", "-f", str(self.folder / "phone")], log):
            for _ in range(100):
                if "200 OK" in log.read_text("utf-8", "replace"):
                    break
                await asyncio.sleep(0.1)
            else:
                raise AssertionError(log.read_text("utf-8", "replace"))
            yield

    async def command(self, name: str, params: str = "") -> None:
        """Give baresip a command over its control port."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.phone + 9)
        text = f'{{"command":"{name}","params":"{params}","token":"t"}}'
        writer.write(f"{len(text)}:{text},".encode())
        await writer.drain()
        writer.close()

    def recorded(self) -> npt.NDArray[np.int16]:
        """Return what the phone recorded of its newest call that is over, behind its decoder; int16 at 8000 Hz."""
        newest = max((self.folder / "phone").glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime_ns)
        with wave.open(str(newest), "rb") as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)

    def _configure(self, folder: Path) -> None:
        folder.mkdir()
        _tone(folder / "tone.wav")
        (folder / "config").write_text(
            f"sip_listen 127.0.0.1:{self.phone}\nnet_interface 127.0.0.1\n"
            f"rtp_ports {self.phone + 2}-{self.phone + 7}\naudio_source aufile,{folder}/tone.wav\n"
            f"snd_path {folder}\nmodule_path /usr/lib/baresip/modules\n"
            "module g711.so\nmodule aufile.so\nmodule sndfile.so\nmodule_app account.so\nmodule_app menu.so\n"
            f"module_app ctrl_tcp.so\nctrl_tcp_listen 127.0.0.1:{self.phone + 9}\n"
            "audio_srate 8000-8000\naudio_channels 1-1\n"
        )
        (folder / "accounts").write_text(
            f'<sip:201@127.0.0.1:{self.pbx}>;auth_user=201;auth_pass=secret;outbound="sip:127.0.0.1:{self.bridge}"'
            ";answermode=auto;regint=60;audio_codecs=pcmu/8000/1\n"
        )
        (folder / "contacts").write_text("")


def _tone(path: Path, seconds: float = 30.0) -> None:
    at = np.arange(int(8000 * seconds)) / 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(2 * np.pi * TONE_HZ * at)).astype("<i2").tobytes())


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
