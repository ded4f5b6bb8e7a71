"""A call goes on in another process: here in another runtime, with the gateway's line between.

Sockets are real, time is virtual: what a caller says has its true length however busy the machine is. Owners share
nothing but the records that the first one has handed over, as the supervisor would read them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from caller import Caller, Exchange
from offhook.actors.audio.sound import Sound
from offhook.actors.call.resume import Legacy, fold, trimmed
from offhook.actors.call.runtime import CallRuntime
from offhook.actors.call.tool_calls import JOURNAL_MS
from offhook.actors.contracts.messages import Answer, Invite
from offhook.actors.contracts.node_messages import Begun, Journal, Journaled, JournalGone, Perform, Performed, Withdraw
from offhook.actors.contracts.setup import Setup
from offhook.actors.engines.sources import ToneSource
from offhook.actors.link.link import Link, LinkServer, connect
from offhook.actors.process.clock import anchor_now
from offhook.actors.process.metric_registry import MetricRegistry
from offhook.policies.conversation.limits import CALLER_HUNG_UP
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Grant, Kind, Proposal, Purpose
from offhook.policies.core.records import Record
from offhook.policies.core.state import Authority, CallState
from offhook.policies.replay.replay import replay
from offhook.serve.contracts.claim import Claim
from phone import SILENCE, voice
from virtual_loop import run_virtually, until

GREETING = "Good morning, this is a rather long greeting that goes on for quite a while. " * 8
POLICY = {"name": "test", "agents": {"closer": {"code": "x:Y", "calls_per_actor": 50}}}
SPOKEN = Proposal("p1", "closer", Kind.SAY, 0, 0, GREETING, Purpose.GREETING)
BOOKING = Proposal(
    "p2", "closer", Kind.TOOL, 0, 0, "", Purpose.ANSWER, action="book_meeting", arguments=(("time", "ten"),)
)


class Owner:
    """One owner of the call: a runtime with doors of its own, and the supervisor's end of its link."""

    def __init__(self, summary: CallSummary, epoch: int) -> None:
        self.summary = summary
        self.epoch = epoch
        self.up = True
        self.acknowledges = True
        self.metrics = MetricRegistry()
        self.sent: list[tuple[Any, ...]] = []
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.server = LinkServer(lambda link, grant, rest: grant[0].hello(link, grant[1], grant[2], rest))
        self.call: CallRuntime

    def send(self, *message: Any) -> bool:
        self.sent.append(message)
        if message[0] == Journal.NAME and self.up:
            seen = {record[2] for record in self.summary.records}
            self.summary.records += [record for record in message[1] if record[2] not in seen]
            if self.acknowledges:
                newest = message[1][-1][2]
                asyncio.get_running_loop().call_soon(lambda: self.call.told(Journaled("c1", self.epoch, newest)))
        return True

    def orders(self) -> list[tuple[Any, ...]]:
        return [message for message in self.sent if message[0] == Perform.NAME]

    async def die(self) -> None:
        """Every link closes, nothing that it still does reaches anybody."""
        self.up = False
        self.call.timers.clear()
        self.call.voice.close()
        await self.server.stop()


