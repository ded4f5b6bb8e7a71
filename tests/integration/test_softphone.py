"""The softphone against a small agent on a real socket; time is virtual."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from offhook.serve.callers.softphone import CallRecord, place
from offhook.serve.carriers.messages import Connected, Media, Start, Stop
from offhook.serve.contracts.errors import ScriptFault
from picows import WSMsgType
from talker import LOUD, PACE, QUIET, TWILIO, Agent, agent, events, run, script


class Texts:
    """Captions that grow as the test's agent speaks."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.tools: dict[str, str] = {}

    def utterances(self) -> Sequence[str]:
        return self.said

    def acts(self) -> Mapping[str, str]:
        return self.tools


def test_speaks_the_carriers_side(tmp_path: Path) -> None:
    held: list[Agent] = []

    async def call() -> CallRecord:
        async with agent(lambda *_: None) as (url, agents):
            held.extend(agents)
            record = await place(
                script(tmp_path, '  - say: clip.wav\n  - dtmf: "5"\n  - hang_up: true'), url, TWILIO, pace=PACE
            )
            held[:] = agents
            return record

    record = run(call)
    (other,) = held
    kinds = [type(message).__name__ for message in other.messages]
    assert kinds == ["Connected", "Start", "Digit", "Stop"]
    assert isinstance(other.messages[0], Connected)
    assert isinstance(other.messages[1], Start)
    assert isinstance(other.messages[-1], Stop)
    assert LOUD * 20 in bytes(other.audio)  # the clip, whole and in one piece
    assert record.ended == "the caller hung up"
    assert not record.failures
    assert bytes(record.traffic.said).count(LOUD) == 20
    assert len(record.traffic.said) == len(record.traffic.heard) == record.duration_ms * 8
    json.dumps(record.plain())


