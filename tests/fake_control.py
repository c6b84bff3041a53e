"""A stand-in for the control process, for tests of the keeper and of the media process.

Sends the commands of `--script` (one JSON object a line) when it starts with an empty journal, writes what media says
to `--log`, and ends on SIGTERM with the exit code `--code`. A line `{"restarted": true}` is logged on a later start.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--sip-udp-fds", "--sip-tcp-fds", "--rtp-ports"):
        parser.add_argument(name)
    for name in ("--media-fd", "--journal-fd"):
        parser.add_argument(name, type=int)
    for name in ("--script", "--log"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--code", type=int, default=0)
    parser.add_argument("--pipe", type=Path, help="a Unix socket whose datagrams are handed on to media")
    options = parser.parse_args()
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    media = socket.socket(fileno=options.media_fd)
    media.settimeout(0.005)
    pipe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    pipe.setblocking(False)
    if options.pipe:
        pipe.bind(str(options.pipe))
    with options.log.open("a", buffering=1) as log:
        first = os.lseek(options.journal_fd, 0, os.SEEK_END) == 0
        os.write(options.journal_fd, b"started\n")
        udp = [socket.socket(fileno=int(number)).getsockname() for number in options.sip_udp_fds.split(",")]
        log.write(json.dumps({"pid": os.getpid(), "restarted": not first, "udp": udp, "rtp": options.rtp_ports}) + "\n")
        if first:
            for line in options.script.read_bytes().splitlines():
                media.send(line)
        while not ending:
            with contextlib.suppress(BlockingIOError):
                while options.pipe:
                    media.send(pipe.recv(65536))
            try:
                data = media.recv(65536)
            except TimeoutError:
                continue
            log.write(data.decode() + "\n" if data[:1] == b"{" else json.dumps({"frame": len(data)}) + "\n")
    return int(options.code)


if __name__ == "__main__":
    raise SystemExit(main())
