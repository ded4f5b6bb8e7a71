"""Barge-in in two beats: hold at once, then cut or resume; and what is fenced by it."""

from __future__ import annotations

import pytest
from offhook.policies.core import events as ev
from offhook.policies.core.commands import CutSpeech, HoldSpeech, InviteAgents, ResumeSpeech, Say
from offhook.policies.core.proposals import Answer, Asks, Kind, Proposal, Purpose
from offhook.policies.core.state import Holder, Playing
from scene import Scene, of, verdicts

LONG = "Our plan costs four hundred dollars a month and it includes support at any hour of the day or night"


def speaking(**fields: object) -> Scene:
    scene = Scene().answered("booking")
    scene.agent_says(LONG, **{"purpose": Purpose.OFFER, **fields})
    scene.passes(1_500)
    return scene


def test_confirmed_overlap_holds_in_the_same_step() -> None:
    scene = speaking()
    assert of(scene.speech_starts(), HoldSpeech)
    assert scene.state.floor.holder is Holder.CALLER
    assert scene.state.speech.current is not None and scene.state.speech.current.playing is Playing.HELD


def test_a_cough_resumes_from_the_held_word() -> None:
    scene = speaking()
    scene.speech_starts()
    asked = scene.speech_ends()
    assert of(asked, ResumeSpeech) and not of(asked, CutSpeech)
    assert scene.state.floor.holder is Holder.AGENT


def test_a_murmur_resumes_and_leaves_no_words_in_the_turn() -> None:
    scene = speaking()
    scene.speech_starts()
    scene.speech_goes_on(200)
    asked = scene.speech_ends() + scene.words("mm-hmm") + scene.passes(600)
    assert of(asked, ResumeSpeech) and not of(asked, CutSpeech)
    assert scene.state.hearing.words == ""


def test_words_that_claim_the_floor_cut_at_once() -> None:
    scene = speaking()
    scene.speech_starts()
    asked = scene.speech_goes_on(300) + scene.words("wait how much is that", final=False)
    assert of(asked, CutSpeech) or of(scene.speech_goes_on(300), CutSpeech)
    last = scene.state.speech.last
    assert last is not None and last.playing is Playing.CUT


def test_the_caller_wins_a_long_overlap_without_any_word_up_to_the_limit() -> None:
    scene = speaking()
    scene.speech_starts()
    asked = scene.speech_goes_on(3_800)
    assert not of(asked, ResumeSpeech) and not of(asked, CutSpeech), "the agent is silent, its sentence is kept"
    assert scene.state.floor.holder is Holder.CALLER
    asked = scene.speech_goes_on(800)
    assert of(asked, ResumeSpeech) and not of(asked, CutSpeech), "what says no word for four seconds is noise"
    assert scene.state.floor.holder is Holder.BOTH
    assert not of(scene.speech_goes_on(10_000), HoldSpeech)


def test_a_word_settles_a_wordless_hold_as_ever() -> None:
    for words, kind in (("wait how much is that", CutSpeech), ("mm-hmm", ResumeSpeech)):
        scene = speaking(purpose=Purpose.ANSWER)
        scene.speech_starts()
        scene.speech_goes_on(2_000)
        asked = scene.words(words, final=False) + scene.passes(300)
        assert of(asked, kind), words


def test_speech_whose_words_never_come_resumes_when_they_were_due() -> None:
    scene = speaking()
    scene.speech_starts()
    scene.speech_goes_on(1_500)
    ended_ms = scene.now_ms
    asked = scene.speech_ends() + scene.passes(scene.policy.barge_in.words_after_ms - 161)
    assert not of(asked, ResumeSpeech) and not of(asked, CutSpeech)
    assert of(scene.passes(1), ResumeSpeech)
    assert scene.now_ms == ended_ms + scene.policy.barge_in.words_after_ms
    assert of(scene.words("no stop that please"), CutSpeech), "words that are later still"


def test_noise_that_goes_on_holds_nothing_again_and_words_in_it_still_cut() -> None:
    scene = speaking()
    scene.speech_starts()
    scene.speech_goes_on(4_600)
    scene.speech_ends()
    asked = scene.speech_starts() + scene.speech_goes_on(700)
    assert not of(asked, HoldSpeech)
    assert of(scene.words("excuse me can I ask something"), CutSpeech)


