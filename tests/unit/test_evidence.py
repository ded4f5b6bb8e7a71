"""The ledger: append-only, weighed as it grows, and never lifted across the threshold by partial words."""

from __future__ import annotations

import time

import pytest
from offhook.policies.core.commands import Publish
from offhook.policies.core.draft import Draft
from offhook.policies.core.policy import Policy
from offhook.policies.core.state import CallState, Sign
from offhook.policies.evidence import evidence

POLICY = Policy.model_validate({"name": "test", "agents": {"none": {"code": "none:None"}}})
HALF_LIFE_MS = POLICY.evidence.half_life_ms


def at(state: CallState, now_ms: int) -> Draft:
    draft = Draft(state, POLICY)
    draft.state.revision += 1
    draft.state.now_ms = now_ms
    return draft


def added(*signs: tuple[Sign, float], provisional: bool = False) -> CallState:
    state = CallState(call="c")
    for n, (sign, strength) in enumerate(signs):
        draft = at(state, n)
        evidence.add(draft, sign, strength, source="words", provisional=provisional)
        state = draft.state
    return state


def test_one_plain_final_commitment_makes_ready_and_one_yes_does_not() -> None:
    assert added((Sign.COMMITMENT, 0.9)).ledger.ready
    assert not added((Sign.CONFIRMATION, 1.0)).ledger.ready


def test_readiness_is_cumulative() -> None:
    steps = [added(*[(Sign.CONFIRMATION, 0.8)] * n).ledger.readiness for n in range(1, 8)]
    assert steps == sorted(steps)
    assert steps[-1] > 0.6


def test_doubt_lowers_readiness_and_raises_uncertainty() -> None:
    sure = added((Sign.COMMITMENT, 0.9)).ledger
    torn = added((Sign.COMMITMENT, 0.9), (Sign.CONCERN, 0.8)).ledger
    assert torn.readiness < sure.readiness
    assert torn.uncertainty > sure.uncertainty


def test_hysteresis_one_contradiction_does_not_flip_it() -> None:
    state = added((Sign.COMMITMENT, 0.9), (Sign.CONFIRMATION, 0.8), (Sign.HESITATION, 0.6))
    assert state.ledger.readiness < POLICY.evidence.ready_at_share + 0.05
    assert state.ledger.ready
    state = added((Sign.COMMITMENT, 0.9), (Sign.CONCERN, 0.8), (Sign.DENIAL, 0.9))
    assert not state.ledger.ready


def test_readiness_decays() -> None:
    state = added((Sign.COMMITMENT, 0.9))
    draft = at(state, HALF_LIFE_MS)
    evidence.refresh(draft)
    assert draft.state.ledger.readiness == pytest.approx(0.45 / (0.45 + evidence.PRIOR), rel=0.01)
    assert draft.state.ledger.signals == state.ledger.signals


@pytest.mark.parametrize("sign", [s for s, (side, _) in evidence.WEIGHTS.items() if side == evidence.FOR])
def test_partial_words_never_lift_it_across_the_threshold(sign: Sign) -> None:
    ledger = added(*[(sign, 1.0)] * 20, provisional=True).ledger
    assert 0 < ledger.readiness < POLICY.evidence.ready_at_share
    assert not ledger.ready


def test_a_retraction_is_appended_and_undoes_the_weight() -> None:
    before = added((Sign.CONFIRMATION, 0.8))
    draft = at(before, 10)
    taken = evidence.add(draft, Sign.COMMITMENT, 0.9, source="words", segment=3)
    entry = evidence.retract(draft, taken.id, "final words differ")
    after = draft.state.ledger
    assert after.signals[:-1] == (*before.ledger.signals, taken)
    assert (entry.sign, entry.refers, entry.segment) == (Sign.RETRACTION, taken.id, 3)
    assert taken.id in after.retracted
    assert after.support == pytest.approx(before.ledger.support, rel=1e-3)


def test_retracting_twice_changes_nothing() -> None:
    draft = at(added((Sign.CONFIRMATION, 0.8)), 10)
    evidence.retract(draft, 0, "no")
    once = draft.state.ledger
    evidence.retract(draft, 0, "no")
    assert draft.state.ledger == once


def test_bearing_out_replaces_the_provisional_one_and_outdates_nothing() -> None:
    draft = at(CallState(call="c"), 0)
    provisional = evidence.add(draft, Sign.CONFIRMATION, 0.8, source="words", provisional=True)
    draft = at(draft.state, 200)
    final = evidence.add(draft, Sign.CONFIRMATION, 0.8, source="words", refers=provisional.id)
    assert [s.id for s in evidence.standing(draft.state.ledger)] == [final.id]
    assert draft.state.evidence_revision < draft.state.revision
    assert draft.state.ledger.open == ()


def test_evidence_is_published_and_outdates_what_came_before() -> None:
    draft = at(CallState(call="c"), 5)
    evidence.add(draft, Sign.STOP, 1.0, source="words", text="stop calling")
    (notice,) = draft.commands
    assert isinstance(notice, Publish)
    assert (notice.topic, notice.body["sign"], notice.body["pii_text"]) == ("signal", "stop", "stop calling")
    assert draft.state.evidence_revision == draft.state.revision
    assert draft.state.ledger.stopped == 0


def test_open_readings_are_bounded() -> None:
    state = added(*[(Sign.INTEREST, 0.5)] * (evidence.OPEN_MAX + 40), provisional=True)
    assert len(state.ledger.open) == evidence.OPEN_MAX


def test_a_long_ledger_costs_little_more_than_a_short_one() -> None:
    def cost_us(state: CallState) -> float:
        best = float("inf")
        for _ in range(30):
            draft = at(state, 10_000_000)
            began = time.perf_counter()
            evidence.add(draft, Sign.INTEREST, 0.5, source="words")
            best = min(best, time.perf_counter() - began)
        return best * 1e6

    short = added((Sign.INTEREST, 0.5))
    long = added(*[(Sign.INTEREST, 0.5)] * 5_000)
    assert cost_us(long) < cost_us(short) + 100  # copying 5,000 pointers, nothing that looks at them