class CallSummary:
    """One call with its owners, its journal and its caller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[list[Any]] = []
        self.owners: list[Owner] = []
        self.origin_unix_ms = time.time_ns() // 1_000_000
        self.anchor = anchor_now()
        self.policy: dict[str, Any] = dict(POLICY)
        self.exchange = Exchange(self._claim)

    async def _claim(self, _call: str, lost_epoch: int) -> Claim:
        await until(lambda: self.owners[-1].epoch > lost_epoch)
        owner = self.owners[-1]
        return Claim(owner.server.endpoint, f"media{owner.epoch}", owner.epoch)

    async def owner(self, resume: list[Any] | None = None, farewell: str = "") -> Owner:
        """The next owner: of a new call, or of one with these records."""
        owner = Owner(self, len(self.owners) + 1)
        await owner.server.start(f"unix:{self.folder / f'c{owner.epoch}.sock'}")
        setup = Setup(
            call="c1",
            epoch=owner.epoch,
            direction="inbound",
            caller="+1",
            callee="+2",
            policy_version="v1",
            policy=self.policy,
            media_token=f"media{owner.epoch}",
            agent_tokens={"closer": f"agent{owner.epoch}"},
            observer_token=f"observer{owner.epoch}",
            origin_unix_ms=self.origin_unix_ms,
            anchor=self.anchor,
            after_seq=self.records[-1][2] if self.records else 0,
            resume=tuple(trimmed(record) for record in resume or ()),
            farewell=farewell,
        )
        owner.call = CallRuntime(Setup.from_map(setup.as_map()), owner, owner.server, owner.over.set_result)
        owner.call.start()
        self.owners.append(owner)
        return owner

    async def takeover(self, resume: list[Any] | None = None) -> Owner:
        """The present owner dies, another takes over."""
        await self.owners[-1].die()
        return await self.owner(self.tail() if resume is None else resume)

    def tail(self) -> list[Any]:
        """The newest snapshot and what follows."""
        snapshots = [at for at, record in enumerate(self.records) if record[4] == "snapshot"]
        return self.records[snapshots[-1] :] if snapshots else list(self.records)

    async def agent(self, *answers: Proposal, then: Proposal | None = None) -> Link:
        """The agent at its seat with the present owner: what it answers first, and at the end of the first turn."""
        left, later = list(answers), [then] if then is not None else []
        owner = self.owners[-1]

        def invited(link: Link, message: list[Any]) -> None:
            if message[0] == Invite.NAME:
                now = later if message[3] == "turn_ended" else left
                arrays = [encode(proposal) for proposal in now]
                now.clear()
                link.send(Answer.NAME, message[1], message[2], arrays)

        token = f"agent{owner.epoch}"
        return await connect(owner.server.endpoint, token, "closer", "agent", ["floor"], on_message=invited)

    async def speaking(self) -> Caller:
        """A call whose agent has begun its greeting; 0.2 s of it have been heard, 0.6 s were sent."""
        await self.owner()
        await self.agent(SPOKEN)
        caller = self.exchange.dial("c1")
        await caller.listen_until(lambda: caller.played_bytes >= 4_800)
        return caller

    def events(self, name: str) -> list[Any]:
        return [record[5] for record in self.records if record[4] == "event" and record[5][0] == name]

    async def until(self, true: Callable[[], Any]) -> None:
        await until(true)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[CallSummary], Awaitable[None]]], None]:
    def runner(test: Callable[[CallSummary], Awaitable[None]]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                summary = CallSummary(tmp_path)
                try:
                    await test(summary)
                finally:
                    for owner in summary.owners:
                        await owner.die()

        run_virtually(monkeypatch, limited)

    return runner


def test_the_folded_state_is_the_dead_owners_byte_for_byte_with_and_without_a_snapshot(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        await caller.say(voice(30) + [SILENCE] * 10)
        first = summary.owners[0].call
        policy = Policy.model_validate(POLICY)
        await summary.until(lambda: not first.recorder.unsafe)
        assert encode(fold([trimmed(r) for r in summary.records], policy).state) == encode(first.state)
        first.funnel.snapshot()
        first.hearing.write_place()
        caller.press("5")
        await summary.until(lambda: summary.events("DigitPressed") and not first.recorder.unsafe)
        tail = summary.tail()
        assert len(tail) < len(summary.records) / 2
        legacy = fold([trimmed(r) for r in tail], policy)
        assert encode(legacy.state) == encode(first.state)
        assert legacy.place.frames == first.line.frames_taken
        assert legacy.place.notices == first.broadcaster.seq

    run(test)


def test_speech_goes_on_at_the_very_sample_and_nothing_is_said_twice(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        before = caller.played_bytes
        second = await summary.takeover()
        await summary.agent()
        await caller.owned(2)
        await caller.listen_until(lambda: caller.played_bytes > before + 8_000)
        whole = Sound(GREETING)
        ToneSource().speak("u1", whole)
        assert bytes(caller.heard) == whole.slice(0, len(caller.heard) // 8)
        assert caller.count("clear") == 0
        assert second.call.state.speech.current.id == "u1"
        await caller.listen_until(lambda: summary.events("PlaybackReached")[-1][3] > before // 8, 3_000)

    run(test)


def test_deadlines_are_the_same_moments_on_the_same_clock(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        await summary.speaking()
        first = summary.owners[0].call
        timers = dict(first.state.timers)
        assert timers
        second = (await summary.takeover()).call
        assert abs(second.now() - first.now()) <= 1
        assert dict(second.state.timers) == timers
        assert len(second.timers) == len(timers)

    run(test)


def test_a_deadline_that_passed_meanwhile_fires_with_its_own_deadline_when_the_agents_had_time_to_come(
    run: Any,
) -> None:
    async def test(summary: CallSummary) -> None:
        summary.policy = {**POLICY, "limits": {"call_ms": 5_000, "warning_ms": 0, "goodbye_line": "Bye."}}
        summary.anchor = (summary.anchor[0], summary.anchor[1] - 3_000_000_000)  # three seconds into the call
        await summary.speaking()
        due = summary.owners[0].call.state.timers["limits.call"]
        summary.anchor = (summary.anchor[0], summary.anchor[1] - 6_000_000_000)
        second = await summary.takeover()
        taken = second.call.state.now_ms
        assert taken > due
        await summary.until(lambda: summary.events("TimerFired"))
        fired = summary.events("TimerFired")[0]
        assert fired[2:] == ["limits.call", due]
        assert fired[1] >= taken + 100

    run(test)


@pytest.mark.parametrize("jump_h", [-1, 1])
def test_a_wall_clock_that_jumps_between_two_owners_moves_no_deadline(
    run: Any, monkeypatch: pytest.MonkeyPatch, jump_h: int
) -> None:
    async def test(summary: CallSummary) -> None:
        await summary.speaking()
        first = summary.owners[0].call
        due, before = dict(first.state.timers), first.now()
        wall_ns = time.time_ns
        monkeypatch.setattr("time.time_ns", lambda: wall_ns() + jump_h * 3_600_000_000_000)
        assert first.now() - before < 1_000  # the present owner reads it no more
        second = await summary.takeover()
        assert before <= second.call.now() < before + 2_000
        assert second.call.state.timers == due
        assert not summary.events("TimerFired")

    run(test)


def test_what_was_held_stays_held_and_its_position_is_known_though_nobody_told(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        await caller.say(voice(12))
        await summary.until(lambda: summary.events("PlaybackStopped"))
        told = summary.events("PlaybackStopped")[0]
        # Its owner dies between the order to hold and the report of where it stopped.
        last = next(at for at, r in enumerate(summary.records) if r[4] == "event" and r[5][0] == "PlaybackStopped")
        del summary.records[last:]
        second = await summary.takeover()
        await caller.owned(2)
        await summary.until(lambda: summary.events("PlaybackStopped"))
        again = summary.events("PlaybackStopped")[0]
        assert again[2] == told[2] == "u1"
        assert abs(again[3] - told[3]) <= 60
        assert str(second.call.state.speech.current.playing) == "held"
        assert caller.buffered_s == 0.0

    run(test)


def test_a_talkspurt_that_two_owners_hear_is_one(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        await caller.listen(400)
        began = len(summary.events("SpeechStarted"))
        await caller.say(voice(15))
        await summary.takeover()
        await summary.agent()
        await caller.say(voice(40)[15:] + [SILENCE] * 15)
        await summary.until(lambda: summary.events("SpeechEnded"))
        assert len(summary.events("SpeechStarted")) == began + 1
        ended = summary.events("SpeechEnded")
        assert len(ended) == 1
        assert ended[0][2] == summary.events("SpeechStarted")[-1][2]
        assert 700 <= ended[0][3] - ended[0][2] <= 900

    run(test)


def test_a_caller_who_hangs_up_before_anybody_answers_ends_the_call(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        owner = await summary.owner()
        caller = summary.exchange.dial("c1")
        caller.send(SILENCE)
        caller.leave()
        assert await owner.over == CALLER_HUNG_UP

    run(test)


def test_keys_and_frames_are_neither_lost_nor_doubled(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        summary.owners[0].acknowledges = False  # what follows is journaled, and the gateway is not told
        caller.press("1")
        await caller.listen(100)
        await summary.until(lambda: summary.events("DigitPressed"))
        await summary.owners[0].die()
        caller.press("2")
        await caller.listen(100)
        second = await summary.owner(summary.tail())
        await caller.owned(2)
        await caller.listen(100)
        assert [event[2] for event in summary.events("DigitPressed")] == ["1", "2"]
        assert second.call.line.frames_taken == caller.line.frames_in
        assert second.call.line.frames_lost == 0

    run(test)


def test_an_order_without_an_answer_is_given_again_under_its_key_and_an_answered_one_is_not(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        first = await summary.owner()
        await summary.agent(SPOKEN, BOOKING)
        caller = summary.exchange.dial("c1")
        await summary.until(first.orders)
        second = await summary.takeover()
        assert [message[5:] for message in second.orders()] == [message[5:] for message in first.orders()]
        assert second.orders()[0][2] == 2  # the same key at the new epoch
        key = second.orders()[0][6]
        assert second.call.told(Performed(key, True, "booked"))
        assert second.call.told(Performed(key, True, "booked"))  # the tool's word for the first owner, late
        await summary.until(lambda: summary.events("ActionFinished"))
        third = await summary.takeover()
        assert third.orders() == []
        assert len(summary.events("ActionFinished")) == 1
        caller.leave()

    run(test)


IRREVERSIBLE = {**POLICY, "gate": {"actions": {"book_meeting": {"irreversible": True}}}}
READ_BACK = Proposal(
    "p3", "closer", Kind.SAY, 0, 0, "That is ten, right?", Purpose.CONFIRMATION, Asks.YES_NO, terms=(("time", "ten"),)
)


async def agreed(summary: CallSummary) -> Caller:
    """What is irreversible was read back, the caller has said yes, and the agent wants to book."""
    summary.policy = IRREVERSIBLE
    owner = await summary.owner()
    await summary.agent(READ_BACK, then=BOOKING)
    caller = summary.exchange.dial("c1")
    await caller.listen_until(lambda: summary.events("PlaybackEnded"))
    await caller.listen(300)
    owner.acknowledges = False  # from here on nothing is known to be in the journal
    await caller.say(voice(20))
    call = owner.call
    call.take(ev.WordsHeard(call.now(), 0, "yes", True, call.state.hearing.onset_ms, call.now()))
    await caller.listen_until(lambda: len(call.tool_calls))
    return caller


async def ordered(summary: CallSummary) -> tuple[Caller, Owner, tuple[Any, ...]]:
    """The same, and the journal has it: the first owner has sent the order."""
    caller = await agreed(summary)
    first = summary.owners[0]
    first.acknowledges = True
    first.call.recorder.again()
    await summary.until(first.orders)
    return caller, first, first.orders()[0]


def stages(summary: CallSummary) -> list[str]:
    return [grant.stage for grant in summary.owners[-1].call.state.authority.grants]


def test_an_irreversible_order_waits_for_the_journal_and_a_death_meanwhile_doubles_nothing(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await agreed(summary)
        first = summary.owners[0]
        assert stages(summary) == ["journal"] and first.orders() == []
        second = await summary.takeover()
        await summary.until(second.orders)
        second.call.recorder.again()  # what is not known to be safe is sent again, and acknowledged again
        await summary.until(lambda: not second.call.recorder.unsafe)
        assert len(second.orders()) == 1 and not first.orders()
        assert len(summary.events("Journaled")) == 1
        key, grant = second.orders()[0][6], second.orders()[0][3]
        assert second.call.told(Begun(key, grant))
        assert second.call.told(Performed(key, True, "booked", False, grant))
        assert [event[2:] for event in summary.events("ActionBegun")] == [[grant]]
        assert [event[2:] for event in summary.events("ActionFinished")] == [[grant, True, "booked", False]]
        assert not second.call.tool_calls
        caller.leave()

    run(test)


def test_an_irreversible_order_goes_on_when_the_journal_is_back(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await agreed(summary)
        (owner,) = summary.owners
        owner.call.told(JournalGone("gone"))
        await summary.until(lambda: summary.events("HealthChanged")[-1][2:] == ["journal", False])
        assert owner.orders() == []
        owner.acknowledges = True
        owner.call.recorder.again()
        await summary.until(owner.orders)
        assert len(owner.orders()) == 1
        caller.leave()

    run(test)


def test_a_journal_that_says_nothing_in_time_leaves_the_act_undone(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await agreed(summary)
        (owner,) = summary.owners
        await caller.listen_until(lambda: summary.events("ActionFinished"), JOURNAL_MS + 1_000)
        assert summary.events("ActionFinished")[0][3] is False and owner.orders() == []
        assert not owner.call.tool_calls
        caller.leave()

    run(test)


def test_an_act_that_is_taken_back_on_its_way_is_not_ordered_by_the_next_owner(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller, first, order = await ordered(summary)
        call = first.call
        call.take(ev.WordsHeard(call.now(), 1, "no wait, do not book that", True, call.now(), call.now()))
        assert stages(summary) == ["withdrawn"]
        assert [message[1:] for message in first.sent if message[0] == Withdraw.NAME] == [order[1:]]
        second = await summary.takeover()
        (again,) = [message for message in second.sent if message[0] == Withdraw.NAME]
        assert again == (Withdraw.NAME, "c1", 2, *order[3:]), "the same order, by its next owner"
        assert second.orders() == []
        key, grant = again[6], again[3]
        assert second.call.told(Performed(key, False, "withdrawn", True, grant))
        assert [event[2:] for event in summary.events("ActionFinished")] == [[grant, False, "withdrawn", True]]
        third = await summary.takeover()
        assert third.orders() == [] and not third.call.tool_calls
        caller.leave()

    run(test)


def test_what_had_left_when_it_was_taken_back_is_withdrawn_by_the_next_owner_if_it_still_can_be(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller, first, order = await ordered(summary)
        assert first.call.told(Begun(order[6], order[3]))
        assert stages(summary) == ["begun"]
        call = first.call
        call.take(ev.WordsHeard(call.now(), 1, "no wait, do not book that", True, call.now(), call.now()))
        assert not [message for message in first.sent if message[0] == Withdraw.NAME], "it has left"
        second = await summary.takeover()
        assert second.orders() == []
        assert [message[3:] for message in second.sent if message[0] == Withdraw.NAME] == [order[3:]]
        caller.leave()

    run(test)


def test_of_each_act_without_an_end_the_next_owner_asks_what_its_stage_says() -> None:
    transfer = Proposal("p4", "closer", Kind.TRANSFER, 0, 0, action="+15550199")
    tool = [Grant(f"g{n}", BOOKING, "v", 0, 0, f"k{n}", stage) for n, stage in enumerate(STAGES)]
    other = [Grant(f"t{n}", transfer, "v", 0, 0, f"t{n}", stage) for n, stage in enumerate(("", "journal", "ordered"))]
    spoken = Grant("s", SPOKEN, "v", 0, 0, "s")
    state = CallState(authority=Authority(grants=(*tool, *other, spoken)))
    legacy = Legacy(state, Policy.model_validate(IRREVERSIBLE))
    assert [(type(command).__name__, command.grant) for command in legacy.orders] == [
        ("Perform", "g0"),
        ("AwaitJournal", "g1"),
        ("Perform", "g2"),
        ("Perform", "g3"),
        ("Withdraw", "g4"),
        ("Withdraw", "g5"),
        ("AwaitJournal", "t1"),
    ]
    assert [command.grant for command in legacy.transfers] == ["t0", "t2"]


STAGES = ("", "journal", "ordered", "begun", "withdrawn", "regretted")


def test_what_was_decided_and_not_written_down_is_written_by_the_next_owner(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        await summary.speaking()
        last = max(at for at, record in enumerate(summary.records) if record[4] == "commands")
        lost = summary.records[last][5]
        del summary.records[last:]
        await summary.takeover()
        await summary.until(lambda: summary.events("OwnerChanged"))
        assert summary.records[last][1:3] == (2, last + 1)
        assert summary.records[last][5] == lost
        found = replay(summary.records)
        assert found.same, str(found.divergence)

    run(test)


def test_an_agent_whose_answer_was_lost_is_asked_again(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        first = await summary.owner()
        mute: list[Any] = []
        await connect(
            first.server.endpoint, "agent1", "closer", "agent", [], on_message=lambda _link, m: mute.append(m)
        )
        caller = summary.exchange.dial("c1")
        await summary.until(lambda: any(message[0] == Invite.NAME for message in mute))
        second = await summary.takeover()
        await summary.agent(SPOKEN)
        await caller.owned(2)
        await caller.listen_until(lambda: caller.played_bytes)
        assert second.call.state.speech.current.text == GREETING
        assert summary.events("AgentLost") == []

    run(test)


def test_a_former_owner_that_wakes_up_is_heard_by_nobody(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        caller = await summary.speaking()
        first = summary.owners[0]
        await summary.until(lambda: not first.call.recorder.unsafe)
        second = await summary.owner(summary.tail())  # the first one only seems to be dead
        door = Claim(second.server.endpoint, "media2", 2)
        await caller.line.attach(door)
        assert caller.line.epoch == 2
        clears = caller.count("clear")
        first.call.voice.hold("u1")
        first.call.line.hangup("I am still here")
        await caller.listen(200)
        assert caller.count("clear") == clears
        assert not caller.closed
        assert first.call.state.line.value == "lost"  # its line was taken from it

    run(test)


def test_a_journal_that_cannot_be_folded_leaves_the_caller_a_goodbye(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        summary.policy = {**POLICY, "limits": {"goodbye_line": "Bye."}}
        caller = await summary.speaking()
        broken = [Record("c1", 1, 1, 0, "event", ["NoSuchEvent", 0])]
        second = await summary.takeover(broken)
        await caller.listen_until(lambda: caller.closed)
        assert (await second.over).startswith("failed: its journal cannot be folded")
        said = [r[5] for r in summary.records if r[4] == "unfolded" and r[5][0] == "PlaybackEnded"]
        assert said  # the goodbye, and it was heard

    run(test)


def test_where_the_policy_names_a_person_the_caller_is_handed_on_instead(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        escalation = {"transfer_to": "+15550199", "transfer_line": "One moment."}
        summary.policy = {**POLICY, "limits": {"escalation": escalation}}
        caller = await summary.speaking()
        second = await summary.takeover([Record("c1", 1, 1, 0, "event", ["NoSuchEvent", 0])])
        await caller.listen_until(lambda: caller.closed)
        assert caller.closed == "transferred"
        assert (await second.over).startswith("transferred, because it failed: its journal cannot be folded")
        (fault,) = [r[5] for r in summary.records if r[4] == "fault"]
        assert fault["then"] == "transfer"
        orders = [c for r in summary.records if r[4] == "commands" for c in r[5] if c[0] == "TransferCall"]
        assert [order[2] for order in orders] == ["+15550199"]  # where the resume webhook looks for it
        assert fold([trimmed(r) for r in summary.records], Policy.model_validate(summary.policy)).parting

    run(test)


def test_where_the_carrier_cannot_hand_a_caller_on_it_is_a_goodbye(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(summary: CallSummary) -> None:
        monkeypatch.setattr(Caller, "transfers", False)
        summary.policy = {**POLICY, "limits": {"escalation": {"transfer_to": "+15550199"}, "goodbye_line": "Bye."}}
        caller = await summary.speaking()
        second = await summary.takeover([Record("c1", 1, 1, 0, "event", ["NoSuchEvent", 0])])
        await caller.listen_until(lambda: caller.closed)
        assert (await second.over).startswith("failed: its journal cannot be folded")
        assert not [c for r in summary.records if r[4] == "commands" for c in r[5] if c[0] == "TransferCall"]

    run(test)


def test_a_subscriber_that_comes_back_gets_what_it_missed_under_the_same_numbers(run: Any) -> None:
    async def test(summary: CallSummary) -> None:
        await summary.speaking()
        first = summary.owners[0].call
        await summary.until(lambda: not first.recorder.unsafe)
        told = first.broadcaster.seq
        second = await summary.takeover()
        heard: list[Any] = []
        await connect(
            second.server.endpoint, "observer2", "console", "observer", ["*"], told - 2,
            on_message=lambda _link, message: heard.append(message),
        )  # fmt: skip
        await summary.until(lambda: len(heard) >= 3)
        assert [message[1] for message in heard[:3]] == [told - 1, told, told + 1]
        assert heard[2][4] == "owner"

    run(test)


@pytest.mark.parametrize("frames_after", [0, 5])
def test_media_that_stopped_in_mid_word_end_the_talkspurt_under_the_next_owner_too(run: Any, frames_after: int) -> None:
    async def test(summary: CallSummary) -> None:
        await summary.owner()
        await summary.agent()
        caller = summary.exchange.dial("c1")
        await caller.say([SILENCE] * 40 + voice(30))
        await summary.until(lambda: summary.owners[0].call.state.hearing.speaking)
        second = await summary.takeover()
        await summary.agent()
        await summary.until(lambda: caller.line.attached and caller.line.epoch == 2)
        if frames_after:
            await caller.say(voice(frames_after))
        taken_ms = second.call.now()
        assert second.call.state.hearing.speaking
        await summary.until(lambda: summary.events("SpeechEnded"))
        (ended,) = summary.events("SpeechEnded")
        assert ended[1] - taken_ms <= 1_000 and ended[2] < ended[3] <= taken_ms
        assert not second.call.state.hearing.speaking
        await caller.say([SILENCE] * 50 + voice(30) + [SILENCE] * 30)
        assert len(summary.events("SpeechEnded")) == 2  # whoever comes back is heard as ever

    run(test)


def test_a_line_that_is_away_is_no_stall(run: Any) -> None:
    """How long it may be away is another limit; when it is back, what was said meanwhile comes all at once."""

    async def test(summary: CallSummary) -> None:
        await summary.owner()
        await summary.agent()
        caller = summary.exchange.dial("c1")
        await caller.say([SILENCE] * 40 + voice(30))
        held = asyncio.Event()
        claim = summary.exchange.gateway._claim

        async def later(call: str, lost_epoch: int) -> Claim:
            await held.wait()
            return await claim(call, lost_epoch)

        summary.exchange.gateway._claim = later
        await summary.takeover()
        await summary.agent()
        await caller.say(voice(100))  # two seconds of one sentence
        assert not summary.events("SpeechEnded")
        held.set()
        await summary.until(lambda: caller.line.attached and caller.line.epoch == 2)
        await caller.say(voice(20) + [SILENCE] * 30)
        assert len(summary.events("SpeechEnded")) == 1

    run(test)
