"""A live call's process dies on a node that has no room for another: the call ends with a record, and no other does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from caller import Caller
from installation import Installation

pytestmark = [pytest.mark.ray, pytest.mark.fault]

GAP_S = 3.0  # as in test_takeover.py


@pytest.fixture
def crowded(ray_folder: Path) -> Iterator[Installation]:
    """A node with room for two processes and no more, which does not wait long for another."""
    installation = Installation(ray_folder, spares=2, slots_max=2, takeover_ms=200)
    yield installation
    installation.close()


async def talks(caller: Caller) -> None:
    """More sound comes."""
    before = caller.played_bytes
    await caller.listen_until(lambda: caller.played_bytes > before + 4_000)


def test_a_call_that_finds_no_spare_in_time_ends_with_a_record_and_no_other(crowded: Installation) -> None:
    async def test() -> None:
        version = await crowded.publish()
        await crowded.supervisor.ready(2, 60)
        dies, lives = await crowded.line("dies", version), await crowded.line("lives", version)
        await talks(dies)
        await talks(lives)
        killed = time.perf_counter()
        os.kill((await crowded.row("dies")).pid, signal.SIGKILL)
        await dies.gone()
        ended = await crowded.ended("dies")
        assert ended.outcome == "call process died"
        await talks(lives)
        assert max((gap for moment, gap in lives.gaps if moment >= killed), default=0.0) < GAP_S
        await crowded.until(lambda: crowded.records("dies", "end"))
        records = await crowded.complete("dies")
        assert (records[-1][1], records[-1][4]) == (2, "end")  # of the epoch that fenced the dead owner
        assert records[-1][5]["by"] == "supervisor"
        assert "no warm call actor within 0.2 s" in records[-1][5]["why"]
        lives.leave()
        await crowded.ended("lives")

    crowded.run(test)