@pytest.mark.parametrize(("on_ms", "off_ms"), [(400, 250), (800, 400), (1_500, 1_200), (3_000, 3_000), (12_000, 200)])
def test_no_noise_keeps_an_utterance_for_ever(on_ms: int, off_ms: int) -> None:
    """Sound without words comes and goes: in all, it silences one utterance no longer than the policy says."""
    scene = speaking()
    utterance = scene.state.speech.current
    assert utterance is not None
    silent_ms = 0
    for _ in range(60_000 // (on_ms + off_ms)):
        scene.speech_starts()
        scene.speech_goes_on(on_ms - 60)
        before = scene.state.speech.current
        assert before is not None and before.id == utterance.id, "nothing cut it"
        silent_ms += on_ms if before.playing is Playing.HELD else 0
        scene.speech_ends()
        scene.passes(off_ms)
    assert silent_ms <= scene.policy.barge_in.wordless_ms + on_ms


def wordless(**fields: object) -> Scene:
    """The agent has been speaking for three seconds, and no recognizer is there."""
    scene = Scene().answered("booking")
    scene.happens(ev.HealthChanged, part="recognizer", up=False)
    scene.agent_says(LONG, **{"purpose": Purpose.ANSWER, **fields})
    scene.passes(3_000)
    return scene


def test_without_a_recognizer_whoever_speaks_on_past_the_window_has_the_floor() -> None:
    scene = wordless(purpose=Purpose.MESSAGE)  # nobody is thought to claim the floor over one
    scene.speech_starts()
    asked = scene.speech_goes_on(400) + scene.passes(40 + scene.policy.ears.hangover_ms - 1)
    assert not of(asked, CutSpeech) and not of(asked, ResumeSpeech), "it may have ended just before the window did"
    assert of(scene.passes(1), CutSpeech)


def test_without_a_recognizer_a_token_resumes_as_soon_as_it_is_over() -> None:
    scene = wordless()
    scene.speech_starts()
    scene.speech_goes_on(100)
    asked = scene.speech_ends()
    assert of(asked, ResumeSpeech) and not of(asked, CutSpeech)
    assert scene.now_ms - scene.state.hearing.onset_ms < scene.policy.barge_in.decision_window_ms


def test_with_a_recognizer_the_same_token_waits_for_its_words() -> None:
    scene = speaking(purpose=Purpose.ANSWER)
    scene.speech_starts()
    scene.speech_goes_on(100)
    assert not of(scene.speech_ends(), ResumeSpeech)
    assert of(scene.words("mm-hmm") + scene.passes(300), ResumeSpeech)


def test_without_a_recognizer_a_token_that_ended_just_before_the_window_resumes() -> None:
    scene = wordless()
    scene.speech_starts()
    scene.speech_goes_on(300)
    asked = scene.speech_ends()  # told 20 ms after the window
    assert scene.now_ms - scene.state.hearing.onset_ms > scene.policy.barge_in.decision_window_ms
    assert of(asked, ResumeSpeech) and not of(asked, CutSpeech)


def test_whoever_goes_on_after_such_a_resume_holds_again_and_has_the_floor() -> None:
    scene = wordless()
    scene.speech_starts()
    scene.speech_goes_on(100)
    scene.speech_ends()
    assert of(scene.speech_starts(), HoldSpeech)
    assert of(scene.speech_goes_on(700), CutSpeech)


def test_a_question_that_is_still_far_off_makes_no_token_an_answer() -> None:
    takes = []
    for total_ms in (5_000, 40_000):
        scene = wordless(asks=Asks.OPEN)
        utterance = scene.state.speech.current
        assert utterance is not None
        scene.happens(ev.PlaybackReached, utterance=utterance.id, heard_ms=3_000, total_ms=total_ms, confirmed=True)
        scene.speech_starts()
        scene.speech_goes_on(300)
        assert scene.state.overlap is not None
        takes.append(scene.state.overlap.take)
    near, far = takes
    assert far < near


def test_with_a_recognizer_a_tie_holds_until_its_words_are_in() -> None:
    scene = speaking()
    scene.passes(1_500)
    scene.speech_starts()
    asked = scene.speech_goes_on(1_500)
    assert not of(asked, ResumeSpeech), "the agent does not speak on over somebody who is speaking"
    assert not of(asked, CutSpeech), "nor is its sentence given up for a sound"
    assert of(scene.words("but what about the price then"), CutSpeech)


def test_words_that_come_after_a_resume_still_cut() -> None:
    scene = speaking()
    scene.speech_starts()
    scene.speech_goes_on(100)
    asked = scene.speech_ends() + scene.passes(400)
    if of(asked, ResumeSpeech):
        asked = scene.words("stop stop please")
    assert of(asked, CutSpeech)


def test_an_interruption_fences_what_was_computed_before_it() -> None:
    scene = speaking()
    turn, basis = scene.state.turn, scene.state.revision
    scene.speech_starts()
    scene.speech_goes_on(300)
    scene.words("wait how much is that", final=False)
    scene.speech_goes_on(500)
    assert scene.state.turn > turn
    late = Proposal(id="late", agent="booking", kind=Kind.SAY, turn=turn, basis=basis, text="As I was saying")
    asked = scene.happens(ev.AgentAnswered, agent="booking", turn=turn, basis=basis, proposals=(late,))
    assert not of(asked, Say)
    (verdict,) = verdicts(asked)
    assert verdict.answer is Answer.DENY
    assert any(rule.rule == "fresh" and not rule.ok for rule in verdict.rules)


def test_the_heard_text_of_a_cut_utterance_is_kept() -> None:
    scene = speaking()
    utterance = scene.state.speech.current
    assert utterance is not None
    scene.speech_starts()
    scene.happens(ev.PlaybackStopped, utterance=utterance.id, heard_ms=1_500, heard_text="Our plan costs four")
    scene.speech_goes_on(300)
    scene.words("that is too much for us")
    scene.speech_goes_on(600)
    last = scene.state.speech.last
    assert last is not None and last.id == utterance.id and last.heard_text == "Our plan costs four"


def test_a_notice_plays_on_and_the_words_over_it_are_kept() -> None:
    scene = speaking(purpose=Purpose.NOTICE, interruptible=False)
    utterance = scene.state.speech.current
    assert utterance is not None
    asked = scene.speech_starts() + scene.speech_goes_on(400) + scene.words("wait stop I have a question")
    asked += scene.speech_goes_on(400)
    assert not of(asked, HoldSpeech) and not of(asked, CutSpeech)
    assert scene.state.hearing.words == "wait stop I have a question"
    scene.happens(ev.PlaybackEnded, utterance=utterance.id, confirmed=True)
    assert scene.state.floor.holder is Holder.CALLER
    scene.speech_ends()
    scene.passes(3_000)
    assert scene.state.floor.holder is Holder.NOBODY, "the turn over the notice ends like any other"


def test_speech_before_the_first_audio_holds_the_utterance_back() -> None:
    scene = Scene().answered("booking")
    proposal = Proposal(id="p", agent="booking", kind=Kind.SAY, turn=scene.state.turn, basis=scene.state.revision,
                        text=LONG, asks=Asks.OPEN)  # fmt: skip
    scene.happens(ev.AgentAnswered, agent="booking", turn=scene.state.turn, basis=scene.state.revision,
                  proposals=(proposal,))  # fmt: skip
    asked = scene.speech_starts()
    assert of(asked, HoldSpeech)
    assert scene.state.floor.holder is Holder.CALLER


def test_a_key_cuts_at_once_and_is_answered() -> None:
    scene = speaking(purpose=Purpose.QUESTION, asks=Asks.YES_NO)
    asked = scene.happens(ev.DigitPressed, digit="#")
    assert of(asked, CutSpeech) and not of(asked, HoldSpeech)
    assert scene.state.floor.holder is Holder.NOBODY and scene.state.authority.suspended_since_ms
    rounds = of(asked + scene.passes(20), InviteAgents)
    assert [invited.reason for invited in rounds] == ["interrupted"]
    assert not scene.state.authority.suspended_since_ms


def test_a_key_within_an_overlap_settles_it() -> None:
    scene = speaking()
    scene.speech_starts()
    assert of(scene.happens(ev.DigitPressed, digit="1"), CutSpeech)
    assert scene.state.overlap is None and "overlap" not in scene.state.timers


def test_a_key_does_not_cut_what_must_be_heard_whole() -> None:
    scene = speaking(purpose=Purpose.NOTICE, interruptible=False)
    assert not of(scene.happens(ev.DigitPressed, digit="1"), CutSpeech)
    assert scene.state.speech.current is not None
