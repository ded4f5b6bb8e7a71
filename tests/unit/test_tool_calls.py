"""A call's orders to tools: what leaves, what waits for the journal, what is taken back, and what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from offhook.actors.call.recorder import Recorder
from offhook.actors.call.tool_calls import JOURNAL_MS, ToolCalls
from offhook.actors.contracts.node_messages import Begun, Journal, Performed
from offhook.actors.contracts.node_messages import Perform as PerformMessage
from offhook.actors.contracts.node_messages import Withdraw as WithdrawMessage
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Perform, Withdraw
from virtual_time import VirtualTime

ORDER = Perform("g1", "book_meeting", (("time", "ten"),), "c/1", irreversible=True)
ASKED = (PerformMessage.NAME, "c", 1, "g1", "book_meeting", [["time", "ten"]], "c/1")
TAKEN_BACK = (WithdrawMessage.NAME, *ASKED[1:])


class Desk:
    """Tool calls with a journal that is told by hand, and a supervisor that may be away."""

    def __init__(self) -> None:
        self.up = True
        self.time = VirtualTime()
        self.sent: list[tuple[Any, ...]] = []
        self.events: list[ev.Event] = []
        self.recorder = Recorder("c", 1, self.send, lambda _up: None)
        self.tool_calls = ToolCalls(self.recorder, self.send, self.time, self.events.append, self.time.now_ms)

    def send(self, *message: Any) -> bool:
        if self.up and message[0] != Journal.NAME:
            self.sent.append(message)
        return self.up


def within(test: Callable[[Desk], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test(Desk())

    asyncio.run(limited())


def test_an_order_leaves_at_once_and_is_answered_once() -> None:
    async def test(desk: Desk) -> None:
        desk.tool_calls.go(ORDER)
        assert desk.sent == [ASKED]
        for _ in range(2):  # the supervisor was away, and was asked again
            desk.tool_calls.told(Begun("c/1", "g1"))
        assert desk.events == [ev.ActionBegun(0, "g1")]
        for _ in range(2):
            desk.tool_calls.told(Performed("c/1", True, "booked", False, "g1"))
        assert desk.events[1:] == [ev.ActionFinished(0, "g1", True, "booked")]
        assert not desk.tool_calls

    within(test)


def test_an_answer_of_the_last_release_is_understood() -> None:
    async def test(desk: Desk) -> None:
        desk.tool_calls.go(ORDER)
        desk.tool_calls.told(Performed.of([Performed.NAME, "c/1", False, "taken"]))
        assert desk.events == [ev.ActionFinished(0, "g1", False, "taken")]

    within(test)


def test_the_journals_word_is_told_when_everything_up_to_there_is_in_it() -> None:
    async def test(desk: Desk) -> None:
        desk.recorder.write(1, "commands", [])
        desk.tool_calls.await_journal("g1")
        desk.recorder.write(2, "event", [])
        assert desk.events == [] and len(desk.tool_calls) == 1
        desk.recorder.journaled(1)
        assert desk.events == [ev.Journaled(0, "g1")]
        desk.time.run_for(2 * JOURNAL_MS)
        assert len(desk.events) == 1 and not desk.tool_calls
        desk.tool_calls.await_journal("g2")
        desk.recorder.journaled(2)
        assert desk.events[1:] == [ev.Journaled(desk.time.now_ms(), "g2")]

    within(test)


def test_a_journal_that_says_nothing_in_time_has_not_taken_it() -> None:
    async def test(desk: Desk) -> None:
        desk.recorder.write(1, "commands", [])
        desk.tool_calls.await_journal("g1")
        desk.time.run_for(JOURNAL_MS + 1)
        (event,) = desk.events
        assert isinstance(event, ev.ActionFinished) and (event.grant, event.ok, event.withdrawn) == ("g1", False, False)
        assert "the journal has not taken the order" in event.result
        desk.recorder.journaled(1)  # too late
        assert len(desk.events) == 1 and not desk.tool_calls

    within(test)


def test_a_withdrawal_is_asked_for_until_it_is_answered_and_the_order_never_again() -> None:
    async def test(desk: Desk) -> None:
        desk.up = False
        desk.tool_calls.go(ORDER)
        desk.tool_calls.withdraw(Withdraw("g1", "c/1"), None)
        desk.up = True
        for _ in range(2):
            desk.tool_calls.ask_again()
        assert desk.sent == [TAKEN_BACK, TAKEN_BACK]
        desk.tool_calls.told(Performed("c/1", False, "withdrawn", True, "g1"))
        assert desk.events == [ev.ActionFinished(0, "g1", False, "withdrawn", True)]
        desk.tool_calls.ask_again()
        assert len(desk.sent) == 2

    within(test)


def test_a_withdrawal_that_comes_too_late_brings_the_acts_own_end() -> None:
    async def test(desk: Desk) -> None:
        desk.tool_calls.go(ORDER)
        desk.tool_calls.withdraw(Withdraw("g1", "c/1"), None)
        assert desk.sent == [ASKED, TAKEN_BACK]
        desk.tool_calls.told(Begun("c/1", "g1"))
        desk.tool_calls.told(Performed("c/1", True, "booked", False, "g1"))
        assert desk.events == [ev.ActionBegun(0, "g1"), ev.ActionFinished(0, "g1", True, "booked")]

    within(test)


def test_what_a_former_owner_has_ordered_is_withdrawn_by_what_the_state_knows_of_it() -> None:
    async def test(desk: Desk) -> None:
        desk.tool_calls.withdraw(Withdraw("g1", "c/1"), ORDER)
        assert desk.sent == [TAKEN_BACK] and len(desk.tool_calls) == 1
        desk.tool_calls.withdraw(Withdraw("g9", "c/9"), None)  # nobody knows it
        assert len(desk.sent) == 1

    within(test)


def test_a_late_word_on_a_former_grant_of_the_key_ends_nothing() -> None:
    async def test(desk: Desk) -> None:
        desk.tool_calls.go(ORDER)
        desk.tool_calls.told(Performed("c/1", False, "withdrawn", True, "g1"))
        desk.tool_calls.go(Perform("g2", "book_meeting", ORDER.arguments, "c/1", irreversible=True))
        desk.tool_calls.told(Performed("c/1", False, "withdrawn", True, "g1"))  # it was asked twice
        desk.tool_calls.told(Begun("c/1", "g1"))
        assert len(desk.events) == 1 and len(desk.tool_calls) == 1
        desk.tool_calls.told(Performed("c/1", True, "booked", False, "g2"))
        assert desk.events[1:] == [ev.ActionFinished(0, "g2", True, "booked")]

    within(test)


def test_after_the_close_nothing_is_told() -> None:
    async def test(desk: Desk) -> None:
        desk.recorder.write(1, "commands", [])
        desk.tool_calls.await_journal("g1")
        desk.tool_calls.go(ORDER)
        desk.tool_calls.close()
        desk.recorder.journaled(1)
        desk.time.run_for(2 * JOURNAL_MS)
        desk.tool_calls.told(Performed("c/1", True, "booked", False, "g1"))
        assert desk.events == [] and desk.time.idle

    within(test)
