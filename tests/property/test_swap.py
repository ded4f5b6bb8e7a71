"""A swap at any moment of any simulated call keeps what is known, and fences what was computed."""

from __future__ import annotations

import json
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.conversation.machine import step
from offhook.policies.conversation.swap import unsafe
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.state import CallState, Line
from offhook.policies.simulation import run
from offhook.policies.simulation.world import Record

KEPT = ("stage", "slots", "ledger", "concerns", "hearing", "speech", "overlap", "floor", "end_of_turn", "outcome")
POLICIES = st.builds(
    Policy,
    name=st.just("other"),
    agents=st.sampled_from([("booking",), ("closing", "objection"), ("second", "qualification")]).map(
        lambda names: {name: AgentSpec(code="m:C") for name in names}
    ),
    limits=st.fixed_dictionaries(
        {"call_ms": st.integers(5_000, 90_000), "warning_ms": st.sampled_from([0, 2_000, 60_000])}
    ),
    silence=st.fixed_dictionaries({"hesitating_after_ms": st.integers(500, 20_000)}),
)


@cache
def records(seed: int) -> list[Record]:
    world, _ = run.assembled(seed)
    world.run(run.HORIZON_MS)
    return world.records


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 40), st.floats(0, 1), POLICIES, st.integers(0, 500))
def test_a_swap_at_any_moment(seed: int, share: float, policy: Policy, later_ms: int) -> None:
    found = records(seed)
    state: CallState = found[int(share * (len(found) - 1))].state
    event = ev.PolicyChanged(state.now_ms + later_ms, "other", tuple(policy.agents))
    before = encode(state)
    decision = step(state, event, policy)
    again = step(decode(json.loads(json.dumps(before))), decode(encode(event)), policy)
    assert [encode(c) for c in decision.commands] == [encode(c) for c in again.commands]
    assert encode(decision.state) == encode(again.state)
    assert encode(state) == before
    after = decision.state
    if state.line is Line.CLOSED:
        assert not decision.commands
        return
    assert after.turn == state.turn + 1
    assert after.policy_version == "other"
    assert set(after.agents) == set(policy.agents)
    assert after.round is None or (after.round.turn, after.round.basis) == (after.turn, after.revision)
    for name in KEPT:
        if name != "speech" or not unsafe(state):  # of a forced one, the core's own words may follow at once
            assert getattr(after, name) == getattr(state, name), name
    assert all(
        deadline_ms >= after.now_ms or state.timers.get(name) == deadline_ms
        for name, deadline_ms in after.timers.items()
    )
    if not unsafe(state):
        assert after.authority == state.authority
        audible = {"Say", "HoldSpeech", "ResumeSpeech", "CutSpeech", "Perform", "TransferCall", "HangUp"}
        assert not audible & {type(command).__name__ for command in decision.commands}
