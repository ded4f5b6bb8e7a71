"""A live call's process is killed or stopped: the same call goes on, on a spare, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from typing import Any

import pytest
from caller import Caller
from installation import Installation
from offhook.policies.replay.replay import replay
from offhook.serve.client.running import born
from phone import voice

pytestmark = [pytest.mark.ray, pytest.mark.fault]

GAP_S = 3.0  # 0.7 was seen on a busy machine; a benchmark has the figure


async def talks(caller: Caller, within_ms: int = 60_000) -> None:
    """More sound comes."""
    before = caller.played_bytes
    await caller.listen_until(lambda: caller.played_bytes > before + 4_000, within_ms)


def longest_gap_s(caller: Caller, since: float) -> float:
    """The longest silence inside of speech that the caller has heard."""
    return max((gap for moment, gap in caller.gaps if moment >= since), default=0.0)


async def whole(installation: Installation, call: str) -> list[list[Any]]:
    """A call's journal, which must have every record and replay to the same decisions over all of its owners."""
    records = await installation.complete(call)
    epochs = [record[1] for record in records]
    assert epochs == sorted(epochs)
    found = replay(records)
    assert found.same, str(found.divergence)
    assert found.ended
    return records


def boot_s() -> float:
    """Now, on the clock by which the kernel dates the start of a process."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def led_by_a_spare(installation: Installation, call: str, killed_boot_s: float) -> None:
    """Its owner was there before the former one died: nobody has waited for a new process."""
    row = await installation.row(call)
    assert born(row.pid) / os.sysconf("SC_CLK_TCK") <= killed_boot_s, row


async def events(installation: Installation, call: str, name: str, count: int) -> list[list[Any]]:
    """So many events of this name, or more; [] = there are not as many yet."""
    found = await installation.events(call, name)
    return found if len(found) >= count else []


async def kill(installation: Installation, call: str, sign: int = signal.SIGKILL) -> float:
    row = await installation.row(call)
    os.kill(row.pid, sign)
    return time.perf_counter()


def test_a_killed_call_goes_on_in_mid_sentence(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("goes-on", version)
        await talks(caller)
        since = boot_s()
        killed = await kill(installation, "goes-on")
        await caller.owned(2)
        await led_by_a_spare(installation, "goes-on", since)
        print("owned after", time.perf_counter() - killed, (await installation.supervisor.stats()).takeover_ms)
        await talks(caller)
        print("gap", longest_gap_s(caller, killed))
        assert longest_gap_s(caller, killed) < GAP_S
        row = await installation.row("goes-on")
        assert (row.epoch, row.takeovers, row.live) == (2, 1, True)
        await caller.say(voice(40))  # it hears, and it still knows what it was saying
        await caller.listen_until(lambda: caller.count("clear"))
        stopped = await installation.listens(caller, lambda: events(installation, "goes-on", "PlaybackStopped", 1))
        assert stopped[0][2] == "u1"  # the very utterance that was under way when the process was killed
        assert caller.count("clear") == 1
        caller.leave()
        await installation.ended("goes-on")
        records = await whole(installation, "goes-on")
        assert {record[1] for record in records} == {1, 2}
        said = [c for r in records if r[4] == "commands" for c in r[5] if c[0] == "Say"]
        assert said[0][1] == "u1"

    installation.run(test)


def test_a_stopped_call_process_is_found_out_killed_and_taken_over(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("hangs", version)
        await talks(caller)
        hung_before = (await installation.supervisor.stats()).hung
        since = boot_s()
        await kill(installation, "hangs", signal.SIGSTOP)
        await caller.owned(2)  # after 0.5 s where the machine is free; a benchmark has the figure
        await led_by_a_spare(installation, "hangs", since)
        await talks(caller)
        assert (await installation.supervisor.stats()).hung == hung_before + 1
        caller.leave()
        await installation.ended("hangs")
        await whole(installation, "hangs")

    installation.run(test)


def test_two_kills_in_a_row_and_the_call_still_goes_on(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("twice", version)
        await talks(caller)
        await kill(installation, "twice")
        await caller.owned(2)
        await installation.listens(
            caller, lambda: events(installation, "twice", "OwnerChanged", 1)
        )  # it has led, and said so
        await installation.supervisor.ready(1, 120)
        since = boot_s()
        killed = await kill(installation, "twice")
        await caller.owned(3)
        await led_by_a_spare(installation, "twice", since)
        await talks(caller)
        assert longest_gap_s(caller, killed) < GAP_S
        caller.leave()
        await installation.ended("twice")
        records = await whole(installation, "twice")
        assert {record[1] for record in records} == {1, 2, 3}
        changed = await installation.events("twice", "OwnerChanged")
        assert [event[2] for event in changed] == [2, 3]

    installation.run(test)


def test_what_the_caller_does_while_nobody_leads_the_call_is_not_lost(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("hears", version)
        await talks(caller)
        await caller.listen(1_000)
        await caller.say(voice(15))
        await kill(installation, "hears")  # in the middle of what the caller says over the agent
        for digit in "12":  # at once: nobody can have heard them
            caller.press(digit)
        await caller.say(voice(40)[15:])
        ended = await installation.listens(caller, lambda: events(installation, "hears", "SpeechEnded", 1))
        digits = await installation.listens(caller, lambda: events(installation, "hears", "DigitPressed", 2))
        assert [event[2] for event in digits] == ["1", "2"]
        started = await installation.events("hears", "SpeechStarted")
        assert len(started) == len(ended) == 1
        assert ended[0][2] == started[0][2]  # one talkspurt, though two processes have heard it
        assert 600 <= ended[0][3] - ended[0][2] <= 1_000  # of 800 ms, and of no part of them, by the frames' own times
        caller.leave()
        await installation.ended("hears")
        await whole(installation, "hears")

    installation.run(test)


def test_a_caller_who_hangs_up_while_nobody_leads_the_call_ends_it(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("leaves", version)
        await talks(caller)
        await kill(installation, "leaves")
        caller.leave()
        door = await installation.supervisor.claim("leaves", 1)  # what a gateway is told by its supervisor
        caller.tell_owner(door)
        assert (await installation.ended("leaves")).outcome == "caller_hung_up"
        await whole(installation, "leaves")

    installation.run(test)


BOOKER = """
import time
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Booker:
    topics = ()
    def __init__(self, name, spec):
        pass
    def propose(self, view, reason):
        if reason != "answered":
            return []
        text = "I am booking this for you now, which may take a little while. " * 20
        book = Proposal("", "", Kind.TOOL, 0, 0, "", Purpose.ANSWER, action="book_meeting",
                        arguments=(("time", "ten"),))
        return [Proposal("", "", Kind.SAY, 0, 0, text, Purpose.GREETING), book]
