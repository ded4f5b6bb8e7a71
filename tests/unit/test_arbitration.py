"""Rounds: who is asked, whose proposal is tried first, and what becomes of answers that come late."""

from __future__ import annotations

from dialogue import failed
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Command, InviteAgents, Perform, Say
from offhook.policies.core.proposals import Answer, Kind, Proposal, Purpose
from offhook.policies.gate.entry import PROPOSALS_MAX
from scene import Scene, of, policy, verdicts

BOTH = ("booking", "objection")


def proposal(text: str, agent: str = "booking", **fields: object) -> Proposal:
    return Proposal(**{"id": "", "agent": agent, "kind": Kind.SAY, "turn": 0, "basis": 0, "text": text, **fields})


def answers(
    scene: Scene, agent: str, *proposals: Proposal, turn: int | None = None, basis: int | None = None
) -> list[Command]:
    found = scene.state.round
    return scene.happens(
        ev.AgentAnswered,
        agent=agent,
        turn=turn if turn is not None else scene.state.turn,
        basis=basis if basis is not None else (found.basis if found is not None else scene.state.revision),
        proposals=proposals,
    )


def said(commands: list[Command]) -> list[str]:
    return [say.text for say in of(commands, Say)]


def turn_ended(scene: Scene, words: str = "What about it then") -> Scene:
    """The caller has spoken and the end of the turn has been decided: a round is open."""
    scene.speech_starts()
    scene.speech_goes_on(800)
    scene.speech_ends()
    scene.words(words)
    while scene.state.round is None:
        scene.passes(50)
    return scene


def test_all_agents_are_asked_once_on_the_state_of_this_revision() -> None:
    scene = Scene().answered(*BOTH)
    (invitation,) = of(scene.commands, InviteAgents)
    assert invitation.agents == BOTH and invitation.reason == "answered"
    assert invitation.revision == scene.state.revision and invitation.turn == scene.state.turn
    assert scene.timers["round"] == invitation.deadline_ms == 150


def test_the_round_is_settled_when_all_have_answered_by_priority() -> None:
    scene = Scene().answered(*BOTH)
    assert not said(answers(scene, "booking", proposal("Low.", priority=0.2)))
    assert said(answers(scene, "objection", proposal("High.", priority=0.9))) == ["High."]
    assert scene.state.round is None and "round" not in scene.timers


def test_what_the_gate_denies_gives_way_to_the_next() -> None:
    scene = Scene(policy(gate={"actions": {"say:offer": {"readiness_share": 0.9}}})).answered(*BOTH)
    best = proposal("Buy it.", purpose=Purpose.OFFER, priority=0.9)
    answers(scene, "booking", best)
    commands = answers(scene, "objection", proposal("Hello.", priority=0.1))
    assert said(commands) == ["Hello."]
    assert [v.answer for v in verdicts(commands)] == [Answer.DENY, Answer.GRANT]


def test_one_thing_is_said_in_a_round_but_a_silent_act_goes_with_it() -> None:
    scene = Scene().answered(*BOTH)
    tool = proposal("", kind=Kind.TOOL, action="note", priority=0.9)
    answers(scene, "booking", tool, proposal("One.", priority=0.5), proposal("Two.", priority=0.4))
    commands = answers(scene, "objection", proposal("Three.", priority=0.3))
    assert said(commands) == ["One."] and len(of(commands, Perform)) == 1


def test_ties_are_broken_by_what_fits_then_by_name() -> None:
    scene = Scene().answered(*BOTH)
    answers(scene, "objection", proposal("Fits.", purpose=Purpose.GREETING))
    assert said(answers(scene, "booking", proposal("Does not."))) == ["Fits."]
    scene = Scene().answered(*BOTH)
    answers(scene, "objection", proposal("Second."))
    assert said(answers(scene, "booking", proposal("First."))) == ["First."]


def test_the_deadline_settles_with_what_is_there() -> None:
    scene = Scene().answered(*BOTH)
    answers(scene, "booking", proposal("In time."))
    assert said(scene.passes(150)) == ["In time."]


def test_a_late_but_fresh_answer_is_still_judged_while_nothing_was_said() -> None:
    scene = Scene().answered(*BOTH)
    basis = scene.state.revision
    scene.passes(400)
    assert scene.state.round is None
    assert said(answers(scene, "booking", proposal("Late."), basis=basis)) == ["Late."]
    commands = answers(scene, "objection", proposal("Later."), basis=basis)
    (verdict,) = verdicts(commands)
    assert not said(commands) and verdict.reason.startswith("unanswered")


def test_an_interruption_fences_answers_computed_before_it() -> None:
    scene = turn_ended(Scene().answered(*BOTH))
    before = scene.state.round
    assert before is not None
    scene.speech_starts()
    scene.words("and what does it cost", final=False)
    commands = answers(scene, "booking", proposal("Stale."), turn=before.turn, basis=before.basis)
    commands += scene.passes(200)
    (verdict,) = verdicts(commands)
    assert not said(commands), "nor is the caller, who goes on speaking, asked to say it again"
    assert verdict.answer is Answer.DENY and verdict.reason.startswith("fresh")


