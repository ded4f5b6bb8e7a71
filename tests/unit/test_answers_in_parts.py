"""Answers in parts: one agent's sentences, each said after the one before it, and none after a cut."""

from __future__ import annotations

from dialogue import failed
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Command, Perform, Say
from offhook.policies.core.proposals import Answer, Kind, Proposal, Purpose
from scene import Scene, of, policy, verdicts

BOTH = ("booking", "objection")


class Asked(Scene):
    """A call whose caller has spoken; the agents are asked, by an invitation of this turn and revision."""

    asked: tuple[int, int]

    def turn_ended(self) -> None:
        self.speech_starts()
        self.speech_goes_on(800)
        self.speech_ends()
        self.words("What about it then")
        while self.state.round is None:
            self.passes(50)
        self.asked = (self.state.round.turn, self.state.round.basis)


def proposal(text: str, **fields: object) -> Proposal:
    return Proposal(**{"id": "", "agent": "", "kind": Kind.SAY, "turn": 0, "basis": 0, "text": text, **fields})


def said(commands: list[Command]) -> list[str]:
    return [say.text for say in of(commands, Say)]


def part(scene: Asked, number: int, *proposals: Proposal, more: bool = True, agent: str = "booking") -> list[Command]:
    """A part of the answer to the invitation of the turn's end."""
    return scene.happens(
        ev.AgentAnswered,
        agent=agent,
        turn=scene.asked[0],
        basis=scene.asked[1],
        proposals=proposals,
        part=number,
        more=more,
    )


def asked(*agents: str, **sections: object) -> Asked:
    scene = Asked(policy(**sections))
    scene.answered(*(agents or ("booking",)))
    scene.turn_ended()
    return scene


def heard(scene: Scene, say: Say, ms: int = 1_000) -> list[Command]:
    """An utterance is heard to its end."""
    commands = scene.happens(ev.PlaybackStarted, utterance=say.utterance)
    commands += scene.passes(ms)
    return commands + scene.happens(ev.PlaybackEnded, utterance=say.utterance, confirmed=True)


def test_the_round_waits_for_an_agent_that_is_still_answering_and_no_longer_than_its_deadline() -> None:
    scene = asked()
    assert not said(part(scene, 0, proposal("One moment.")))
    assert scene.state.round is not None and scene.state.round.answered == ()
    assert said(part(scene, 1, more=False)) == ["One moment."] and scene.state.round is None
    scene = asked()
    part(scene, 0, proposal("One moment."))
    assert said(scene.passes(150)) == ["One moment."], "at the deadline"


def test_each_part_is_said_when_the_one_before_it_was_heard() -> None:
    scene = asked()
    part(scene, 0, proposal("First."))
    part(scene, 1, proposal("Second.", priority=0.9))
    commands = part(scene, 2, proposal("Third.", purpose=Purpose.CONFIRMATION), more=False)
    spoken = []
    for _ in range(3):
        (say,) = of(commands, Say)
        spoken.append(say.text)
        commands = heard(scene, say, 6_000)
    assert spoken == ["First.", "Second.", "Third."], "in their order, whatever their priorities and their lifetime"
    assert not of(commands, Say)


def test_a_part_that_comes_while_nobody_speaks_is_said_at_once_and_a_listeners_word_does_not_outdate_it() -> None:
    scene = asked()
    (say,) = of(part(scene, 0, proposal("One moment.")) + scene.passes(150), Say)
    scene.happens(ev.PlaybackStarted, utterance=say.utterance)
    scene.passes(300)
    scene.speech_starts()
    scene.words("okay", final=False)
    scene.speech_ends()
    scene.words("okay")
    scene.passes(700)
    scene.happens(ev.PlaybackEnded, utterance=say.utterance, confirmed=True)
    assert scene.state.evidence_revision > scene.asked[1] and scene.state.turn == scene.asked[0]
    assert said(part(scene, 1, proposal("Here it is."))) == ["Here it is."]


def test_after_a_cut_nothing_more_of_the_answer_is_said() -> None:
    scene = asked()
    (say,) = of(part(scene, 0, proposal("First of all there is this.")) + scene.passes(150), Say)
    part(scene, 1, proposal("Second."))
    assert [waiting.text for waiting in scene.state.authority.waiting] == ["Second."]
    scene.happens(ev.PlaybackStarted, utterance=say.utterance)
    scene.passes(300)
    scene.speech_starts()
    scene.words("no wait what does it cost", final=False)
    scene.speech_goes_on(600)
    commands = part(scene, 2, proposal("Third."))
    scene.speech_ends()
    scene.words("no wait what does it cost")
    commands += scene.passes(3_000)
    assert scene.state.turn > scene.asked[0]
    assert not {"Second.", "Third."} & set(said(commands))
    denied = {v.proposal for v in verdicts(scene.commands) if v.answer is Answer.DENY}
    assert {f"booking:{scene.asked[1]}:{number}" for number in (1, 2)} <= denied, "in writing"


def test_parts_of_an_answer_that_was_not_chosen_are_not_said() -> None:
    scene = asked(*BOTH)
    part(scene, 0, proposal("Mine.", priority=0.9))
    part(scene, 0, proposal("Theirs.", priority=0.2), agent="objection")
    part(scene, 1, more=False)
    (say,) = of(part(scene, 1, proposal("Theirs too."), agent="objection", more=False), Say)
    assert say.text == "Mine."
    (late,) = verdicts(part(scene, 2, proposal("And theirs."), agent="objection", more=False))
    assert "unanswered" in failed(late)
    assert not said(heard(scene, say))


def test_the_same_part_once_more_is_said_once() -> None:
    scene = asked()
    part(scene, 0, proposal("First."))
    part(scene, 0, proposal("First."))
    assert scene.state.round is not None and len(scene.state.round.proposals) == 1
    (say,) = of(scene.passes(150), Say)
    part(scene, 1, proposal("Second."))
    (again,) = of(heard(scene, say), Say)
    for number, text in enumerate(("First.", "Second.")):
        (verdict,) = verdicts(part(scene, number, proposal(text)))
        assert failed(verdict) >= {"unanswered"}
    assert not said(heard(scene, again))


def test_an_act_between_two_sentences_is_fenced_as_any_act() -> None:
    scene = asked()
    (say,) = of(part(scene, 0, proposal("One moment.")) + scene.passes(150), Say)
    assert len(of(part(scene, 1, proposal("", kind=Kind.TOOL, action="note")), Perform)) == 1
    heard(scene, say)
    scene.speech_starts()
    scene.words("and another thing", final=False)
    (verdict,) = verdicts(part(scene, 2, proposal("", kind=Kind.TOOL, action="send")))
    assert "fresh" in failed(verdict)


def test_where_the_first_part_is_denied_the_next_is_said_for_itself() -> None:
    scene = asked(gate={"actions": {"say:offer": {"readiness_share": 0.9}}})
    part(scene, 0, proposal("Buy it.", purpose=Purpose.OFFER))
    part(scene, 1, proposal("It opens at eight."))
    assert said(part(scene, 2, more=False)) == ["It opens at eight."]


def test_an_agent_that_begins_anew_is_heard_with_its_new_answer_only() -> None:
    scene = asked(*BOTH)
    part(scene, 0, proposal("Before."))
    scene.happens(ev.AgentJoined, agent="booking")
    scene.asked = (scene.asked[0], scene.state.revision)
    part(scene, 0, proposal("After."))
    part(scene, 1, more=False)
    assert said(part(scene, 0, agent="objection", more=False)) == ["After."]
