"""The pool's size follows orders, it tells how long starts take; and the watch smooths what one late beat says."""

from __future__ import annotations

import asyncio

from offhook.actors.node.call_pool import SURPLUS_MS, CallPool, Sizes, Standing
from offhook.actors.node.watch import DRIFT_BEATS, Watch


def test_more_spares_are_started_when_they_are_wanted_and_let_go_when_they_are_not() -> None:
    async def test() -> None:
        now_ms = 0
        took: list[float] = []
        asked: list[str] = []
        retired: list[str] = []

        async def start(name: str) -> None:
            asked.append(name)

        pool = CallPool(Sizes(spares=1, slots_max=3, starting_max=5), start, lambda name, _why: retired.append(name),
                    lambda: now_ms)  # fmt: skip
        pool.on_start = took.append

        async def settled(starts: int) -> None:
            while len(asked) < starts:  # noqa: ASYNC110  # one turn of the loop each
                await asyncio.sleep(0)

        pool.fill()
        await settled(1)
        pool.keep(5, 4)
        await settled(4)  # the slots bound the spares
        now_ms = 2_500
        for name in asked:
            pool.arrived(name, busy=False)
        assert took == [2.5] * 4
        pool.arrived(asked[0], busy=False)  # again, after a lost link: no start
        assert len(took) == 4
        pool.keep(2, 4)
        now_ms += SURPLUS_MS + 1
        for _ in range(5):
            pool.tend()
        assert len(retired) == 2
        assert pool.count(Standing.SPARE) == 2

    asyncio.run(test())


def test_one_late_beat_is_an_accident_and_many_are_a_drift() -> None:
    watch = Watch(lambda _name, _why: None)
    watch.add("call-1", 0, live=True)
    watch.beat("call-1", 100.0, live=True)
    assert watch.drifts() == [100.0 / DRIFT_BEATS]
    for _ in range(5 * DRIFT_BEATS):
        watch.beat("call-1", 100.0, live=True)
    assert watch.drifts()[0] > 95.0
    watch.beat("call-1", 0.0, live=False)  # its call is over
    assert watch.drifts() == []
    watch.beat("call-1", 8.0, live=True)
    assert watch.drifts() == [1.0]