def test_plays_in_order_and_returns_a_mark_when_it_was_played(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            agent.play(*[LOUD] * 25, mark="one")
            agent.play(*[QUIET] * 5, mark="two")

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            return await place(script(tmp_path, "  - listen: {silent_for_ms: 400}"), url, TWILIO, pace=PACE)

    record = run(call)
    first = events(record, "mark")[0]["at_ms"]
    assert [event["name"] for event in events(record, "mark")] == ["one", "two"]
    assert events(record, "mark")[1]["at_ms"] - first == 100
    begins = bytes(record.traffic.heard).index(LOUD)
    assert first == begins // 8 + 25 * 20 - 20  # in the tick that plays the last frame before it
    assert bytes(record.traffic.heard)[begins : begins + 25 * 160] == LOUD * 25
    assert not record.traffic.gaps
    assert not record.failures


def test_clear_empties_the_buffer_and_returns_pending_marks_at_once(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            agent.play(*[LOUD] * 200, mark="end")
        if isinstance(message, Media) and agent.caller_speaks() and not getattr(agent, "cleared", False):
            agent.cleared = True
            agent.clear()

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            steps = "  - interrupt: {clip: clip.wav, after_ms: 500}\n  - expect: {agent_stops_within_ms: 900}"
            return await place(script(tmp_path, steps), url, TWILIO, pace=PACE)

    record = run(call)
    (clear,) = events(record, "clear")
    (mark,) = events(record, "mark")
    assert mark["at_ms"] == clear["at_ms"]
    heard = bytes(record.traffic.heard).count(LOUD) * 20
    assert heard + clear["dropped_ms"] == 4_000
    assert not record.failures
    (interrupt,) = (step for step in record.steps if step["kind"] == "interrupt")
    assert interrupt["began_ms"] < 600


def test_an_agent_that_talks_on_fails_the_expectation_with_its_line(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            agent.play(*[LOUD] * 200)

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            steps = "  - interrupt: {clip: clip.wav, after_ms: 200}\n  - expect: {agent_stops_within_ms: 500}"
            return await place(script(tmp_path, steps), url, TWILIO, pace=PACE)

    record = run(call)
    assert len(record.failures) == 1
    assert "script.yaml:6: expect: waited" in record.failures[0]
    assert "for the agent to stop within 500 ms" in record.failures[0]


def test_a_buffer_that_runs_dry_in_speech_is_a_gap_and_a_pause_is_none(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            agent.play(*[LOUD] * 10)
            agent.resume_at, agent.more = 25, True
        elif isinstance(message, Media) and agent.more and agent.frames >= agent.resume_at:
            agent.more = False
            agent.play(*[LOUD] * 10, *[QUIET] * 10)

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            return await place(script(tmp_path, "  - listen: {silent_for_ms: 900}"), url, TWILIO, pace=PACE)

    record = run(call)
    assert len(record.traffic.gaps) == 1
    at_ms, ms = record.traffic.gaps[0]
    assert bytes(record.traffic.heard)[at_ms * 8 : (at_ms + ms) * 8] == QUIET * (ms // 20)
    assert bytes(record.traffic.heard)[(at_ms + ms) * 8 :].startswith(LOUD)


@pytest.mark.parametrize(
    ("expected", "stands", "failure"),
    [
        ("not_done", None, ""),
        ("not_done", "announcing", ""),
        ("not_done", "withdrawn", ""),
        ("not_done", "performing", "book stands as 'performing', and was not to be done"),
        ("not_done", "done", "book stands as 'done', and was not to be done"),
        ("done", "done", ""),
        ("done", "withdrawn", "in vain for book to be done"),
    ],
)
def test_an_act_is_expected_done_or_not_done(tmp_path: Path, expected: str, stands: str | None, failure: str) -> None:
    texts = Texts()
    texts.tools = {"book": stands} if stands else {}

    async def call() -> CallRecord:
        async with agent(lambda *_: None) as (url, _):
            steps = f"  - say: clip.wav\n  - expect: {{{expected}: book}}\n  - hang_up: true"
            return await place(script(tmp_path, steps), url, TWILIO, captions=texts, pace=PACE)

    record = run(call)
    assert bool(record.failures) is bool(failure)
    assert failure in "".join(record.failures)


def test_answers_what_the_agent_says_until_it_says_goodbye(tmp_path: Path) -> None:
    texts = Texts()
    lines = ["How many are you?", "And how many calls?", "Goodbye."]

    def on(agent: Agent, message: Any) -> None:
        due = not agent.caller_speaks() if isinstance(message, Media) and agent.frames else False
        spoken = getattr(agent, "spoken", False)
        if isinstance(message, Start) or (due and spoken and len(texts.said) < len(lines)):
            agent.spoken = False
            texts.said.append(lines[len(texts.said)])
            agent.play(*[LOUD] * 10)
        elif isinstance(message, Media) and agent.caller_speaks():
            agent.spoken = True

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            head = 'answers:\n  - {says: "how many", clip: clip.wav}\n'
            steps = "  - converse: {until: goodbye, within_s: 5, silent_for_ms: 200}"
            return await place(script(tmp_path, steps, 200, head), url, TWILIO, captions=texts, pace=PACE)

    record = run(call)
    assert not record.failures
    assert len(events(record, "says")) == 2


def test_words_without_captions_are_refused_before_anything_rings(tmp_path: Path) -> None:
    with pytest.raises(ScriptFault, match=r"script\.yaml: waits for what the agent says"):
        run(lambda: place(script(tmp_path, "  - listen: {says: hello}"), "ws://127.0.0.1:9/", TWILIO))


def test_a_line_that_cannot_be_opened_is_a_record(tmp_path: Path) -> None:
    record = run(lambda: place(script(tmp_path, "  - say: clip.wav"), "ws://127.0.0.1:9/", TWILIO))
    assert record.failures[0].startswith("the line could not be opened")


def test_the_far_end_hanging_up_ends_the_call(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Media) and agent.frames == 10:
            agent.transport.send_close(1000, b"goodbye")

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            return await place(script(tmp_path, "  - pause_ms: 60000"), url, TWILIO, pace=PACE)

    record = run(call)
    assert record.ended == "the far end closed the stream (1000: goodbye)"
    assert record.duration_ms < 5_000


def test_nonsense_from_the_far_end_is_noted_and_the_call_goes_on(tmp_path: Path) -> None:
    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            for raw in (b"{", b'{"event":"dance"}', b'{"event":"media","media":{"payload":"!"}}'):
                agent.transport.send(WSMsgType.TEXT, raw)

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            return await place(script(tmp_path, "  - pause_ms: 500"), url, TWILIO, pace=PACE)

    record = run(call)
    assert len(events(record, "fault")) == 3
    assert record.ended == "the caller hung up"


@pytest.mark.parametrize(
    ("steps", "failure"),
    [
        ("  - pause_ms: 5000\n  - say: clip.wav\n  - hang_up: true", "say: the call was over before that: "),
        ("  - converse: {until: order}", "converse: the call was over before that: "),
        ("  - converse: {until: goodbye}\n  - expect: {done: cancel}", "expect: the call was over before that: "),
        ("  - converse: {until: goodbye}\n  - expect: {done: book}", ""),
        ("  - listen: {silent_for_ms: 2000}\n  - hang_up: true", ""),
        ("  - pause_ms: 5000\n  - hang_up: true\n  - say: clip.wav", ""),
    ],
)
def test_a_call_that_ends_before_its_script_is_a_failure_unless_only_waiting_is_left(
    tmp_path: Path, steps: str, failure: str
) -> None:
    texts = Texts()
    texts.tools = {"book": "done"}

    def on(agent: Agent, message: Any) -> None:
        if isinstance(message, Start):
            texts.said.append("Goodbye.")
            agent.play(*[LOUD] * 10)
        elif isinstance(message, Media) and agent.frames == 20:
            agent.transport.disconnect()

    async def call() -> CallRecord:
        async with agent(on) as (url, _):
            head = 'answers:\n  - {says: "how many", clip: clip.wav}\n' if "converse" in steps else ""
            return await place(script(tmp_path, steps, head=head), url, TWILIO, captions=texts, pace=PACE)

    record = run(call)
    assert len(record.failures) == bool(failure)
    assert failure in "".join(record.failures)
