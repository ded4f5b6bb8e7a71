"""What holds for any talk: the ledger only grows, partial words lift nothing across the threshold, time only lowers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.core.draft import Draft
from offhook.policies.core.events import WordsHeard
from offhook.policies.core.policy import Evidence, Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import AgentSpeech, CallerSpeech, CallState, Playing, Sign, Utterance
from offhook.policies.evidence import concerns, cues, evidence
from offhook.policies.evidence.concerns import LIFECYCLE
from offhook.policies.language.en.reading import read
from offhook.policies.language.port.port import Asked

POLICY = Policy.model_validate({"name": "test", "agents": {"none": {"code": "none:None"}}})

few = settings(max_examples=60, deadline=None)  # one example is up to twelve readings

SAYINGS = [
    "yes", "no", "okay", "um", "let's do it", "sign me up", "sounds good", "it's too expensive", "that makes sense but",
    "i'm not sure", "how much is it", "tuesday at ten", "no wait", "i have to ask my wife", "that helps", "maybe",
    "don't call me again", "hold on a second", "not a problem", "i don't think so", "we already have that", "goodbye",
    "five five five oh one two three", "my name is mary", "not too expensive", "if", "but", "?", "$20", "i can't",
]  # fmt: skip

texts = st.lists(st.sampled_from(SAYINGS), min_size=0, max_size=5).map(" ".join)
asked = st.builds(Asked, st.sampled_from(Asks), st.sampled_from([None, *Purpose]), overheard=st.booleans())
readings = st.lists(st.tuples(st.integers(0, 3), texts, st.booleans(), st.integers(0, 60_000)), min_size=1, max_size=12)


def start(asks: Asks = Asks.YES_NO, purpose: Purpose = Purpose.OFFER) -> CallState:
    said = Utterance("u", "", purpose, asks, True, "a", "g", "price", "time", Playing.ENDED, started_ms=1)
    return CallState(call="c", speech=AgentSpeech(None, said), hearing=CallerSpeech(answering=asks), turn=1)


def hear(state: CallState, segment: int, text: str, final: bool, after_ms: int, policy: Policy = POLICY) -> CallState:
    draft = Draft(state, policy)
    draft.state.revision += 1
    draft.state.now_ms += after_ms
    cues.words_heard(draft, WordsHeard(draft.state.now_ms, segment, text, final, 0, draft.state.now_ms))
    return draft.state


@few
@given(st.text(max_size=80) | texts, asked)
def test_any_text_can_be_read(text: str, question: Asked) -> None:
    found = read(text, question)
    assert len({(cue.sign, cue.topic) for cue in found}) == len(found)
    assert all(0 < cue.strength <= 1 for cue in found)
    assert all(cue.topic or cue.sign is not Sign.CONCERN for cue in found)


@few
@given(readings)
def test_the_ledger_only_grows(said: list[tuple[int, str, bool, int]]) -> None:
    state = start()
    for reading in said:
        before, state = state.ledger, hear(state, *reading)
        assert state.ledger.signals[: len(before.signals)] == before.signals
        assert [signal.id for signal in state.ledger.signals] == list(range(len(state.ledger.signals)))
        for signal in state.ledger.signals[len(before.signals) :]:
            if signal.sign is Sign.RETRACTION:
                assert 0 <= signal.refers < signal.id
        assert before.retracted <= state.ledger.retracted
        assert 0 <= state.ledger.readiness <= 1
        assert 0 <= state.ledger.uncertainty <= 1


@few
@given(readings, texts)
def test_a_later_contradiction_never_erases_what_final_words_said(
    said: list[tuple[int, str, bool, int]], contradiction: str
) -> None:
    state = start()
    for reading in said:
        state = hear(state, *reading)
    firm = [s.id for s in evidence.standing(state.ledger) if not s.provisional]
    after = hear(state, 99, contradiction, True, 500)
    assert set(firm) <= {s.id for s in evidence.standing(after.ledger)}


shares = st.floats(0, 1, allow_nan=False)


thresholds_of = st.builds(
    lambda a, b, p: Evidence(ready_at_share=max(a, b), unready_below_share=min(a, b), provisional_share=p),
    *(shares, shares, shares),
)


@few
@given(texts, thresholds_of)
def test_no_partial_makes_ready(text: str, thresholds: Evidence) -> None:
    if thresholds.ready_at_share <= thresholds.unready_below_share:
        return  # no hysteresis asked for
    policy = POLICY.model_copy(update={"evidence": thresholds})
    state = hear(start(), 0, text, False, 200, policy)
    assert not state.ledger.ready
    assert state.ledger.readiness < thresholds.ready_at_share


@few
@given(readings)
def test_no_run_of_partials_makes_ready(said: list[tuple[int, str, bool, int]]) -> None:
    state = start()
    for segment, text, _, after_ms in said:
        state = hear(state, segment, text, False, after_ms)
        assert not state.ledger.ready
        assert state.ledger.readiness < POLICY.evidence.ready_at_share


@few
@given(texts, st.lists(texts, max_size=5))
def test_partials_leave_no_trace_once_the_final_words_are_in(final: str, partials: list[str]) -> None:
    whole = hear(start(), 0, final, True, 1_000)
    state = start()
    for text in partials:
        state = hear(state, 0, text, False, 0)
    state = hear(state, 0, final, True, 1_000)
    assert [(s.sign, s.topic, s.strength, s.text) for s in evidence.standing(state.ledger)] == [
        (s.sign, s.topic, s.strength, s.text) for s in evidence.standing(whole.ledger)
    ]
    assert (state.ledger.support, state.ledger.doubt, state.ledger.wavering) == (
        whole.ledger.support,
        whole.ledger.doubt,
        whole.ledger.wavering,
    )
    assert state.ledger.readiness == whole.ledger.readiness
    assert {(c.topic, c.standing) for c in state.concerns} == {(c.topic, c.standing) for c in whole.concerns}
    assert {(s.name, s.value, s.confirmed) for s in state.slots} == {
        (s.name, s.value, s.confirmed) for s in whole.slots
    }


favourable = st.sampled_from([sign for sign, (side, _) in evidence.WEIGHTS.items() if side == evidence.FOR])


@few
@given(st.lists(st.tuples(favourable, st.floats(0, 1)), min_size=1, max_size=8), st.integers(1, 3_600_000))
def test_time_alone_never_makes_readier(signs: list[tuple[Sign, float]], passed_ms: int) -> None:
    draft = Draft(start(), POLICY)
    for sign, strength in signs:
        evidence.add(draft, sign, strength, source="words")
    before = draft.state.ledger
    draft.state.now_ms += passed_ms
    evidence.refresh(draft)
    assert draft.state.ledger.readiness <= before.readiness
    assert draft.state.ledger.uncertainty >= before.uncertainty
    assert draft.state.ledger.signals == before.signals


@few
@given(readings)
def test_concerns_move_only_by_the_table(said: list[tuple[int, str, bool, int]]) -> None:
    legal = {(before, after) for (before, _), after in LIFECYCLE.items()}
    state = start()
    for reading in said:
        state = hear(state, *reading)
        for concern in state.concerns:
            moves = [None, *(move[1] for move in concern.history)]
            assert all(pair in legal for pair in pairwise(moves))
            assert concern.standing is concern.history[-1][1]
            assert concerns.answer_due(concern, 3) in ("full", "light", "none", "escalate")
