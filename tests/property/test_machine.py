"""Whatever happens in whatever order: `step` answers the same twice, changes nothing else, and stays whole.

Events are drawn without regard for sense: a call meets late, repeated and impossible ones. An event may be refused;
nothing else may go wrong.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from offhook.policies.conversation.machine import step
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.commands import Perform, RecordVerdict, Say
from offhook.policies.core.errors import IllegalEvent
from offhook.policies.core.policy import AgentSpec, AnsweringMachine, Policy
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Answer, Asks, Kind, Proposal, Purpose
from offhook.policies.core.state import CallState

ANN = Principal.of("person:ann")

POLICY = Policy(
    name="test",
    agents={"booking": AgentSpec(code="m:C"), "objection": AgentSpec(code="m:C")},
    gate={
        "actions": {
            "book_meeting": {"irreversible": True, "readiness_share": 0.3, "consent": True, "times_max": 1},
            "note": {"autonomy": "approve"},
        }
    },
    answering={"enabled": True, "message": "Please call back."},
)
ANSWERS_AT_ONCE = POLICY.model_copy(update={"answering": AnsweringMachine(enabled=False)})
WORDS = (
    "yes", "no", "yes, book it", "tuesday at ten", "that is too expensive", "hold on", "mm-hm", "what does it cost",
    "stop calling me", "bye", "you have reached the mailbox of", "um", "",
)  # fmt: skip

MOMENTS = st.integers(0, 3_000)
LEVELS = {"loudness_db": st.just(-20.0), "pitch_hz": st.sampled_from([0.0, 120.0])}
UTTERANCES = st.sampled_from(["u1", "u2", "u3"])
PROPOSALS = st.builds(
    Proposal,
    id=st.just(""),
    agent=st.just(""),
    kind=st.sampled_from([Kind.SAY, Kind.SAY, Kind.TOOL, Kind.HANGUP, Kind.TRANSFER, Kind.TIMER, Kind.HANDOFF]),
    turn=st.just(0),
    basis=st.just(0),
    text=st.sampled_from(["", "One thing.", "Another thing."]),
    purpose=st.sampled_from(list(Purpose)),
    asks=st.sampled_from(list(Asks)),
    topic=st.sampled_from(["", "price"]),
    action=st.sampled_from(["book_meeting", "note", "objection"]),
    interruptible=st.booleans(),
)
# (kind, fields); times are filled in while the call runs.
HAPPENINGS: tuple[tuple[type[ev.Event], dict[str, st.SearchStrategy[Any]]], ...] = (
    (ev.LineLost, {"reason": st.just("socket")}),
    (ev.LineResumed, {}),
    (ev.SpeechStarted, {**LEVELS, "snr_db": st.just(20.0)}),
    (ev.SpeechMeasured, {**LEVELS, "snr_db": st.just(20.0), "voiced_ms": MOMENTS}),
    (ev.SpeechEnded, {**LEVELS, "voiced_ms": MOMENTS}),
    (
        ev.ToneHeard,
        {
            "duration_ms": st.sampled_from([100, 700]),
            "frequency_hz": st.just(1000.0),
            "purity": st.just(0.97),
            "tones": st.sampled_from([1, 2]),
        },
    ),
    (ev.WordsHeard, {"segment": st.integers(1, 4), "text": st.sampled_from(WORDS), "final": st.booleans()}),
    (ev.DigitPressed, {"digit": st.sampled_from("012#")}),
    (ev.PlaybackStarted, {"utterance": UTTERANCES}),
    (
        ev.PlaybackReached,
        {"utterance": UTTERANCES, "heard_ms": MOMENTS, "total_ms": st.just(3_000), "confirmed": st.booleans()},
    ),
    (ev.PlaybackStopped, {"utterance": UTTERANCES, "heard_ms": MOMENTS, "heard_text": st.just("One")}),
    (ev.PlaybackEnded, {"utterance": UTTERANCES, "confirmed": st.booleans()}),
    (ev.PlaybackFailed, {"utterance": UTTERANCES, "reason": st.just("engine"), "heard_text": st.just("")}),
    (ev.AgentJoined, {"agent": st.sampled_from(["booking", "objection"])}),
    (ev.AgentLost, {"agent": st.sampled_from(["booking", "objection"]), "reason": st.just("raised")}),
    (
        ev.AgentAnswered,
        {
            "agent": st.sampled_from(["booking", "objection"]),
            "turn": st.sampled_from([1, 1, 1, 1, 0, 2]),
            "basis": st.sampled_from([0, 0, 0, 0, -1, 1]),
            "proposals": st.lists(PROPOSALS, max_size=2).map(tuple),
            "part": st.sampled_from([0, 0, 1, 2]),
            "more": st.sampled_from([False, False, True]),
        },
    ),
    (ev.ActionFinished, {"grant": st.sampled_from(["g1", "g2", "g3"]), "ok": st.booleans(), "result": st.just("r")}),
    (ev.OperatorDecided, {"proposal": st.text(max_size=3), "approved": st.booleans(), "operator": st.just(ANN)}),
    (
        ev.HealthChanged,
        {"part": st.sampled_from(["recognizer", "synthesizer", "journal"]), "up": st.booleans()},
    ),
    (ev.OwnerChanged, {"epoch": st.integers(1, 3)}),
    (ev.PolicyChanged, {"version": st.just("w"), "agents": st.sampled_from([("booking",), ("objection", "gone")])}),
    (ev.TimerFired, {}),
)  # fmt: skip

OFTEN = tuple(found for found in HAPPENINGS if found[0] in (ev.AgentAnswered, ev.WordsHeard, ev.TimerFired)) * 3


@st.composite
def happening(draw: st.DrawFn) -> tuple[type[ev.Event], dict[str, Any], int, int]:
    kind, fields = draw(st.sampled_from(HAPPENINGS + OFTEN))
    values = {name: draw(strategy) for name, strategy in fields.items()}
    return kind, values, draw(st.sampled_from([0, 20, 100, 700, 4_000])), draw(st.integers(0, 5))


def event_of(state: CallState, happens: tuple[type[ev.Event], dict[str, Any], int, int]) -> ev.Event | None:
    """The event at its moment, with what it must name taken from the state where there is something to name."""
    kind, values, after_ms, pick = happens
    at_ms = state.now_ms + after_ms
    values = dict(values)
    fields = kind.__dataclass_fields__
    for name in ("onset_ms", "started_ms"):
        if name in fields:
            values[name] = max(0, at_ms - 200)
    if "ended_ms" in fields:
        values["ended_ms"] = at_ms - 20 if at_ms > 20 else at_ms
    if kind is ev.AgentAnswered:
        values["turn"] = max(0, state.turn + 1 - values["turn"])
        values["basis"] = state.revision + values["basis"]
    if kind is ev.TimerFired:
        if not state.timers:
            return None
        timer = sorted(state.timers)[pick % len(state.timers)]
        return ev.TimerFired(max(at_ms, state.timers[timer]), timer, state.timers[timer])
    if kind in (ev.PlaybackStarted, ev.PlaybackEnded, ev.PlaybackReached) and state.speech.current is not None:
        values["utterance"] = state.speech.current.id
    return kind(at_ms=at_ms, **values)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(happening(), min_size=5, max_size=40),
    st.sampled_from([POLICY, ANSWERS_AT_ONCE, ANSWERS_AT_ONCE]),
    st.sampled_from([ev.LineClosed(10**9, "caller hung up"), ev.HangupRequested(10**9, ANN, "drain")]),
)
def test_any_sequence_of_events(
    sequence: list[tuple[type[ev.Event], dict[str, Any], int, int]], policy: Policy, last: ev.Event
) -> None:
    state = step(CallState(), ev.CallCreated(0, "c1", "outbound", "+1", "+2", "v"), policy).state
    state = step(state, ev.AgentJoined(0, "booking"), policy).state
    state = step(state, ev.LineAnswered(0), policy).state
    performed: list[str] = []
    for happens in (*sequence, last):
        event = event_of(state, happens) if isinstance(happens, tuple) else happens
        if event is None:
            continue
        before = encode(state)
        try:
            decision = step(state, event, policy)
        except IllegalEvent:
            assert encode(state) == before, "a refused event changes nothing"
            continue
        again = step(decode(json.loads(json.dumps(before))), decode(encode(event)), policy)
        first = [encode(command) for command in decision.commands]
        assert first == [encode(command) for command in again.commands], "decided alike, also from a snapshot"
        assert encode(decision.state) == encode(again.state)
        assert encode(state) == before, "the state handed in is not changed"
        _check(decision.commands, decision.state, performed)
        state = decision.state
        assert state.revision == before[_REVISION] + 1


_REVISION = 1 + list(CallState.__dataclass_fields__).index("revision")


def _check(commands: tuple[Any, ...], state: CallState, performed: list[str]) -> None:
    """Speech and acts have a grant; a grant has a verdict; what cannot be undone is done once."""
    verdicts = {c.verdict.id: c.verdict for c in commands if isinstance(c, RecordVerdict)}
    grants = {grant.id: grant for grant in state.authority.grants}
    for command in commands:
        if isinstance(command, Say):
            assert (
                command.grant in grants or state.speech.current is None or state.speech.current.grant != command.grant
            )
        if isinstance(command, Perform):
            verdict = verdicts[grants[command.grant].verdict]
            assert verdict.answer is Answer.GRANT and verdict.moment == "execution"
            if command.irreversible:
                assert command.key not in performed
                performed.append(command.key)
