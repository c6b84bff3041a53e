from __future__ import annotations

import asyncio

import pytest

from livemon.api import importer as module
from livemon.audit.entry import Entry, parse
from tests.web_site import PlayedNode, Site


async def head(made: Site, writer: str, seq: int) -> None:
    async with asyncio.timeout(5):
        while (await made.web.trail.head(writer)).seq != seq:
            await asyncio.sleep(0.005)


async def test_news_of_a_node_bring_all_its_lines_page_by_page(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PULL", 3)
    for number in range(10):
        made.node.journal.append("k", {"n": number})
    made.node.bus.publish("audit.node-0", b"")
    await head(made, "node-0", 10)


async def test_a_node_that_is_away_is_asked_again(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    made.web.importer.behind("node-7")
    await asyncio.sleep(0.03)
    late = PlayedNode(made.hub, made.web.settings.data_dir, "node-7")
    late.journal.append("k", {})
    await head(made, "node-7", 1)
    late.journal.close()


async def test_a_pause_waits_for_the_import_that_runs_and_lets_none_begin(made: Site) -> None:
    importer = made.web.importer
    for number in range(50):
        made.node.journal.append("k", {"n": number})
    made.node.bus.publish("audit.node-0", b"")
    async with importer.paused(5.0):
        seq = (await made.web.trail.head("node-0")).seq
        made.node.journal.append("k", {})
        importer.behind("node-0")
        await asyncio.sleep(0.05)
        assert (await made.web.trail.head("node-0")).seq == seq
    await head(made, "node-0", 51)


async def test_a_pause_does_not_wait_for_a_node_that_hangs(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, hang = asyncio.Event(), asyncio.Event()

    async def catch_up(writer: str) -> None:
        asked.set()
        await hang.wait()

    monkeypatch.setattr(made.web.importer, "catch_up", catch_up)
    made.web.importer.behind("node-9")
    await asked.wait()
    async with made.web.importer.paused(0.01):
        assert not hang.is_set()
    hang.set()


async def test_anchors_name_the_heads_of_others_when_they_moved(made: Site) -> None:
    made.node.journal.append("k", {})
    made.web.importer.behind("node-0")
    await head(made, "node-0", 1)
    before = made.web.journal.head.seq
    await made.web.importer.anchor()
    await made.web.importer.anchor()
    (line,) = made.web.journal.lines_after(before)
    entry = parse(line)
    assert isinstance(entry, Entry) and entry.kind == "anchor"
    assert entry.fields["heads"]["node-0"]["hash"] == made.node.journal.head.hash
    await head(made, "web", before + 1)


async def test_a_broken_chain_is_counted_and_kept_out(made: Site) -> None:
    node = PlayedNode(made.hub, made.web.settings.data_dir, "node-8")
    node.journal.append("k", {"n": 1})
    await made.web.importer.catch_up("node-8")
    node.journal.append("k", {"n": 2})
    path = node.journal.path
    path.write_bytes(path.read_bytes().replace(b'"n":2', b'"n":3'))
    await made.web.importer.catch_up("node-8")
    node.journal.close()
    assert made.web.importer.refused == 1
    known, problem = (await made.web.trail.heads())["node-8"]
    assert known.seq == 1 and "hash" in problem
