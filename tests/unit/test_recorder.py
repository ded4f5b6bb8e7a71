"""The call's side of the journal: order, and what is kept while the journal is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from offhook.actors.call import recorder as recorder_module
from offhook.actors.call.recorder import Recorder
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.node_messages import Journal


class Way:
    """The way to the journal."""

    def __init__(self) -> None:
        self.open = True
        self.batches: list[list[Any]] = []
        self.kinds: list[tuple[str, Any]] = []
        self.health: list[bool] = []

    def send(self, *message: Any) -> bool:
        if not self.open:
            return False
        if message[0] == Journal.NAME:
            if sum(len(str(record[5])) for record in message[1]) > 10_000:
                raise ProtocolFault("too large for one message")
            self.batches.append([record[2] for record in message[1]])
            self.kinds += [(record[4], record[5]) for record in message[1]]
        return True


def within(test: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            way = Way()
            await test(Recorder("c", 1, way.send, way.health.append), way)

    asyncio.run(limited())


def test_records_leave_together_at_the_end_of_the_loops_turn_or_when_flushed() -> None:
    async def test(recorder: Recorder, way: Way) -> None:
        recorder.write(1, "event", [])
        recorder.write(1, "commands", [])
        assert way.batches == []
        await asyncio.sleep(0)
        assert way.batches == [[1, 2]]
        recorder.write(2, "event", [])
        recorder.flush()
        await asyncio.sleep(0)
        assert way.batches == [[1, 2], [3]]

    within(test)


def test_what_is_not_acknowledged_is_sent_again_in_order_and_in_bounded_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder_module, "BATCH_MAX", 3)

    async def test(recorder: Recorder, way: Way) -> None:
        for number in range(8):
            recorder.write(number, "event", [])
        recorder.flush()
        recorder.journaled(2)
        way.open = False
        recorder.write(9, "event", [])
        recorder.flush()
        way.open = True
        way.batches.clear()
        recorder.again()
        assert way.batches == [[3, 4, 5], [6, 7, 8], [9]]
        recorder.journaled(9)
        assert recorder.unsafe == 0

    within(test)


def test_health_is_told_once_for_each_change() -> None:
    async def test(recorder: Recorder, way: Way) -> None:
        recorder.write(1, "event", [])
        recorder.flush()
        recorder.write(2, "event", [])
        recorder.flush()
        recorder.away()
        recorder.away()
        recorder.journaled(1)  # of what was on its way before; the refused one is still to be sent again
        assert way.health == [False]
        recorder.again()
        recorder.journaled(2)
        assert way.health == [False, True]
        recorder.close()

    within(test)


def test_an_acknowledgement_beyond_what_was_written_is_not_believed() -> None:
    async def test(recorder: Recorder, way: Way) -> None:
        recorder.write(1, "event", [])
        recorder.journaled(100)
        done: list[int] = []
        recorder.write(2, "event", [])
        recorder.when_safe(2, lambda: done.append(2))
        assert done == []
        recorder.journaled(2)
        assert done == [2]

    within(test)


def test_the_oldest_records_are_dropped_and_counted_when_the_journal_is_away_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder_module, "UNSAFE_MAX", 10)

    async def test(recorder: Recorder, way: Way) -> None:
        way.open = False
        for number in range(25):
            recorder.write(number, "event", [])
            recorder.flush()
        assert (recorder.unsafe, recorder.lost) == (10, 16)
        way.open = True
        recorder.again()
        assert way.batches == [list(range(16, 26))]
        assert way.kinds[0] == ("lost", {"from": 1, "why": "the journal was away for too long"})  # 1 to 16

    within(test)


def test_what_is_too_large_for_a_message_is_split_and_a_record_that_is_too_large_is_told() -> None:
    async def test(recorder: Recorder, way: Way) -> None:
        for size in (6_000, 6_000, 20_000, 10):
            recorder.write(1, "snapshot", "x" * size)
        recorder.flush()
        assert way.batches == [[1], [2], [3], [4]]
        assert [kind for kind, _ in way.kinds] == ["snapshot", "snapshot", "lost", "snapshot"]
        assert recorder.lost == 1

    within(test)
