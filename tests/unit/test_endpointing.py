"""End of turn: patience by stage, cadence and words; what is learnt; what takes a decision back."""

from __future__ import annotations

from offhook.policies.conversation import endpointing
from offhook.policies.core import events as ev
from offhook.policies.core.commands import CutSpeech, InviteAgents, Say
from offhook.policies.core.policy import Endpointing
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.policies.core.state import Cadence, Holder, Playing, Stage
from offhook.policies.language.en.completeness import judge
from offhook.policies.language.port.port import UNWEIGHED
from offhook.policies.speech import cadence
from scene import Scene, of, policy

FIXED = dict.fromkeys(Stage, 800)
TO_THE_DECISION = 800 - 160  # the detector's hang-over has passed when the end of the talkspurt is known


def scene(**sections: object) -> Scene:
    """A call in which the agent has asked something and was heard out."""
    found = Scene(policy(**sections)).answered("booking")
    utterance = found.agent_says("What brings you to us?", purpose=Purpose.QUESTION, asks=Asks.OPEN)
    found.passes(1_500)
    found.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    found.passes(300)
    return found


def spurt(found: Scene, text: str = "", ms: int = 600, *, final: bool = True) -> None:
    """The caller says something and falls silent; the words are in when the end is confirmed."""
    found.speech_starts()
    found.passes(ms)
    if text:
        found.words(text, final=final)
    found.speech_ends()


# --- patience -------------------------------------------------------------------------------------------------------


def test_patience_is_the_product_of_its_factors_and_says_so() -> None:
    complete = judge("I would like um", Asks.OPEN)
    found = endpointing.patience(Endpointing(), Stage.QUALIFYING, Cadence(4, 860.0, 340.0), complete)
    own = cadence.factor(Cadence(4, 860.0, 340.0))
    assert own == 1.8 and found.ms == 2_500
    assert "700 ms qualifying" in found.why and "x 1.80 cadence (mean 860 ms, 4 pauses)" in found.why
    assert "filler 'um'" in found.why and found.why.endswith("= 2500 ms (ceiling)")


def test_the_floor_holds_for_the_shortest_answer() -> None:
    limits = Endpointing(base_ms={Stage.OPENING: 300}, floor_ms=250)
    assert endpointing.patience(limits, Stage.OPENING, Cadence(), judge("yes", Asks.YES_NO)).ms == 250


def test_words_may_be_left_unweighed() -> None:
    plain = Endpointing(semantic=False)
    assert endpointing.patience(plain, Stage.OPENING, Cadence(), UNWEIGHED).ms == plain.base_ms[Stage.OPENING]


# --- deciding -------------------------------------------------------------------------------------------------------


def test_a_turn_ends_patience_after_its_last_voiced_frame() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "we have ten people in our firm")
    ended_ms = found.state.hearing.ended_ms
    assert found.timers["end_of_turn"] == ended_ms + 800
    assert found.state.floor.holder is Holder.CALLER, "a pause leaves the floor with the caller"
    asked = found.passes(800)
    assert of(asked, InviteAgents) and found.state.floor.holder is Holder.NOBODY


def test_going_on_takes_the_pending_decision_back() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "we have ten people")
    found.passes(300)
    found.speech_starts()
    assert "end_of_turn" not in found.timers
    assert not of(found.passes(3_000), InviteAgents)


def test_a_conjunction_is_waited_out_longer_than_a_statement() -> None:
    statement, conjunction = scene(), scene()
    spurt(statement, "we have ten people in our firm")
    spurt(conjunction, "we have ten people in our firm and")
    assert conjunction.state.end_of_turn.patience_ms > 2 * statement.state.end_of_turn.patience_ms


def test_without_words_yet_the_recognizer_is_waited_for() -> None:
    found = scene()
    spurt(found, "", ms=900)
    assert found.timers["end_of_turn"] == found.state.hearing.ended_ms + found.policy.endpointing.unread_ms
    found.words("yes please")
    assert found.timers["end_of_turn"] < found.state.hearing.ended_ms + found.policy.barge_in.words_after_ms


