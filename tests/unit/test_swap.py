"""Another policy takes a call over: when it may, and what stays, ends and begins."""

from __future__ import annotations

from typing import Any

import pytest
from offhook.policies.conversation import limits, silence
from offhook.policies.conversation.swap import unsafe
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.commands import ArmTimer, InviteAgents, RecordVerdict
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Answer, Asks, Kind, Proposal, Purpose
from scene import Scene, of, policy


def led_by(scene: Scene, led_by: Policy, *agents: str, version: str = "v2", **fields: Any) -> list[Any]:
    scene.policy = led_by
    return scene.happens(ev.PolicyChanged, version=version, agents=agents or tuple(led_by.agents), **fields)


def two_agents(**sections: Any) -> Policy:
    return policy(agents={name: AgentSpec(code="m:C") for name in ("booking", "closing")}, **sections)


def test_a_call_is_at_a_safe_point_while_nothing_is_under_way() -> None:
    scene = Scene().answered("booking")
    assert unsafe(scene.state) == "a round of proposals is open"
    utterance = scene.agent_says("What time suits you?", asks=Asks.TIME, purpose=Purpose.QUESTION)
    assert unsafe(scene.state) == "an utterance is under way"
    scene.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    assert unsafe(scene.state) == ""
    scene.speech_starts()
    scene.speech_goes_on(300)
    assert unsafe(scene.state) == ""  # the caller may speak
    scene.happens(ev.LineClosed, reason="hung up")
    assert unsafe(scene.state) == "the call is ending"


def test_not_inside_an_overlap_nor_while_the_agent_is_held() -> None:
    scene = Scene().answered("booking")
    scene.agent_says("What I would like to tell you is rather long.")
    scene.speech_starts()
    assert scene.state.overlap is not None
    assert unsafe(scene.state)


def test_not_between_a_grant_and_its_act() -> None:
    scene = Scene(policy(gate={"actions": {"note": {}}})).answered("booking")
    act = Proposal("p1", "booking", Kind.TOOL, scene.state.turn, scene.state.revision, action="note")
    scene.happens(
        ev.AgentAnswered, agent="booking", turn=scene.state.turn, basis=scene.state.revision, proposals=(act,)
    )
    (grant,) = scene.state.authority.grants
    assert unsafe(scene.state) == "what was granted is not carried out yet"
    scene.happens(ev.ActionFinished, grant=grant.id, ok=True, result="done")
    scene.passes(1_000)  # the round that the news opened is over
    assert "granted" not in unsafe(scene.state)


def test_not_while_it_is_unknown_who_picked_up() -> None:
    scene = Scene(policy(answering={"enabled": True})).answered("booking", direction="outbound")
    assert unsafe(scene.state) == "it is not known who picked up"


def test_agents_that_the_new_policy_lacks_leave_and_new_ones_join() -> None:
    scene = Scene(two_agents()).answered("booking", "closing")
    led_by(scene, policy(agents={"closing": AgentSpec(code="m:D"), "new": AgentSpec(code="m:D")}), "closing", "new")
    assert scene.state.agents == ("closing", "new")
    assert scene.state.policy_version == "v2"


def test_facts_stay_and_the_turn_rises() -> None:
    scene = Scene().answered("booking")
    utterance = scene.agent_says("What time suits you?", asks=Asks.TIME, purpose=Purpose.QUESTION, slot="time")
    scene.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    scene.speech_starts()
    scene.speech_ends()
    scene.words("tuesday at ten, but it is expensive")
    before = scene.state
    assert before.concerns
    led_by(scene, two_agents())
    after = scene.state
    for fact in (
        "stage",
        "slots",
        "ledger",
        "concerns",
        "authority",
        "hearing",
        "speech",
        "floor",
        "evidence_revision",
    ):
        assert getattr(after, fact) == getattr(before, fact), fact
    assert after.turn == before.turn + 1
    assert decode(encode(after)) == after


def test_what_was_computed_for_the_former_version_is_refused_in_writing() -> None:
    scene = Scene().answered("booking")
    turn, basis = scene.state.turn, scene.state.revision
    led_by(scene, two_agents())
    late = Proposal("late", "booking", Kind.SAY, turn, basis, "Good morning.", Purpose.GREETING)
    commands = scene.happens(ev.AgentAnswered, agent="booking", turn=turn, basis=basis, proposals=(late,))
    (record,) = of(commands, RecordVerdict)
    assert record.verdict.answer is Answer.DENY
    assert [result.rule for result in record.verdict.rules if not result.ok] == ["fresh"]


def test_an_open_round_is_asked_anew_and_a_greeting_that_is_due_is_asked_for() -> None:
    scene = Scene().answered("booking")
    assert scene.state.round is not None
    (invited,) = of(led_by(scene, two_agents()), InviteAgents)
    assert (invited.agents, invited.reason, invited.turn) == (("booking", "closing"), "answered", scene.state.turn)
    scene.passes(1_000)  # nobody answers
    assert scene.state.round is None
    (invited,) = of(led_by(scene, two_agents(), version="v3"), InviteAgents)
    assert invited.reason == "answered"


def test_what_is_being_said_goes_on_when_a_swap_is_forced() -> None:
    scene = Scene().answered("booking")
    utterance = scene.agent_says("What I would like to tell you is rather long.")
    commands = led_by(scene, two_agents())
    current = scene.state.speech.current
    assert current is not None and current.id == utterance
    assert not any(type(command).__name__ in ("CutSpeech", "HoldSpeech", "Say") for command in commands)
    assert scene.state.authority.grants


@pytest.mark.parametrize(
    ("length_ms", "warning_ms", "call_at", "warning_at"),
    [
        (600_000, 60_000, 600_000, 540_000),
        (600_000, 0, 600_000, None),
        (150_000, 60_000, 150_000, 100_000),  # the warning's moment has passed: now
        (50_000, 10_000, 100_000, 100_000),  # and so has the limit
    ],
)
def test_the_calls_length_counts_from_the_answer(
    length_ms: int, warning_ms: int, call_at: int, warning_at: int | None
) -> None:
    scene = Scene(policy(limits={"call_ms": 1_800_000, "warning_ms": 60_000}))
    scene.answered("booking")
    scene.now_ms = 100_000
    commands = led_by(scene, policy(limits={"call_ms": length_ms, "warning_ms": warning_ms}))
    assert scene.state.timers[limits.CALL] == call_at
    assert scene.state.timers.get(limits.WARNING) == warning_at
    assert any(command.timer == limits.CALL for command in of(commands, ArmTimer))


def test_the_room_of_a_silence_counts_from_its_beginning() -> None:
    scene = Scene().answered("booking")
    utterance = scene.agent_says("What time suits you?", asks=Asks.TIME, purpose=Purpose.QUESTION)
    scene.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    since_ms = scene.state.silence.since_ms
    first = scene.state.timers[silence.TIMER] - since_ms
    scene.passes(1_000)
    led_by(scene, policy(silence={"hesitating_after_ms": 6_000}))
    assert scene.state.timers[silence.TIMER] == since_ms + 2 * first
    scene.passes(2 * first)  # the first rung is climbed: what follows keeps its moment
    due = scene.state.timers.get(silence.TIMER)
    led_by(scene, policy(silence={"hesitating_after_ms": 500}), version="v3")
    assert scene.state.timers.get(silence.TIMER) == due


def test_nothing_happens_to_a_call_that_is_over() -> None:
    scene = Scene().answered("booking")
    scene.happens(ev.LineClosed, reason="hung up")
    assert led_by(scene, two_agents()) == []