def test_an_agent_cannot_pass_for_another_or_for_newer_than_it_is() -> None:
    scene = turn_ended(Scene().answered(*BOTH))
    found = scene.state.round
    assert found is not None
    liar = proposal("Trust me.", agent="core", turn=scene.state.turn, basis=scene.state.revision)
    commands = answers(scene, "booking", liar, turn=found.turn - 1, basis=found.basis - 1)
    (verdict,) = verdicts(commands)
    assert verdict.agent == "booking" and verdict.answer is Answer.DENY


def test_a_lost_agent_is_not_waited_for() -> None:
    scene = Scene().answered(*BOTH)
    answers(scene, "booking", proposal("Mine."))
    assert said(scene.happens(ev.AgentLost, agent="objection", reason="raised")) == ["Mine."]
    assert scene.state.agents == ("booking",)


def test_an_agent_that_joins_after_the_answer_is_asked_for_the_greeting() -> None:
    scene = Scene().answered()
    assert not of(scene.commands, InviteAgents)
    commands = scene.happens(ev.AgentJoined, agent="booking")
    assert [i.reason for i in of(commands, InviteAgents)] == ["answered"]
    commands = scene.happens(ev.AgentJoined, agent="objection")
    assert [i.agents for i in of(commands, InviteAgents)] == [("objection",)], "into the open round"


def test_a_turn_that_comes_to_nothing_gets_the_fallback_line_but_not_for_ever() -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    heard = []
    for number in range(5):
        turn_ended(scene, f"gibberish number {number}")
        commands = answers(scene, "booking")
        for say in of(commands, Say):
            heard.append(say.text)
            scene.happens(ev.PlaybackStarted, utterance=say.utterance)
            scene.passes(500)
            scene.happens(ev.PlaybackEnded, utterance=say.utterance, confirmed=True)
    assert heard == ["Sorry, could you say that again?"] * 3, "the loop breaker's limit"


def test_without_any_agent_the_caller_still_gets_an_answer() -> None:
    scene = Scene().answered()
    scene.speech_starts()
    scene.speech_goes_on(800)
    scene.speech_ends()
    scene.words("hello is anybody there")
    assert said(scene.passes(3_000)) == ["Sorry, could you say that again?"]


def test_a_proposal_waits_for_the_floor_and_fits_in_when_it_is_noise() -> None:
    scene = Scene().answered("booking")
    found = scene.state.round
    assert found is not None
    scene.speech_starts()
    answers(scene, "booking", proposal("Hello."), turn=found.turn, basis=found.basis)
    assert len(scene.state.authority.waiting) == 1
    scene.passes(80)
    scene.speech_ends()
    assert said(scene.passes(2_500)) == ["Hello."]


def test_a_handoff_asks_the_agent_it_goes_to() -> None:
    scene = Scene().answered(*BOTH)
    answers(scene, "objection")
    commands = answers(scene, "booking", proposal("", kind=Kind.HANDOFF, action="objection"))
    (invitation,) = of(commands, InviteAgents)
    assert invitation.agents == ("objection",) and invitation.reason == "handoff"


def test_a_flood_of_proposals_is_cut_off() -> None:
    scene = Scene(policy(gate={"actions": {"say:offer": {"readiness_share": 1.0}}})).answered("booking")
    flood = [proposal(f"Buy number {n}.", purpose=Purpose.OFFER) for n in range(50)]
    rest, *judged = verdicts(answers(scene, "booking", *flood))
    assert len(judged) == PROPOSALS_MAX
    assert failed(rest) == {"well_formed"} and rest.reason == "well_formed: needs at most 8 proposals, is more"


def test_a_finished_action_is_told_to_the_agents() -> None:
    scene = Scene().answered("booking")
    answers(scene, "booking", proposal("", kind=Kind.TOOL, action="note"))
    (grant,) = scene.state.authority.grants
    commands = scene.happens(ev.ActionFinished, grant=grant.id, ok=True, result="noted")
    assert [i.reason for i in of(commands, InviteAgents)] == ["action_finished"]
    assert not of(scene.happens(ev.ActionFinished, grant="g99", ok=True, result=""), InviteAgents)


def test_what_waited_and_is_said_at_the_end_of_the_turn_is_the_answer() -> None:
    scene = Scene().answered("booking")
    found = scene.state.round
    assert found is not None
    scene.speech_starts()
    scene.speech_goes_on(800)
    scene.words("hello")
    fresh = scene.state.revision
    answers(scene, "booking", proposal("Good day."), turn=scene.state.turn, basis=fresh)
    scene.speech_ends()
    commands = scene.passes(2_500)
    assert said(commands) == ["Good day."] and not of(commands, InviteAgents)
