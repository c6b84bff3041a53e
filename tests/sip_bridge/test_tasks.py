import asyncio
import logging

import pytest

from sip_bridge.tasks import Tasks


async def test_a_task_is_held_until_it_ends() -> None:
    tasks = Tasks("owner")
    gate = asyncio.Event()
    task = tasks.start(gate.wait(), "gate")
    assert task.get_name() == "owner:gate"
    assert len(tasks) == 1
    gate.set()
    await task
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_death_is_logged_with_the_name(caplog: pytest.LogCaptureFixture) -> None:
    async def dies() -> None:
        raise ValueError("why it died")

    tasks = Tasks("owner")
    with caplog.at_level(logging.ERROR):
        task = tasks.start(dies(), "short")
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
    assert "owner:short died" in caplog.text
    assert "why it died" in caplog.text


async def test_close_cancels_what_still_runs() -> None:
    tasks = Tasks("owner")
    task = tasks.start(asyncio.Event().wait(), "for ever")
    await tasks.close()
    assert task.cancelled()
    assert len(tasks) == 0
