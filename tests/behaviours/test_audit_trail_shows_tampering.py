"""Nothing can be taken out of the audit trail, or changed in it, without being seen; nothing acknowledged is lost.

A process is killed with SIGKILL in the middle of writing: every entry it was told is written is there afterwards, a
half-written line is set aside, and the chain goes on. Then one byte is changed, one line is deleted, and the whole
journal is rewritten: each is found, the last through the other writer's anchors. The database that followed the
journals refuses the forgery too.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from livemon.audit.entry import GENESIS, Entry, Head, compose, parse
from livemon.audit.journal import Journal
from livemon.audit.verify import verify
from tests.web_site import Site, site

WRITER = """
import sys
from pathlib import Path
from livemon.audit.journal import Journal
journal = Journal(Path(sys.argv[1]), "node-0")
while True:
    entry = journal.append("listen.start", {"call": "c1", "user": "u1"})
    sys.stdout.write(f"{entry.seq} {entry.hash}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_a_killed_writer_has_written_all_it_said(tmp_path: Path) -> None:
    path = tmp_path / "node-0.journal"
    said: dict[int, str] = {}
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        ) as process:
            assert process.stdout is not None
            for _ in range(40):
                seq, digest = process.stdout.readline().split()
                said[int(seq)] = digest
            process.kill()
    with path.open("ab") as file:
        file.write(b'{"v":1,"writer":"node-0","seq":')
    Journal(path, "node-0").close()
    found = {e.seq: e.hash for line in path.read_bytes().splitlines() if isinstance(e := parse(line), Entry)}
    assert said.items() <= found.items() and len(said) == 120
    report = verify([path])
    assert report.ok and report.journals[0].recovered >= 1


async def test_every_way_of_tampering_is_found(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        for number in range(5):
            made.node.journal.append("listen.start", {"call": "c1", "user": "user-sue", "n": number})
        made.web.importer.behind("node-0")
        await _imported(made, 5)
        await made.web.importer.anchor()
        admin = await made.signed_in("admin")
        assert (await admin.get("/api/audit/verify")).json()["ok"]

        path, whole = made.node.journal.path, made.node.journal.path.read_bytes()
        lines = whole.splitlines(keepends=True)
        head, forged = Head(0, GENESIS), b""
        for number in range(5):
            entry = compose("node-0", head, 0, "listen.start", {"call": "c1", "user": "user-ruth", "n": number})
            head, forged = entry.head, forged + entry.line + b"\n"
        tampered = {
            "one byte": whole.replace(b'"n":3', b'"n":4'),
            "one line": b"".join(lines[:2] + lines[3:]),
            "last line": b"".join(lines[:4]),
            "two lines exchanged": b"".join([lines[1], lines[0], *lines[2:]]),
            "the whole journal": forged,
        }
        Path(f"{path}.head").unlink()
        for what, data in tampered.items():
            path.write_bytes(data)
            answer = (await admin.get("/api/audit/verify")).json()
            assert not answer["ok"], what
            assert {problem["journal"] for problem in answer["problems"]} == {f"journal:{path.name}"}, what
        path.write_bytes(whole)
        assert (await admin.get("/api/audit/verify")).json()["ok"]

        added = await made.web.trail.add("node-0", forged.splitlines())
        assert added.added == 0 and "not the one" in added.problem
        assert not (await admin.get("/api/audit/verify")).json()["ok"]


async def test_the_database_has_every_entry_once_whatever_restarts(tmp_path: Path) -> None:
    for round_ in range(3):
        async with site(tmp_path) as made:
            for _ in range(7):
                made.node.journal.append("listen.start", {"call": "c1"})
            made.node.alive()
            await _imported(made, 7 * (round_ + 1))
            await made.signed_in("sue")
            await _imported(made, made.web.journal.head.seq, "web")
            assert made.web.importer.refused == 0


async def _imported(made: Site, count: int, writer: str = "node-0") -> None:
    async with asyncio.timeout(5):
        while (await made.web.trail.head(writer)).seq != count:
            await asyncio.sleep(0.01)
    assert len([1 async for _ in made.web.trail.lines(writer)]) == count
