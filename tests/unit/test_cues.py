"""Words as they arrive: partial readings are provisional, taken back when they differ, borne out by the final words."""

from __future__ import annotations

import pytest
from offhook.policies.core.draft import Draft
from offhook.policies.core.events import DigitPressed, WordsHeard
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import AgentSpeech, CallerSpeech, CallState, Playing, Sign, Utterance
from offhook.policies.evidence import cues, evidence

POLICY = Policy.model_validate({"name": "test", "agents": {"none": {"code": "none:None"}}})


def asked(asks: Asks, purpose: Purpose = Purpose.QUESTION, **more: object) -> CallState:
    said = Utterance("u1", "", purpose, asks, True, "a", "g", playing=Playing.ENDED, started_ms=1, **more)  # type: ignore[arg-type]
    return CallState(call="c", speech=AgentSpeech(None, said), hearing=CallerSpeech(answering=asks), turn=1)


def hear(state: CallState, text: str, *, final: bool = False, segment: int = 0) -> CallState:
    draft = Draft(state, POLICY)
    draft.state.revision += 1
    draft.state.now_ms += 200
    cues.words_heard(draft, WordsHeard(draft.state.now_ms, segment, text, final, 0, draft.state.now_ms))
    return draft.state


def standing(state: CallState) -> list[tuple[Sign, bool]]:
    return [(signal.sign, signal.provisional) for signal in evidence.standing(state.ledger)]


def test_partial_words_count_at_once() -> None:
    state = hear(CallState(call="c"), "it's too expensive")
    assert standing(state) == [(Sign.CONCERN, True)]
    assert state.evidence_revision == state.revision


def test_the_same_words_again_write_nothing() -> None:
    once = hear(CallState(call="c"), "it's too expensive")
    again = hear(once, "it's too expensive for us")
    assert len(again.ledger.signals) == len(once.ledger.signals)
    assert again.evidence_revision == once.evidence_revision


def test_final_words_bear_a_partial_out() -> None:
    state = hear(hear(CallState(call="c"), "it's too expensive"), "It's too expensive.", final=True)
    assert [(s.sign, s.provisional, s.refers) for s in state.ledger.signals] == [
        (Sign.CONCERN, True, -1),
        (Sign.CONCERN, False, 0),
    ]
    assert standing(state) == [(Sign.CONCERN, False)]


def test_a_later_partial_takes_back_an_earlier_one() -> None:
    state = hear(hear(CallState(call="c"), "that makes sense"), "that makes sense but")
    assert [s.sign for s in state.ledger.signals] == [Sign.CONFIRMATION, Sign.RETRACTION, Sign.HESITATION]
    assert state.ledger.signals[1].refers == 0
    assert standing(state) == [(Sign.HESITATION, True)]


def test_final_words_that_differ_take_the_partial_back() -> None:
    state = hear(hear(CallState(call="c"), "sign me up"), "Sign my cup.", final=True)
    assert standing(state) == []
    assert state.ledger.readiness == 0.0


def test_a_withdrawn_partial_takes_its_concern_along() -> None:
    state = hear(CallState(call="c"), "too expensive")
    assert [c.topic for c in state.concerns] == ["price"]
    assert hear(state, "two extensions", final=True).concerns == ()


def test_partials_after_the_final_words_change_nothing() -> None:
    done = hear(CallState(call="c"), "sounds good", final=True)
    assert hear(done, "it's too expensive").ledger == done.ledger


def test_final_words_twice_count_once() -> None:
    done = hear(CallState(call="c"), "sign me up", final=True)
    assert hear(done, "sign me up", final=True).ledger.signals == done.ledger.signals


def test_final_words_corrected_by_other_final_words() -> None:
    state = hear(hear(CallState(call="c"), "sign me up", final=True), "it's too expensive", final=True)
    assert standing(state) == [(Sign.CONCERN, False)]
    assert state.ledger.signals[0].sign is Sign.COMMITMENT  # still there, taken back by what follows


def test_segments_do_not_touch_each_other() -> None:
    state = hear(hear(CallState(call="c"), "yes", final=True, segment=0), "no wait", segment=1)
    assert Sign.RETRACTION not in {s.sign for s in state.ledger.signals}
    assert (Sign.CONFIRMATION, False) in standing(state)


@pytest.mark.parametrize(
    "text",
    [
        "That makes sense, but I'm worried about the price.",
        "yes... no, wait, tuesday at ten",
        "i don't think that's too expensive let's do it",
        "um well i already have something like that and i have to ask my wife",
    ],
)
def test_word_by_word_ends_in_the_same_evidence(text: str) -> None:
    state = asked(Asks.YES_NO, Purpose.OFFER)
    whole = hear(state, text, final=True)
    words = text.split()
    for n in range(1, len(words)):
        state = hear(state, " ".join(words[:n]))
    state = hear(state, text, final=True)
    assert [(s.sign, s.topic, s.strength) for s in evidence.standing(state.ledger)] == [
        (s.sign, s.topic, s.strength) for s in evidence.standing(whole.ledger)
    ]
    assert state.ledger.open == ()
    assert (state.ledger.support, state.ledger.doubt) == (whole.ledger.support, whole.ledger.doubt)
    assert {(c.topic, c.standing) for c in state.concerns} == {(c.topic, c.standing) for c in whole.concerns}
    assert {(s.name, s.value) for s in state.slots} == {(s.name, s.value) for s in whole.slots}


def test_a_yes_while_the_agent_still_speaks_is_a_listeners_token() -> None:
    playing = Utterance("u2", "", Purpose.ANSWER, Asks.NOTHING, True, "a", "g", playing=Playing.PLAYING, started_ms=5)
    state = asked(Asks.YES_NO)
    state.speech = AgentSpeech(playing, state.speech.last)
    (signal,) = hear(state, "yeah", final=True).ledger.signals
    assert signal.sign is Sign.CONFIRMATION
    assert signal.strength < 0.4


def test_a_question_heard_almost_to_its_end_may_be_answered() -> None:
    question = Utterance(
        "u2", "", Purpose.QUESTION, Asks.YES_NO, True, "a", "g",
        playing=Playing.PLAYING, started_ms=5, heard_ms=1_800, total_ms=2_000,
    )  # fmt: skip
    state = CallState(call="c", speech=AgentSpeech(question, None))
    (signal,) = hear(state, "yeah", final=True).ledger.signals
    assert signal.strength >= 0.7


@pytest.mark.parametrize(
    ("asks", "digit", "sign"),
    [
        (Asks.YES_NO, "1", Sign.CONFIRMATION),
        (Asks.YES_NO, "2", Sign.DENIAL),
        (Asks.NOTHING, "0", Sign.HUMAN),
        (Asks.DIGITS, "0", Sign.DETAIL),
    ],
)
def test_keys(asks: Asks, digit: str, sign: Sign) -> None:
    draft = Draft(asked(asks), POLICY)
    cues.digit_pressed(draft, DigitPressed(10, digit))
    (signal,) = draft.state.ledger.signals
    assert (signal.sign, signal.source) == (sign, "digits")


def test_keys_build_a_number() -> None:
    state = asked(Asks.DIGITS, slot="phone")
    for digit in "555":
        draft = Draft(state, POLICY)
        cues.digit_pressed(draft, DigitPressed(10, digit))
        state = draft.state
    assert [(s.name, s.value) for s in state.slots] == [("phone", "555")]
