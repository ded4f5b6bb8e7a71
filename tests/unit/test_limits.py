"""Limits of the whole call: ringing, length, a lost line, hang-ups, and the word for each end."""

from __future__ import annotations

from offhook.policies.core import events as ev
from offhook.policies.core.commands import HangUp, InviteAgents, Say, TransferCall
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Kind, Proposal, Purpose
from offhook.policies.core.state import Line
from scene import Scene, of, policy

SHORT = {"call_ms": 30_000, "warning_ms": 10_000, "grace_ms": 4_000, "line_lost_ms": 5_000, "ring_ms": 8_000}
QUIET = {"hesitating_after_ms": 30_000, "absent_after_ms": 60_000}  # the ladder stays out of the way


def call(**limits: int | str) -> Scene:
    return Scene(policy(limits={**SHORT, **limits}, silence=QUIET)).answered("booking")


def closed(found: Scene, reason: str = "stop") -> str:
    found.happens(ev.LineClosed, reason=reason)
    assert found.state.line is Line.CLOSED and not found.timers
    return found.state.outcome


def test_ringing_ends_in_no_answer() -> None:
    found = Scene(policy(limits=SHORT))
    found.happens(ev.CallCreated, call="c", direction="outbound", caller="+1", callee="+2", policy_version="t")
    assert not of(found.passes(7_999), HangUp)
    assert of(found.passes(1), HangUp) == [HangUp("no_answer")]
    assert closed(found) == "no_answer"


def test_a_call_that_is_closed_while_ringing_was_not_answered() -> None:
    found = Scene(policy(limits=SHORT))
    found.happens(ev.CallCreated, call="c", direction="outbound", caller="+1", callee="+2", policy_version="t")
    assert closed(found) == "no_answer"


def test_answering_stops_the_ringing_limit() -> None:
    found = call()
    assert "limits.ring" not in found.timers and found.state.answered_ms == found.now_ms
    assert found.timers["limits.call"] == found.now_ms + 30_000
    assert found.timers["limits.warning"] == found.now_ms + 20_000


def test_the_warning_is_spoken_and_cannot_be_interrupted() -> None:
    found = call()
    (say,) = of(found.passes(20_000), Say)
    assert say.text == found.policy.limits.warning_line and not say.interruptible


def test_no_warning_where_it_would_come_before_the_call() -> None:
    assert "limits.warning" not in call(warning_ms=30_000).timers
    assert "limits.warning" not in call(warning_ms=0).timers


def test_the_limit_says_goodbye_and_hangs_up_when_it_was_heard() -> None:
    found = call(warning_ms=0)
    (say,) = of(found.passes(30_000), Say)
    assert say.text == found.policy.limits.goodbye_line
    found.happens(ev.PlaybackStarted, utterance=say.utterance)
    found.passes(1_500)
    assert of(found.happens(ev.PlaybackEnded, utterance=say.utterance, confirmed=True), HangUp)
    assert closed(found) == "call_limit"


def test_the_grace_ends_a_call_whose_goodbye_nobody_heard() -> None:
    found = call(warning_ms=0)
    found.speech_starts()
    asked = found.passes(30_000)
    assert not of(asked, HangUp), "the caller is speaking: the goodbye waits"
    assert of(found.passes(4_000), HangUp) == [HangUp("call_limit")]


def test_a_line_that_comes_back_in_time_goes_on() -> None:
    found = call()
    utterance = found.agent_says("Our plan has three parts", purpose=Purpose.ANSWER)
    found.passes(400)
    found.happens(ev.LineLost, reason="socket closed")
    assert found.state.line is Line.LOST and "limits.line" in found.timers
    found.passes(3_000)
    asked = found.happens(ev.LineResumed)
    assert found.state.line is Line.OPEN and "limits.line" not in found.timers
    assert [command.utterance for command in asked if type(command).__name__ == "ResumeSpeech"] == [utterance]


def test_what_was_due_while_the_line_was_lost_is_due_when_it_is_back() -> None:
    found = Scene(policy(limits=SHORT)).answered("booking")
    utterance = found.agent_says("What brings you to us?", purpose=Purpose.QUESTION)
    found.passes(1_000)
    found.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    found.happens(ev.LineLost, reason="socket closed")
    assert not of(found.passes(4_500), Say), "nobody would hear it"
    found.happens(ev.LineResumed)
    assert of(found.passes(1), Say)


def test_a_line_that_stays_away_ends_the_call() -> None:
    found = call()
    found.happens(ev.LineLost, reason="socket closed")
    assert of(found.passes(5_000), HangUp) == [HangUp("line_lost")]
    assert closed(found, "gone") == "line_lost"


def test_a_requested_hang_up_is_carried_out_at_once() -> None:
    found = call()
    found.agent_says("Our plan has three parts")
    assert of(found.happens(ev.HangupRequested, by=Principal.of("person:ann"), reason="test"), HangUp) == [
        HangUp("requested")
    ]
    assert closed(found) == "requested"


def test_a_carrier_that_does_not_close_is_asked_again() -> None:
    found = call()
    found.happens(ev.HangupRequested, by=Principal.of("person:ann"), reason="test")
    assert of(found.passes(5_000), HangUp) == [HangUp("requested")]


def test_a_caller_who_hangs_up_is_named_and_the_first_reason_stands() -> None:
    found = call()
    assert closed(found, "stop") == "caller_hung_up"
    found.happens(ev.LineClosed, reason="stop")
    assert found.state.outcome == "caller_hung_up"


def transferring(found: Scene) -> Scene:
    """The gate has let the caller be put through."""
    proposal = Proposal("t", "booking", Kind.TRANSFER, found.state.turn, found.state.revision, action="+15550123")
    found.happens(
        ev.AgentAnswered, agent="booking", turn=found.state.turn, basis=found.state.revision, proposals=(proposal,)
    )
    assert of(found.commands, TransferCall)
    return found


def test_a_transfer_is_an_outcome_of_its_own() -> None:
    assert closed(transferring(call()), "transferred") == "transferred"


def test_a_transfer_that_nobody_answers_is_told_to_the_caller() -> None:
    found = transferring(call(transfer_ms=8_000, warning_ms=0))
    assert not of(found.passes(7_999), Say)
    (say,) = of(found.passes(1), Say)
    assert say.text == found.policy.limits.unanswered_line
    assert not found.state.authority.grants or found.state.authority.grants[0].proposal.kind is Kind.SAY
    assert closed(found) == "caller_hung_up", "nobody has taken the caller over"


def test_a_caller_who_speaks_meanwhile_is_told_when_it_is_the_agents_turn() -> None:
    found = transferring(call(transfer_ms=8_000, call_ms=60_000, warning_ms=0))
    found.passes(7_500)
    found.speech_starts()
    found.speech_goes_on(1_000)
    found.words("hello is anybody there")
    assert not of(found.commands, Say)
    found.speech_ends()
    assert [say.text for say in of(found.passes(2_000), Say)] == [found.policy.limits.unanswered_line]


def test_without_a_line_for_it_the_agents_are_asked() -> None:
    found = transferring(call(transfer_ms=8_000, unanswered_line=""))
    assert [asked.reason for asked in of(found.passes(8_000), InviteAgents)] == ["action_finished"]
