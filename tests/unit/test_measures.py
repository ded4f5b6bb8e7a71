"""What a call measures for the metrics: whole conversations on virtual time, and what of them is counted."""

from __future__ import annotations

import pytest
from dialogue import Dialogue
from offhook.actors.call.measures import Measures
from offhook.actors.contracts.metrics import REPLY_PARTS, MetricRow
from offhook.actors.process.metric_registry import MetricRegistry
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Command, RecordVerdict
from offhook.policies.core.proposals import Purpose
from offhook.policies.core.records import REPLY, Measure
from scene import Scene

ANSWER_MS, VOICE_MS = 5, 120  # an agent's, and from Say to the first sound, in `Dialogue`
LONG = "Our plan costs four hundred dollars a month and it includes support at any hour of the day or night"


class Written:
    """Records that nobody keeps."""

    lost = 0

    def tell(self, at_ms: int, measure: Measure) -> int:
        assert measure.what == REPLY
        return at_ms


class _Measured:
    """A call of which every event and command is measured, as its runtime does."""

    registry: MetricRegistry
    measures: Measures

    def measured(self) -> None:
        self.registry = MetricRegistry()
        self.measures = Measures(Written(), self.registry)  # type: ignore[arg-type]

    def values(self, name: str) -> dict[tuple[str, ...], MetricRow]:
        """The series of one metric, by the values of their labels."""
        return {tuple(row.labels.values()): row for row in self.registry.rows() if row.name == name}

    def counts(self, name: str) -> dict[tuple[str, ...], float]:
        return {labels: row.value for labels, row in self.values(name).items()}


class MeasuredDialogue(_Measured, Dialogue):
    def __init__(self) -> None:
        self.measured()
        super().__init__()

    def feed(self, event: ev.Event) -> list[Command]:
        commands = super().feed(event)
        for command in commands:
            self.measures.carried(command, self.state)
        self.measures.settled(event, self.state)
        return commands


class MeasuredScene(_Measured, Scene):
    def __init__(self) -> None:
        self.measured()
        super().__init__()

    def feed(self, event: ev.Event) -> list[Command]:
        commands = super().feed(event)
        for command in commands:
            self.measures.carried(command, self.state)
        self.measures.settled(event, self.state)
        return commands

    def speaking(self) -> MeasuredScene:
        self.answered("booking")
        self.agent_says(LONG, purpose=Purpose.OFFER)
        self.passes(1_500)
        return self


def size(row: MetricRow) -> int:
    return sum(row.buckets)


def test_a_reply_is_the_sum_of_its_parts() -> None:
    call = MeasuredDialogue()
    call.begins().settles()  # type: ignore[attr-defined]
    assert call.values("offhook_reply_seconds") == {}, "a greeting replies to nobody"
    call.caller_says("we are thirty people and we do it all by hand")
    (reply,) = call.values("offhook_reply_seconds").values()
    assert size(reply) == 1
    parts = call.values("offhook_reply_part_seconds")
    assert set(parts) == {(part,) for part in REPLY_PARTS}
    assert all(size(part) == 1 for part in parts.values())
    assert sum(part.value for part in parts.values()) == pytest.approx(reply.value)
    assert parts["end_of_turn",].value >= 0.2, "patience, and words that come after the sound"
    assert parts["round",].value == pytest.approx(ANSWER_MS / 1_000)
    assert parts["gate",].value == 0
    assert parts["synthesis",].value == pytest.approx(VOICE_MS / 1_000)


def test_a_caller_who_goes_on_before_the_reply_got_none() -> None:
    call = MeasuredDialogue()
    call.begins().settles()  # type: ignore[attr-defined]
    call.caller_speaks("we are thirty people")
    while not call.state.end_of_turn.decided_ms:
        call.passes(10)
    call.passes(ANSWER_MS + 1)  # the agents have answered, and the first word is under way
    call.speech_starts()
    call.speech_goes_on(600)
    call.words("and we do it by hand", final=False)
    call.passes(VOICE_MS * 2)
    assert call.values("offhook_reply_seconds") == {}


