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
