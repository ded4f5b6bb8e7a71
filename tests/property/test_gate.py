"""What must hold for every verdict, whatever the state and the proposal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import Perform, Say, TransferCall
from offhook.policies.core.dialogue import Answer as CleanAnswer
from offhook.policies.core.dialogue import Segment, Term
from offhook.policies.core.draft import Draft
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Answer, Kind, Moment, Polarity, Proposal, Purpose, Verdict
from offhook.policies.core.state import (
    Authority,
    CallState,
    Concern,
    Floor,
    Holder,
    Ledger,
    Line,
    Sign,
    Signal,
    Slot,
    Stage,
    Standing,
)
from offhook.policies.gate import execution, gate

RULED = st.fixed_dictionaries(
    {},
    optional={
        "readiness_share": st.sampled_from([0.0, 0.3, 0.6]),
        "confirmed_slots": st.sampled_from([(), ("time",)]),
        "slots": st.sampled_from([(), ("time",)]),
        "no_open_concern": st.sampled_from([(), ("*",), ("price",)]),
        "stages": st.sampled_from([(), (Stage.BOOKING,)]),
        "consent": st.sampled_from([None, True, "clean"]),
        "evidence_age_ms": st.sampled_from([None, 20_000]),
        "autonomy": st.sampled_from(["act", "act", "approve", "suggest", "observe"]),
        "times_max": st.sampled_from([None, 1]),
        "cooldown_ms": st.sampled_from([None, 5_000]),
        "irreversible": st.booleans(),
        "cost_cents": st.sampled_from([0.0, 100.0]),
    },
)
SIGNALS = st.lists(
    st.tuples(
        st.sampled_from([Sign.COMMITMENT, Sign.CONFIRMATION, Sign.DENIAL, Sign.DETAIL, Sign.CONCERN, Sign.STOP]),
        st.integers(0, 60_000),
        st.booleans(),
    ),
    max_size=6,
)


def policy(ruled: dict[str, Any]) -> Policy:
    actions = dict.fromkeys(("book", "say:offer", "transfer", "hangup"), ruled)
    return Policy(name="test", agents={"a": AgentSpec(code="m:C")}, gate={"actions": actions})


def clean(revision: int, at_ms: int) -> CleanAnswer:
    segments = (Segment(0, "Yes.", True, at_ms - 500, at_ms),)
    return CleanAnswer("u1", Polarity.YES, "", at_ms, revision, 2, (Term("time", "ten", 3),), segments, confirms=True)


@st.composite
def states(draw: st.DrawFn) -> CallState:
    found = sorted(draw(SIGNALS), key=lambda entry: entry[1])
    signals = tuple(
        Signal(n, sign, 0.9, at_ms, n, 1, "words", provisional=provisional)
        for n, (sign, at_ms, provisional) in enumerate(found)
    )
    retracted = draw(st.frozensets(st.integers(0, 5), max_size=2)) & {s.id for s in signals}
    standing = draw(st.sampled_from(list(Standing)))
    return CallState(
        call=draw(st.sampled_from(["c1", "c2"])),
        line=draw(st.sampled_from([Line.OPEN, Line.OPEN, Line.OPEN, Line.LOST])),
        now_ms=60_000,
        revision=50,
        evidence_revision=draw(st.integers(40, 50)),
        turn=draw(st.integers(2, 3)),
        stage=draw(st.sampled_from([Stage.BOOKING, Stage.OFFERING])),
        floor=Floor(draw(st.sampled_from([Holder.NOBODY, Holder.NOBODY, Holder.CALLER, Holder.AGENT]))),
        ledger=Ledger(
            signals=signals,
            retracted=retracted,
            support=draw(st.floats(0, 3)),
            weighed_ms=60_000,
            open=tuple(s.id for s in signals if s.provisional and s.id not in retracted),
            stopped=next((s.id for s in signals if s.sign is Sign.STOP and s.id not in retracted), -1),
        ),
        concerns=draw(st.sampled_from([(), (Concern("price", standing, 1, ((1, standing, 0),), answers=1),)])),
        slots=draw(st.sampled_from([(), (Slot("time", "ten", False, 0),), (Slot("time", "ten", True, 0, "u1"),)])),
        consent=draw(st.sampled_from([None, clean(40, 50_000), clean(49, 59_000)])),
        authority=Authority(
            suspended_since_ms=draw(st.sampled_from([0, 0, 0, 59_000])),
            spent_cents=draw(st.sampled_from([0.0, 450.0])),
            spoke_revision=draw(st.integers(40, 50)),
            done=draw(st.sampled_from([(), (("book", 1, 58_000),)])),
        ),
        lost_parts=draw(st.sampled_from([frozenset(), frozenset({"journal"})])),
    )


PROPOSALS = st.builds(
    Proposal,
    id=st.just("p"),
    agent=st.sampled_from(["a", "core"]),
    kind=st.sampled_from(list(Kind)),
    turn=st.integers(2, 4),
    basis=st.integers(38, 52),
    text=st.sampled_from(["", "Something said."]),
    purpose=st.sampled_from([Purpose.OFFER, Purpose.ANSWER, Purpose.GOODBYE]),
    topic=st.sampled_from(["", "price"]),
    action=st.just("book"),
    arguments=st.sampled_from([(), (("time", "ten"),), (("time", "eleven"),)]),
    expires_ms=st.sampled_from([0, 59_000, 61_000]),
)


def names(verdict: Verdict) -> set[str]:
    return {result.rule for result in verdict.rules}


@settings(max_examples=400, deadline=None)
@given(state=states(), proposal=PROPOSALS, ruled=RULED)
def test_a_verdict_lists_every_rule_that_applies_and_grants_nothing_stale(
    state: CallState, proposal: Proposal, ruled: dict[str, Any]
) -> None:
    led_by = policy(ruled)
    verdict = gate.judge(Draft(state, led_by), proposal, Moment.PROPOSED)
    needs = led_by.gate.actions.get(
        {Kind.SAY: f"say:{proposal.purpose}", Kind.TOOL: "book"}.get(proposal.kind, str(proposal.kind))
    )
    expected = {"fresh", "lifetime", "line", "autonomy"}
    expected |= {"unanswered", "floor"} if proposal.text else set()
    expected |= {"repeats"} if proposal.kind is not Kind.HANGUP else set()
    expected |= {"once"} if proposal.kind in (Kind.TOOL, Kind.TRANSFER) else set()
    expected |= {"authority"} if proposal.kind is not Kind.HANGUP or proposal.agent != "core" else set()
    if proposal.text and proposal.topic and state.concerns:
        expected |= {"settled", "answers"}
    if needs is not None:
        wanted = {
            "readiness": needs.readiness_share is not None,
            "slots": bool(needs.slots),
            "confirmed_slots": bool(needs.confirmed_slots),
            "concerns": bool(needs.no_open_concern),
            "stage": bool(needs.stages),
            "consent": bool(needs.yes),
            "evidence_age": needs.evidence_age_ms is not None,
            "final_words": needs.irreversible,
            "journal": needs.irreversible,
            "budget": needs.cost_cents > 0,
            "times": needs.times_max is not None,
            "cooldown": needs.cooldown_ms is not None,
        }
        expected |= {rule for rule, applies in wanted.items() if applies}
    assert expected <= names(verdict), "a rule that applies is missing"
    assert all(result.required and result.actual for result in verdict.rules)
    if verdict.answer is Answer.GRANT:
        assert all(result.ok for result in verdict.rules)
        assert needs is None or needs.yes != "clean" or (state.consent is not None and state.consent.says == "yes")
        assert proposal.turn == state.turn and state.evidence_revision <= proposal.basis <= state.revision
        assert not proposal.expires_ms or proposal.expires_ms >= state.now_ms
    else:
        assert verdict.reason


@settings(max_examples=300, deadline=None)
@given(state=states(), proposal=PROPOSALS, ruled=RULED)
def test_nothing_that_cannot_be_undone_rests_on_partial_words_alone(
    state: CallState, proposal: Proposal, ruled: dict[str, Any]
) -> None:
    signals = tuple(replace(signal, provisional=True) for signal in state.ledger.signals)
    state.ledger = replace(state.ledger, signals=signals, open=tuple(s.id for s in signals))
    act = replace(proposal, kind=Kind.TOOL)
    verdict = gate.judge(Draft(state, policy({**ruled, "irreversible": True})), act, Moment.EXECUTION)
    assert verdict.answer is not Answer.GRANT


@settings(max_examples=300, deadline=None)
@given(state=states(), proposal=PROPOSALS, ruled=RULED)
def test_only_what_is_granted_is_carried_out_and_always_in_the_same_way(
    state: CallState, proposal: Proposal, ruled: dict[str, Any]
) -> None:
    before = encode(state)
    runs = []
    for _ in range(2):
        draft = Draft(state, policy(ruled))
        verdict = gate.judge(draft, proposal, Moment.PROPOSED)
        execution.execute(draft, proposal, verdict)
        effects = [c for c in draft.commands if isinstance(c, (Say, Perform, TransferCall))]
        assert verdict.answer is Answer.GRANT or not effects
        assert all(c.grant in {f"g{n}" for n in range(1, draft.state.counters[1] + 1)} for c in effects)
        runs.append([encode(command) for command in draft.commands] + [encode(draft.state)])
    assert runs[0] == runs[1]
    assert encode(state) == before, "the state that was judged is not changed"
