"""Patience and cadence: bounds that hold for every caller and all words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from offhook.policies.conversation.endpointing import patience
from offhook.policies.core.policy import Endpointing
from offhook.policies.core.proposals import Asks
from offhook.policies.core.state import Cadence, Stage
from offhook.policies.language.en.completeness import judge
from offhook.policies.speech import cadence

PAUSES = st.integers(min_value=150, max_value=60_000)
CADENCES = st.lists(PAUSES, max_size=30)
WORDS = "yes no um and but five 5 s m i the I? tuesday. cost, great please ..."
SPOKEN = st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)


def learnt(pauses: list[int], step_share: float = 0.15) -> Cadence:
    known = Cadence()
    for pause_ms in pauses:
        known = cadence.learn(known, pause_ms, step_share)
    return known


@given(CADENCES, SPOKEN, st.sampled_from(list(Stage)), st.sampled_from(list(Asks)))
def test_patience_stays_between_floor_and_ceiling(pauses: list[int], words: str, stage: Stage, asks: Asks) -> None:
    policy = Endpointing()
    assert policy.floor_ms <= patience(policy, stage, learnt(pauses), judge(words, asks)).ms <= policy.ceiling_ms


@given(CADENCES, PAUSES, st.floats(min_value=0, max_value=1))
def test_no_single_pause_moves_the_cadence_further_than_its_step(pauses: list[int], one: int, share: float) -> None:
    before = learnt(pauses)
    start = before if before.pauses else cadence.PRIOR
    after = cadence.learn(before, one, share)
    assert abs(after.mean_ms - start.mean_ms) <= share * start.mean_ms + 1e-6
    assert after.pauses == before.pauses + 1


@given(CADENCES)
def test_a_callers_cadence_stretches_patience_within_bounds(pauses: list[int]) -> None:
    assert 0.7 <= cadence.factor(learnt(pauses)) <= 1.8


@given(st.text(max_size=80), st.sampled_from(list(Asks)))
def test_any_text_has_a_factor_and_a_reason(text: str, asks: Asks) -> None:
    found = judge(text, asks)
    assert 0.5 <= found.factor <= 3.0 and found.why


@given(st.text(alphabet="abc def,.?!", max_size=60), st.sampled_from(list(Asks)))
def test_case_and_outer_spaces_do_not_matter(text: str, asks: Asks) -> None:
    assert judge(text, asks).factor == judge(f"  {text.upper()} ", asks).factor
