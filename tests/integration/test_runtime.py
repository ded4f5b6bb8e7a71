"""One live call on real Unix sockets, without Ray: its doors, the hot path, the order of journal and act, its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.call import runtime as runtime_module
from offhook.actors.call.effects import CARRIERS
from offhook.actors.call.hearing import SPEECH_FRAMES
from offhook.actors.call.phone_line import (
    ACK_EVERY,
    FRAMES_AHEAD_MAX,
    FRAMES_MAX,
    PLAYED_MS_MAX,
    Hearer,
    PhoneLine,
    Played,
)
from offhook.actors.call.runtime import CallRuntime
from offhook.actors.contracts.messages import (
    Ack,
    Answer,
    Audio,
    Clear,
    Digit,
    Failed,
    GatewayHello,
    Hangup,
    Invite,
    Pace,
    Past,
    Play,
)
from offhook.actors.contracts.node_messages import (
    Assigned,
    Begun,
    Ended,
    Journal,
    Journaled,
    Perform,
    Performed,
    Told,
    Withdraw,
)
from offhook.actors.contracts.setup import Setup
from offhook.actors.link.link import Link, LinkServer, connect
from offhook.actors.process.metric_registry import MetricRegistry
from offhook.policies.conversation import machine
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import TAGS, encode
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Kind, Proposal, Purpose, Refusal
from offhook.policies.replay.replay import replay
from phone import SILENCE, Phone, voice

ANN = Principal.of("person:ann")

GREETING = "Good morning, this is a rather long greeting. " * 8
POLICY = {"name": "test", "agents": {"closer": {"code": "x:Y", "calls_per_actor": 50}}}


class Uplink:
    """The supervisor as the call sees it: acknowledges what is journaled unless it is away."""

    def __init__(self) -> None:
        self.up = True
        self.acknowledges = True
        self.metrics = MetricRegistry()
        self.records: list[list[Any]] = []
        self.sent: list[tuple[Any, ...]] = []
        self.at_record: list[tuple[int, int]] = []  # (seq, clears written when it was handed over)
        self.call: CallRuntime | None = None

    def send(self, *message: Any) -> bool:
        if not self.up:
            return False
        self.sent.append(message)
        if message[0] == Journal.NAME:
            clears = self.call.line.clears if self.call is not None else 0
            self.at_record += [(record[2], clears) for record in message[1]]
            seen = {record[2] for record in self.records}
            self.records += [record for record in message[1] if record[2] not in seen]
            if self.acknowledges:
                asyncio.get_running_loop().call_soon(self.acknowledge)
        return True

    def acknowledge(self) -> None:
        if self.call is not None:
            self.call.told(Journaled(self.call.setup.call, 1, max(record[2] for record in self.records)))

    def of(self, kind: str) -> list[Any]:
        return [record[5] for record in self.records if record[4] == kind]

    def events(self, name: str) -> list[Any]:
        return [body for body in self.of("event") if body[0] == name]


class Bench:
    """A runtime with its server, and what it told when it was over."""

    def __init__(self, folder: Path, name: str = "c1") -> None:
        self.folder = folder
        self.name = name
        self.uplink = Uplink()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.server = LinkServer(lambda link, grant, rest: grant[0].hello(link, grant[1], grant[2], rest))
        self.endpoint = ""
        self.call: CallRuntime

    async def begin(self, **more: Any) -> None:
        self.endpoint = await self.server.start(f"unix:{self.folder / self.name}.sock")
        setup = Setup(
            call=self.name,
            epoch=1,
            direction="inbound",
            caller="+1",
            callee="+2",
            policy_version="v1",
            policy={**POLICY, **more},
            media_token="media",
            agent_tokens={"closer": "agent"},
            observer_token="observer",
            origin_unix_ms=time.time_ns() // 1_000_000,
        )
        self.call = CallRuntime(setup, self.uplink, self.server, self.over.set_result)
        self.uplink.call = self.call
        self.call.start()

    async def phone(self, stream: str = "MZ1", codec: str = "mulaw8k") -> Phone:
        phone = Phone()
        await phone.dial(self.endpoint, "media", stream, codec)
        return phone

    async def agent(self, answer: Callable[[Link, list[Any]], None]) -> Link:
        link = await connect(self.endpoint, "agent", "closer", "agent", ["floor"], on_message=answer)
        await self.until(lambda: "closer" in self.call.broadcaster.agents())
        return link

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():  # noqa: ASYNC110  # the call's state has no event for every test's wish
            await asyncio.sleep(0)

    async def speaking(self) -> Phone:
        """A call whose agent has just begun its greeting."""
        await self.agent(lambda link, message: greet(link, message) if message[0] == Invite.NAME else None)
        phone = await self.phone()
        await phone.have(Play.NAME)
        return phone


def greet(link: Link, invitation: list[Any]) -> None:
    _, turn, revision = invitation[:3]
    proposal = Proposal("p1", "closer", Kind.SAY, turn, revision, GREETING, Purpose.GREETING)
    link.send(Answer.NAME, turn, revision, [encode(proposal)])


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Bench], Awaitable[None]]], None]:
    def runner(test: Callable[[Bench], Awaitable[None]]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                bench = Bench(tmp_path)
                try:
                    await test(bench)
                finally:
                    await bench.server.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(limited())

    return runner


def test_a_call_begins_with_its_records_and_tells_that_it_is_primed(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        await bench.until(lambda: bench.uplink.records)
        assert [record[:5] for record in bench.uplink.records[:2]] == [
            ("c1", 1, 1, bench.uplink.records[0].at_ms, "start"),
            ("c1", 1, 2, bench.uplink.records[1].at_ms, "event"),
        ]
        assert bench.uplink.of("start")[0]["policy"]["name"] == "test"
        assert bench.uplink.events("CallCreated")
        assert bench.uplink.events("HealthChanged")[0][2:] == ["recognizer", False]
        assert (Assigned.NAME, "c1", 1, "") in bench.uplink.sent

    run(test)


def test_an_overlap_clears_the_line_in_the_turn_of_the_frame_that_confirmed_it(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        for frame in [SILENCE] * 50 + voice(20):
            phone.send(frame)
        await phone.have(Clear.NAME)
        await bench.until(lambda: bench.uplink.of("measure"))
        measured = bench.uplink.of("measure")[0]
        assert measured["what"] == "hold"
        # Told only when the clear was written before the frame's own turn ended; how fast is a benchmark's matter.
        assert measured["us"] > 0
        told = {row.name: row for row in bench.uplink.metrics.rows()}
        assert told["offhook_clear_seconds"].value == pytest.approx(measured["us"] / 1e6)
        assert told["offhook_reaction_seconds"].value > told["offhook_clear_seconds"].value
        held = next(r for r in bench.uplink.records if r[4] == "commands" and any(c[0] == "HoldSpeech" for c in r[5]))
        assert dict(bench.uplink.at_record)[held[2]] == 0  # journal before act: no clear had left
        assert bench.uplink.events("PlaybackStopped")[0][2] == "u1"

    run(test)


def test_frames_travel_together_from_the_onset_of_a_talkspurt_to_its_end(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        for frame in [SILENCE] * 50 + voice(20) + [SILENCE] * 40:
            phone.send(frame)
        await phone.have(Pace.NAME, 2)
        orders = [(name, *fields) for _, name, fields in phone.events if name in (Clear.NAME, Pace.NAME)]
        assert orders == [(Clear.NAME,), (Pace.NAME, SPEECH_FRAMES), (Pace.NAME, 1)]  # nothing goes before a clear

    run(test)


def test_what_was_journaled_replays_to_the_same_decisions(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        for frame in [SILENCE] * 50 + voice(30) + [SILENCE] * 30:
            phone.send(frame)
        await phone.have(Clear.NAME)
        phone.hang_up()
        await bench.over
        found = replay(bench.uplink.records)
        assert found.same, str(found.divergence)
        assert found.ended
        assert found.events >= 10

    run(test)


def test_two_calls_in_one_process_do_not_touch_each_other(run: Any) -> None:
    async def test(bench: Bench) -> None:
        other = Bench(bench.folder, "c2")
        try:
            await bench.begin()
            await other.begin()
            interrupted, spoken_to = await bench.speaking(), await other.speaking()
            for frame in [SILENCE] * 50 + voice(30) + [SILENCE] * 30:
                interrupted.send(frame)
                spoken_to.send(SILENCE)
            await interrupted.have(Clear.NAME)
            for phone, place in ((interrupted, bench), (spoken_to, other)):
                phone.hang_up()
                await place.over
                found = replay(place.uplink.records)
                assert found.same, found.divergence
            assert not spoken_to.count(Clear.NAME) and not other.uplink.events("SpeechStarted")
            assert {record[0] for record in bench.uplink.records} == {"c1"}
            assert {record[0] for record in other.uplink.records} == {"c2"}
        finally:
            await other.server.stop()

    run(test)


def test_frames_are_acknowledged_once_their_records_are_safe(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        bench.uplink.acknowledges = False
        phone.link.send(Digit.NAME, "5")  # type: ignore[union-attr]  # a record that is not safe
        for _ in range(ACK_EVERY):
            phone.send(SILENCE)
        await bench.until(lambda: bench.call.line.frames == ACK_EVERY)
        assert phone.acked == -1
        bench.uplink.acknowledge()
        await phone.have(Ack.NAME)
        assert phone.acked == ACK_EVERY - 1

    run(test)


def test_a_measurement_is_recorded_with_what_comes_next_or_with_the_acknowledgement(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        call = bench.call
        call.take(ev.SpeechMeasured(call.now(), 0, 300, -20.0, 20.0, 120.0))
        call.recorder.write(call.now(), "measure", {})
        call.recorder.flush()
        first = len(bench.uplink.events("SpeechMeasured"))
        call.take(ev.SpeechMeasured(call.now(), 0, 400, -20.0, 20.0, 120.0))
        phone.send(SILENCE)
        await bench.until(lambda: call.line.frames == 1)
        assert (first, len(bench.uplink.events("SpeechMeasured"))) == (1, 1)
        for _ in range(ACK_EVERY - 1):
            phone.send(SILENCE)
        await phone.have(Ack.NAME)
        assert len(bench.uplink.events("SpeechMeasured")) == 2
        assert [record[2] for record in bench.uplink.records] == list(range(1, call.recorder.seq + 1))

    run(test)


def test_a_bug_in_a_room_costs_a_fault_record_and_not_the_call(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(draft: Any, event: Any) -> None:
        raise ZeroDivisionError("a reducer's bug")

    monkeypatch.setitem(machine.REDUCERS, ev.DigitPressed, (broken,))

    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        before = bench.call.state
        bench.call.take(ev.DigitPressed(bench.call.now(), "5"))
        assert bench.call.state is before
        await bench.until(lambda: bench.uplink.of("fault"))
        assert bench.uplink.of("fault")[0]["error"] == "ZeroDivisionError"
        played = phone.played_bytes
        await bench.until(lambda: phone.played_bytes > played)  # it talks on
        assert replay(bench.uplink.records).same

    run(test)


def test_a_core_that_fails_at_every_turn_ends_the_call_with_a_goodbye(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(draft: Any, event: Any) -> None:
        raise ZeroDivisionError("a reducer's bug")

    monkeypatch.setitem(machine.REDUCERS, ev.DigitPressed, (broken,))

    async def test(bench: Bench) -> None:
        await bench.begin(limits={"goodbye_line": "Bye."})
        phone = await bench.speaking()
        for _ in range(5):
            phone.link.send(Digit.NAME, "5")  # type: ignore[union-attr]
        await phone.have(Hangup.NAME)
        outcome = await bench.over
        assert outcome.startswith("failed: ")
        assert bench.uplink.of("end")[0]["outcome"] == outcome
        assert any(body[0] == "PlaybackStarted" for body in bench.uplink.of("unfolded"))  # the goodbye was said

    run(test)


def test_an_event_that_cannot_be_is_counted_and_changes_nothing(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        revision = bench.call.state.revision
        bench.call.take(ev.Event(bench.call.now()))
        assert bench.call.funnel.illegal == 1
        assert bench.call.state.revision == revision

    run(test)


@pytest.mark.parametrize(
    "message",
    [
        (Audio.NAME, 0, b"x" * 159),
        (Audio.NAME, 0, b""),
        (Audio.NAME, 0, b"\xff" * 160 * 501),
        (Audio.NAME, "0", b"\xff" * 160),
        (Digit.NAME, "7x"),
        ("nonsense", 1),
    ],
)
def test_a_gateway_that_talks_nonsense_is_cut_off_and_the_call_waits_for_another(run: Any, message: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        phone.link.send(*message)  # type: ignore[union-attr]
        await phone.gone()
        await bench.until(lambda: bench.uplink.events("LineLost"))
        assert not bench.over.done()
        again = await bench.phone(stream="MZ2")
        await bench.until(lambda: bench.uplink.events("LineResumed"))
        again.send(SILENCE)
        await bench.until(lambda: bench.call.line.frames)

    run(test)


@pytest.mark.parametrize(
    "message",
    [
        (Audio.NAME, 2**64 - 1, SILENCE),
        (Audio.NAME, FRAMES_AHEAD_MAX + 2, SILENCE),
        (Audio.NAME, -1, SILENCE),
        (Audio.NAME, -(2**63), SILENCE * 2),
        (Past.NAME, 2**64 - 1, SILENCE),
        (Past.NAME, -1, SILENCE),
        (Digit.NAME, "7", 2**64 - 1),
        (Digit.NAME, "7", -2),
    ],
)
def test_a_number_that_cannot_be_costs_its_message_and_the_line_goes_on(run: Any, message: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        line = bench.call.line
        phone.send(SILENCE)
        await bench.until(lambda: line.frames == 1)
        phone.link.send(*message)  # type: ignore[union-attr]
        for _ in range(40):
            phone.send(SILENCE)
        phone.link.send(Digit.NAME, "5", 0)  # type: ignore[union-attr]
        await bench.until(lambda: bench.uplink.events("DigitPressed"))
        assert (line.frames, line.frames_lost, line.frames_doubled, line.refused) == (41, 0, 0, 1)
        assert (line.frames_taken, line.digits_taken) == (41, 1)
        assert [event[2] for event in bench.uplink.events("DigitPressed")] == ["5"]
        assert not bench.uplink.events("LineLost")

    run(test)


@pytest.mark.parametrize("frames", [2**64 - 1, FRAMES_MAX + 1, -1])
def test_a_gateway_that_claims_frames_that_no_stream_has_is_refused(run: Any, frames: int) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        hello = GatewayHello("MZ1", "mulaw8k", frames).fields
        await connect(
            bench.endpoint, "media", *hello, on_message=lambda *_told: None,
            on_close=lambda _link, reason: closed.set_result(reason),
        )  # fmt: skip
        assert f"frames {frames}" in await closed
        assert not bench.uplink.events("LineAnswered")
        await bench.speaking()

    run(test)


def test_kept_frames_are_no_older_than_what_a_gateway_keeps(run: Any) -> None:
    async def test(bench: Bench) -> None:
        ages: list[int] = []
        line = PhoneLine(1, Hearer(lambda _frame, age, _news: ages.append(age), *[lambda _said: None] * 4))
        await bench.begin()
        link = await connect(bench.endpoint, "observer", "o", "observer", [], on_message=lambda *_told: None)
        line.attach(link, "MZ1", "mulaw8k", FRAMES_MAX)
        link.on_message(link, [Audio.NAME, 0, SILENCE])
        assert ages == [10_000]
        link.close("enough")

    run(test)


@pytest.mark.parametrize("played", [["m", 2**64 - 1, 0, 0], ["m", 0, 2**64 - 1, 0], ["m", PLAYED_MS_MAX + 1, 0, 0]])
def test_nobody_has_played_longer_than_a_call_lasts(played: list[object]) -> None:
    assert Played.from_fields(played) is None
    assert Played.from_fields(["m", PLAYED_MS_MAX, -1, 1]) == Played("m", PLAYED_MS_MAX, 0, True)


def test_a_link_of_another_codec_or_token_or_kind_does_not_touch_the_call(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        assert "opus" in await (await bench.phone(codec="opus")).gone()
        stranger = Phone()
        await stranger.dial(bench.endpoint, "guessed")
        await stranger.gone()
        liar = Phone()
        await liar.dial(bench.endpoint, "observer", "MZ1")  # an observer's token does not open the line
        await liar.gone()
        assert not bench.uplink.events("LineAnswered")
        await bench.speaking()

    run(test)


def test_the_end_is_told_when_the_journal_has_it_and_the_doors_are_shut(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        bench.uplink.acknowledges = False
        phone.hang_up("bye")
        await bench.until(lambda: bench.uplink.of("end"))
        assert not bench.over.done()
        bench.uplink.acknowledge()
        await bench.over
        assert bench.uplink.sent[-1][:3] == (Ended.NAME, "c1", 1)
        assert bench.uplink.records[-1][4] == "end"
        late = Phone()
        await late.dial(bench.endpoint, "media")
        await late.gone()

    run(test)


def test_an_ending_call_keeps_its_records_until_the_supervisor_is_back(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "LINGER_MS", 1)

    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        await bench.until(lambda: not bench.call.recorder.unsafe)
        bench.uplink.up = False
        bench.call.supervisor_lost()
        phone.hang_up()
        await phone.gone()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not bench.over.done()
        assert bench.call.recorder.unsafe
        bench.uplink.up = True
        bench.call.supervisor_back()
        await bench.over
        assert bench.uplink.records[-1][4] == "end"
        seqs = [record[2] for record in bench.uplink.records]
        assert seqs == list(range(1, len(seqs) + 1))
        assert [body[3] for body in bench.uplink.events("HealthChanged") if body[2] == "journal"] == [False]

    run(test)


def test_the_supervisors_absence_is_known_to_the_core_while_it_lasts(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        await bench.speaking()
        bench.uplink.up = False
        bench.call.supervisor_lost()
        assert "journal" in bench.call.state.lost_parts
        bench.uplink.up = True
        bench.call.supervisor_back()
        await bench.until(lambda: "journal" not in bench.call.state.lost_parts)

    run(test)


def test_an_agent_that_fails_or_goes_away_is_lost_and_may_come_back(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        link = await bench.agent(
            lambda link, message: link.send(Failed.NAME, *message[1:3], "ValueError", ["a.py:3 in f"], "words") and None
        )
        await bench.phone()
        await bench.until(lambda: bench.uplink.events("AgentLost"))
        assert bench.uplink.events("AgentLost")[0][3:] == ["ValueError", ["a.py:3 in f"], "words"]
        (told,) = bench.call.state.failures
        assert (told[0], told[2]) == ("closer", "ValueError")
        assert bench.call.state.agents == ("closer",)  # lost and joined again
        link.close()
        await bench.until(lambda: not bench.call.state.agents)
        await bench.agent(lambda _link, _message: None)
        assert bench.call.state.agents == ("closer",)

    run(test)


FAR_MS = 10_000_000  # what another clock may say


def test_an_operators_word_enters_at_the_calls_own_moment(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        assert bench.call.told(Told("c1", encode(ev.HangupRequested(FAR_MS, ANN, "enough"))))
        await phone.have(Hangup.NAME)
        await bench.over
        assert bench.uplink.events("HangupRequested")[0][1] < FAR_MS
        assert not bench.call.told(Told("another call", []))

    run(test)


@pytest.mark.parametrize(
    "array",
    [
        [],
        ["HangupRequested"],
        ["HangupRequested", "now", "ann"],
        ["LineLost", 0, "over"],
        ["NoSuchEvent", 0],
        ["OperatorDecided", 0, 5, 5, 5],
        [None, None],
    ],
)
def test_an_operators_word_that_is_none_costs_itself(run: Any, array: list[Any]) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        phone = await bench.speaking()
        before = bench.call.state.revision
        assert bench.call.told(Told("c1", array))
        assert bench.call.state.revision == before and bench.call.session.refused_words == 1
        assert bench.call.told(Told("c1", encode(ev.HangupRequested(0, ANN, "enough"))))
        await phone.have(Hangup.NAME)
        await bench.over
        assert bench.uplink.of("end")[0]["counts"]["refused_words"] == 1

    run(test)


def test_a_proposal_that_is_none_costs_neither_the_others_nor_the_agents_link(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        refused = Refusal("x", Kind.TOOL, "book", "well_formed", "arguments: seats: text", "int")

        def answer(link: Link, message: list[Any]) -> None:
            if message[0] == Invite.NAME:
                good = Proposal("p1", "closer", Kind.SAY, 0, 0, "**Good** morning.", Purpose.GREETING)
                arrays = [
                    ["Proposal", "p2"],
                    5,
                    encode(good),
                    encode(replace(good, id="p3", text="| a | b | c | d | e |")),
                ]
                link.send(Answer.NAME, message[1], message[2], arrays, ["Reading", "yes", "said so"], [encode(refused)])

        link = await bench.agent(answer)
        phone = await bench.phone()
        await phone.have(Play.NAME)
        assert bench.call.state.speech.current.text == "Good morning."
        (event,) = bench.uplink.events("AgentAnswered")
        assert event[6] == ["yes", "said so"] and len(event[7]) == 4
        denied = [verdict for verdict in bench.uplink.of("verdict") if verdict[6] == "deny"]
        assert [verdict[12][0][0] for verdict in denied] == ["well_formed", "well_formed", "well_formed", "sayable"]
        assert link.open and not bench.uplink.events("AgentLost") and not bench.uplink.of("fault")
        assert replay(bench.uplink.records).same

    run(test)


@pytest.mark.parametrize(
    "answer", [(True, 1, []), (-1, 1, []), (0, 2**60, []), ("0", 1, []), (0, 1, "none"), (0, 1, [], 1, 2)]
)
def test_an_answer_to_nothing_is_not_written_down(run: Any, answer: tuple[Any, ...]) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        link = await bench.agent(lambda _link, _message: None)
        await bench.phone()
        link.send(Answer.NAME, *answer)
        link.send(Failed.NAME, 0, 1, "\x1b[1mE" + "r" * 1_000)
        await bench.until(lambda: bench.uplink.events("AgentLost"))
        answered = bench.uplink.events("AgentAnswered")
        if len(answer) > 3:
            assert [event[5:] for event in answered] == [[[], None, [], 0, False]], "what nobody knows is left out"
            assert len(bench.uplink.events("AgentLost")[0][3]) == 200
        else:
            assert answered == []

    run(test)


def test_the_journals_word_and_an_acts_way_come_back_as_events(run: Any) -> None:
    async def test(bench: Bench) -> None:
        await bench.begin()
        await bench.speaking()
        call, grant = bench.call, "g9"
        bench.uplink.acknowledges = False
        call.take(ev.HealthChanged(call.now(), "synthesizer", False))
        call.carry_out(cmd.AwaitJournal(grant))
        assert bench.uplink.events("Journaled") == []
        bench.uplink.acknowledge()
        await bench.until(lambda: bench.uplink.events("Journaled"))
        order = cmd.Perform(grant, "book", (("time", "ten"),), "k", True)
        call.carry_out(order)
        call.carry_out(cmd.Withdraw(grant, "k"))
        asked = (grant, "book", [["time", "ten"]], "k")
        assert [message for message in bench.uplink.sent if message[0] in (Perform.NAME, Withdraw.NAME)] == [
            (Perform.NAME, "c1", 1, *asked),
            (Withdraw.NAME, "c1", 1, *asked),
        ]
        assert call.told(Begun("k", grant))
        assert call.told(Performed("k", True, "booked", False, grant))
        await bench.until(lambda: bench.uplink.events("ActionFinished"))
        names = ("Journaled", "ActionBegun", "ActionFinished")
        assert [event[0] for event in bench.uplink.of("event") if event[0] in names] == list(names)

    run(test)


def test_every_command_of_the_core_is_carried_out_by_somebody() -> None:
    commands = {kind for name, kind in TAGS.items() if issubclass(kind, cmd.Command)}
    assert set(CARRIERS) == commands