"""


def test_an_action_is_carried_out_once_whenever_its_call_is_killed(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish(BOOKER)
        for number, wait_s in enumerate((0.0, 0.002, 0.01, 0.05)):
            await installation.supervisor.ready(2, 120)
            call = f"books{number}"
            caller = await installation.line(call, version)
            await installation.until(lambda call=call: ordered(installation, call))
            await asyncio.sleep(wait_s)
            await kill(installation, call)
            await caller.owned(2)
            await installation.until(lambda call=call: installation.events(call, "ActionFinished"))
            finished = await installation.events(call, "ActionFinished")
            assert len(finished) == 1
            assert finished[0][3] is True, finished[0]
            acts = await installation.supervisor.acts(call)
            assert [(act.action, act.tries) for act in acts] == [("book_meeting", 1)]
            caller.leave()
            await installation.ended(call)
            await whole(installation, call)

    installation.run(test)


async def ordered(installation: Installation, call: str) -> bool:
    return any(c[0] == "Perform" for record in await installation.records(call, "commands") for c in record[5])


def test_a_call_that_fails_again_and_again_is_said_goodbye_to(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish(limits={"goodbye_line": "Something is wrong here. Goodbye."})
        await installation.supervisor.keep(
            5
        )  # one for each failure within half a minute, however long a new process takes
        await installation.supervisor.ready(4, 120)
        caller = await installation.line("fails", version)
        await talks(caller)
        for epoch in itertools.count(2):
            await installation.supervisor.ready(1, 120)
            await kill(installation, "fails")
            await caller.owned(epoch)
            if (await installation.supervisor.stats()).farewells:
                break
            await talks(caller)
        assert epoch == 5  # three takeovers are allowed, the fourth is a goodbye
        ended = await installation.ended("fails")
        assert ended.outcome.startswith("failed: 4 restarts within")
        assert caller.closed
        records = await installation.complete("fails")
        assert records[-1][4] == "end"
        unfolded = [record[5][0] for record in records if record[4] == "unfolded"]
        assert "PlaybackEnded" in unfolded  # it was heard

    installation.run(test)