def test_without_a_recognizer_speech_itself_is_the_turn() -> None:
    found = scene()
    found.happens(ev.HealthChanged, part="recognizer", up=False)
    spurt(found, "", ms=500)
    assert of(found.passes(found.policy.endpointing.base_ms[found.state.stage]), InviteAgents)


def test_a_cough_is_no_turn() -> None:
    found = scene()
    spurt(found, "", ms=100)
    assert not of(found.passes(2_000), InviteAgents)
    assert found.state.floor.holder is Holder.NOBODY
    assert found.state.silence.since_ms, "the silence goes on"


def test_late_words_take_the_decision_back_before_the_agent_is_heard() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "yes", final=False)
    found.passes(TO_THE_DECISION)
    assert found.state.round is not None
    found.words("yes but only if it", segment=1)
    assert found.state.round is None, "the round was about other words"
    assert found.timers["end_of_turn"] >= found.now_ms


def test_late_words_cut_an_answer_that_is_not_heard_yet() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "yes", final=False)
    found.passes(TO_THE_DECISION)
    basis, turn = found.state.revision, found.state.turn
    answer = Proposal(id="a", agent="booking", kind=Kind.SAY, turn=turn, basis=basis, text="Wonderful")
    asked = found.happens(ev.AgentAnswered, agent="booking", turn=turn, basis=basis, proposals=(answer,))
    (say,) = of(asked, Say)
    asked = found.words("yes but only if it", segment=1)
    assert [command.utterance for command in of(asked, CutSpeech)] == [say.utterance]
    assert found.state.speech.last is not None and found.state.speech.last.playing is Playing.CUT


def test_the_same_words_once_more_change_nothing() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "yes please", final=False)
    found.passes(TO_THE_DECISION)
    before = found.state.round
    found.words("Yes, please.", segment=1)
    assert found.state.round == before and before is not None


def test_nothing_is_decided_while_the_agent_is_heard() -> None:
    found = Scene().answered("booking")
    found.agent_says("This notice must be heard whole", purpose=Purpose.NOTICE, interruptible=False)
    found.passes(500)
    spurt(found, "I have a question")
    assert "end_of_turn" not in found.timers


def test_a_key_is_an_answer_and_hash_ends_the_entry() -> None:
    found = scene()
    found.happens(ev.DigitPressed, digit="4")
    assert found.timers["end_of_turn"] == found.now_ms + found.policy.endpointing.digit_gap_ms
    found.happens(ev.DigitPressed, digit="#")
    assert of(found.passes(1), InviteAgents)


# --- learning -------------------------------------------------------------------------------------------------------


def test_a_pause_inside_a_turn_teaches_the_callers_cadence() -> None:
    found = scene()
    spurt(found, "we need it and")
    found.passes(700)
    found.speech_starts()
    assert found.state.cadence.pauses == 1
    assert found.state.cadence.mean_ms > cadence.PRIOR.mean_ms


def test_a_pause_in_which_the_agent_was_heard_teaches_nothing() -> None:
    found = scene(endpointing={"base_ms": FIXED, "semantic": False})
    spurt(found, "we have ten people in our firm")
    found.passes(TO_THE_DECISION)
    utterance = found.agent_says("I see")
    found.passes(200)
    found.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    found.passes(200)
    found.speech_starts()
    assert found.state.cadence.pauses == 0


def test_one_pause_moves_the_cadence_by_a_bounded_step() -> None:
    moved = cadence.learn(Cadence(10, 500.0, 200.0), 2_400, step_share=0.15)
    assert moved.mean_ms == 575.0 and moved.dev_ms == 230.0


def test_the_cadence_follows_a_caller_who_slows_down() -> None:
    known = Cadence()
    for _ in range(40):
        known = cadence.learn(known, 900, step_share=0.15)
    assert 850 < known.mean_ms < 905
    assert cadence.factor(known) > 1.2


def test_a_partial_reading_that_comes_after_the_final_one_changes_nothing() -> None:
    found = scene()
    spurt(found, "we need it by friday")
    before = found.state.hearing
    found.words("we need", final=False, segment=1)
    assert found.state.hearing == before