def test_every_answer_of_an_agent_has_its_time_by_name() -> None:
    call = MeasuredDialogue()
    call.begins().settles()  # type: ignore[attr-defined]
    call.caller_says("we are thirty people and we do it all by hand")
    asked = call.values("offhook_proposal_seconds")
    assert set(asked) == {(agent,) for agent in call.agents}
    for row in asked.values():
        assert row.value == pytest.approx(size(row) * ANSWER_MS / 1_000)


def test_verdicts_are_counted_by_answer_and_by_the_first_rule_that_failed() -> None:
    call = MeasuredDialogue()
    call.begins().settles()  # type: ignore[attr-defined]
    call.caller_says("we are thirty people and we do it all by hand")
    call.caller_says("hm what does it cost")
    verdicts = [c.verdict for c in call.commands if isinstance(c, RecordVerdict)]
    counted = call.counts("offhook_verdicts")
    assert sum(counted.values()) == len(verdicts)
    assert counted["grant", "none"] == sum(v.answer == "grant" for v in verdicts)
    for (answer, rule), count in counted.items():
        failed = [next((r.rule for r in v.rules if not r.ok), "none") for v in verdicts if v.answer == answer]
        assert failed.count(rule) == count


def test_the_lag_of_words_is_told_for_partial_and_final_readings() -> None:
    call = MeasuredDialogue()
    call.begins().settles()  # type: ignore[attr-defined]
    call.caller_says("we are thirty people", final_after_ms=250)
    lags = call.values("offhook_word_lag_seconds")
    assert set(lags) == {("partial",), ("final",)}
    assert size(lags["final",]) == 1


def test_holds_are_counted_by_what_they_turned_out_to_be() -> None:
    cough = MeasuredScene().speaking()
    cough.speech_starts()
    cough.speech_ends()
    cough.passes(3_000)
    assert cough.counts("offhook_holds") == {("noise",): 1}

    token = MeasuredScene().speaking()
    token.speech_starts()
    token.speech_goes_on(200)
    token.speech_ends()
    token.words("mm-hmm")
    token.passes(3_000)
    assert token.counts("offhook_holds") == {("backchannel",): 1}

    taken = MeasuredScene().speaking()
    taken.speech_starts()
    taken.speech_goes_on(300)
    taken.words("wait how much is that", final=False)
    taken.speech_goes_on(300)
    assert taken.counts("offhook_holds") == {("taken",): 1}


def test_words_that_come_late_correct_what_a_hold_was() -> None:
    call = MeasuredScene().speaking()
    call.speech_starts()
    call.speech_goes_on(100)
    call.speech_ends()
    assert call.counts("offhook_holds") == {}, "it is watched a while longer"
    call.words("no wait stop I do not want that")
    call.passes(3_000)
    assert call.counts("offhook_holds") == {("taken",): 1}


def test_a_call_that_ends_in_a_hold_leaves_it_open() -> None:
    call = MeasuredScene().speaking()
    call.speech_starts()
    call.measures.close(faults=2)
    assert call.counts("offhook_holds") == {("open",): 1}
    assert call.counts("offhook_core_faults") == {(): 2}


def test_an_agent_that_is_lost_or_late_is_counted_by_name() -> None:
    call = MeasuredScene()
    call.answered("booking")
    call.passes(call.policy.arbitration.deadline_ms)
    assert call.counts("offhook_agents_late") == {("booking",): 1}
    call.happens(ev.AgentLost, agent="booking", reason="it raised")
    assert call.counts("offhook_agents_lost") == {("booking",): 1}
    assert call.values("offhook_proposal_seconds") == {}


def test_a_debt_that_is_not_paid_is_counted_by_what_was_owed() -> None:
    call = MeasuredScene()
    call.answered("booking")
    call.passes(call.policy.arbitration.deadline_ms)
    call.speech_starts()
    call.state.timers = {**call.state.timers, "round.callback": call.now_ms}
    call.feed(ev.TimerFired(call.now_ms, "round.callback", call.now_ms))
    assert [debt.kind for debt in call.state.debts] == ["timer"]
    call.happens(ev.LineClosed, reason="hung up")
    assert call.counts("offhook_debts_written_off") == {("timer",): 1}
