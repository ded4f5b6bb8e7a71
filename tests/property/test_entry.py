"""Whatever an agent hands in: `step` does not raise, then or later, and what is kept can be written down and said."""

from __future__ import annotations

import json
from typing import Any

import msgpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.commands import Perform, Say, TransferCall
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Answer, Asks, Kind, Polarity, Proposal, Purpose, Reading, Refusal
from offhook.policies.core.sayable import Unsayable, _cleaned, _is_plain, sayable
from offhook.policies.gate.entry import PROPOSALS_MAX, answer_of, proposals_of
from scene import Scene, of, verdicts

ANN = Principal.of("person:ann")

POLICY = Policy(
    name="test",
    agents={"booking": AgentSpec(code="m:C"), "closing": AgentSpec(code="m:C")},
    gate={
        "actions": {"book": {"irreversible": True, "no_open_concern": ("*",)}, "ask": {"autonomy": "approve"}},
        "readers": ("closing",),
    },
)


class Odd:
    """Nothing that anybody expects."""


ODD_CHARACTERS = "é漢🎉\ud800\u202e\u200d\u2028\x1b\x00|`*_#[](<>"
ODD_TEXT = st.text(st.one_of(st.characters(codec="ascii"), st.sampled_from(ODD_CHARACTERS)), max_size=40)
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), ODD_TEXT, st.binary(max_size=5),
    st.sampled_from([10**400, float("nan"), Odd(), Odd, Kind.SAY, Purpose.OFFER, object(), {}, [], "x" * 20_000]),
    st.lists(st.integers() | ODD_TEXT, max_size=3), st.dictionaries(ODD_TEXT, ODD_TEXT, max_size=2),
)  # fmt: skip
# What an agent may well send, by kind; beside it, other right values of each field, and what is none.
USUAL: tuple[dict[str, Any], ...] = (
    {"kind": Kind.SAY, "text": "One thing."},
    {"kind": Kind.SAY, "text": "It is **forty nine** dollars.", "terms": (("price", "forty nine"),)},
    {"kind": Kind.SAY, "text": "So that is ten. Right?", "purpose": Purpose.CONFIRMATION, "asks": Asks.YES_NO},
    {"kind": Kind.TOOL, "action": "note", "text": "One moment."},
    {"kind": Kind.TOOL, "action": "book", "arguments": (("time", "ten"),)},
    {"kind": Kind.TOOL, "action": "ask"},
    {"kind": Kind.HANDOFF, "action": "closing"},
    {"kind": Kind.HANDOFF, "action": "nobody"},
    {"kind": Kind.TRANSFER, "action": "+15550199", "text": "I put you through."},
    {"kind": Kind.HANGUP, "action": "declined", "text": "Goodbye.", "purpose": Purpose.GOODBYE},
    {"kind": Kind.TIMER, "action": "later", "arguments": (("after_ms", "20"),)},
)
PAIRS = st.lists(st.tuples(st.sampled_from(["time", "after_ms", "to"]), ODD_TEXT | JUNK), max_size=3)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["", "p1", "p2"]),
    "agent": st.just("booking"),
    "kind": st.sampled_from(list(Kind)),
    "turn": st.integers(0, 3),
    "basis": st.integers(0, 50),
    "text": st.sampled_from(["", "Another thing.", "| a | b |\n| c | d |"]) | ODD_TEXT,
    "purpose": st.sampled_from(list(Purpose)),
    "asks": st.sampled_from(list(Asks)),
    "priority": st.floats(0, 1),
    "topic": st.sampled_from(["price", "nothing known"]),
    "slot": st.sampled_from(["time", "nothing known"]),
    "action": st.sampled_from(["", "book", "ask", "booking", "hold", "+15550199"]),
    "arguments": st.sampled_from([(("time", "eleven"),), (("after_ms", "soon"),)]) | PAIRS,
    "interruptible": st.booleans(),
    "expires_ms": st.sampled_from([1, 10_000, 10**7]),
    "reason": ODD_TEXT,
    "terms": st.sampled_from([(), (("time", "ten"),)]),
    "about": st.sampled_from(["g1", "nothing known"]),
    "rests_on": st.sampled_from([("words",), ("slot:time", "concern:price"), ("mood",)]),
    "part": st.integers(0, 3),
}


@st.composite
def proposals(draw: st.DrawFn) -> Any:
    """A usual one, with fields that have other right values, or hold anything; sometimes no proposal at all."""
    if draw(st.integers(0, 15)) == 0:
        return draw(JUNK)
    fields = {"id": "", "agent": "", "turn": 0, "basis": 0, **draw(st.sampled_from(USUAL))}
    for name in draw(st.lists(st.sampled_from(sorted(RIGHT)), max_size=2)):
        fields[name] = draw(RIGHT[name])
    for name in draw(st.lists(st.sampled_from(sorted(RIGHT)), max_size=draw(st.sampled_from([0, 0, 1, 2])))):
        fields[name] = draw(JUNK)
    return Proposal(**fields)


ANSWERS = st.lists(proposals(), max_size=PROPOSALS_MAX + 2)
READINGS = st.one_of(st.none(), st.builds(Reading, st.sampled_from(list(Polarity)) | JUNK, ODD_TEXT | JUNK), JUNK)
REFUSALS = st.lists(st.builds(Refusal, *(st.sampled_from(list(Kind)) | JUNK for _ in range(6))) | JUNK, max_size=3)


def test_every_field_is_drawn() -> None:
    assert set(RIGHT) == set(Proposal.__dataclass_fields__)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=ANSWERS)
def test_what_is_taken_in_has_its_types_survives_every_way_and_is_taken_in_again(values: list[Any]) -> None:
    good, refused = proposals_of(values)
    assert len(good) + len(refused) == min(len(values), PROPOSALS_MAX + 1)
    assert proposals_of(good) == (good, ()), "twice is once"
    for proposal in good:
        array = encode(proposal)
        assert decode(msgpack.unpackb(msgpack.packb(array))) == proposal
        assert decode(json.loads(json.dumps(array))) == proposal
        assert not proposal.text or sayable(proposal.text) == proposal.text
    for refusal in refused:
        assert decode(msgpack.unpackb(msgpack.packb(encode(refusal)))) == refusal
        assert refusal.required and refusal.actual
    sent = msgpack.unpackb(msgpack.packb([[encode(p) for p in good], None, [encode(r) for r in refused]]))
    assert answer_of(sent) == (good, None, refused, 0, False), "what leaves a host arrives at the call"
    assert answer_of([*sent, 3, True]) == (good, None, refused, 3, True), "and so does a part"


LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8)
PLAIN_VALUES = st.recursive(
    LEAVES | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(sent=st.lists(st.lists(st.just("Proposal") | PLAIN_VALUES, max_size=9) | PLAIN_VALUES, max_size=6))
def test_whatever_crosses_a_link_becomes_an_event_that_can_be_written_down(sent: list[Any]) -> None:
    event = ev.AgentAnswered(0, "booking", 0, 0, *answer_of(sent))
    assert decode(msgpack.unpackb(msgpack.packb(encode(event)))) == event


# --- through the whole core -----------------------------------------------------------------------------------------


def _speaks(scene: Scene) -> None:
    if not scene.state.hearing.speaking:
        scene.speech_starts()


def _falls_silent(scene: Scene) -> None:
    if scene.state.hearing.speaking:
        scene.speech_ends()


def _is_heard(scene: Scene) -> None:
    current = scene.state.speech.current
    if current is not None:
        scene.happens(ev.PlaybackStarted, utterance=current.id)
        scene.happens(ev.PlaybackReached, utterance=current.id, heard_ms=900, total_ms=1_000, confirmed=True, words=2)
        scene.happens(ev.PlaybackEnded, utterance=current.id, confirmed=True)


def _acts_end(scene: Scene) -> None:
    for grant in scene.state.authority.grants:
        scene.happens(ev.Journaled, grant=grant.id)
        scene.happens(ev.ActionBegun, grant=grant.id)
        scene.happens(ev.ActionFinished, grant=grant.id, ok=True, result="done")


def _operator_says_yes(scene: Scene) -> None:
    for proposal in scene.state.authority.approvals:
        scene.happens(ev.OperatorDecided, proposal=proposal.id, approved=True, operator=ANN)


def _line_breaks(scene: Scene) -> None:
    scene.happens(ev.LineLost, reason="socket")
    scene.passes(500)
    scene.happens(ev.LineResumed)


MOVES: dict[str, Any] = {
    "speaks": _speaks,
    "silent": _falls_silent,
    "yes": lambda scene: scene.words("yes please"),
    "no": lambda scene: scene.words("no wait, that is too expensive"),
    "time": lambda scene: scene.words("tuesday at ten"),
    "heard": _is_heard,
    "acts": _acts_end,
    "approved": _operator_says_yes,
    "line": _line_breaks,
    "lost": lambda scene: scene.happens(ev.AgentLost, agent="closing", reason="raised"),
    "joined": lambda scene: scene.happens(ev.AgentJoined, agent="closing"),
    "owner": lambda scene: scene.happens(ev.OwnerChanged, epoch=2),
    "soon": lambda scene: scene.passes(200),
    "later": lambda scene: scene.passes(3_000),
    "key": lambda scene: scene.happens(ev.DigitPressed, digit="1"),
}


@st.composite
def answered(draw: st.DrawFn) -> tuple[Any, ...]:
    """An answer to the open round, or to one that there is not, of any agent."""
    return (
        draw(st.sampled_from(["booking", "booking", "closing", "nobody"])),
        draw(st.sampled_from([0, 0, 0, 1, -1])),
        draw(st.sampled_from([0, 0, 0, 1, -5])),
        tuple(draw(ANSWERS)),
        draw(READINGS),
        tuple(draw(REFUSALS)),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(happens=st.lists(answered() | st.sampled_from(sorted(MOVES)), min_size=4, max_size=14))
def test_no_answer_of_an_agent_makes_step_raise_then_or_later(happens: list[Any]) -> None:
    scene = Scene(POLICY).answered("booking", "closing")
    for each in happens:
        before = len(scene.commands)
        if isinstance(each, str):
            MOVES[each](scene)
        else:
            _answer(scene, *each)
        _can_be_kept(scene, before)
    scene.passes(60_000)
    scene.happens(ev.LineClosed, reason="over")


def _answer(
    scene: Scene, agent: str, turn: int, basis: int, values: tuple[Any, ...], reading: Any, refused: tuple[Any, ...]
) -> None:
    found, state = scene.state.round, scene.state
    commands = scene.happens(
        ev.AgentAnswered,
        agent=agent,
        turn=state.turn + turn,
        basis=(found.basis if found is not None else state.revision) + basis,
        proposals=values,
        reading=reading,
        refused=refused,
    )
    for verdict in verdicts(commands):
        assert verdict.rules and (verdict.answer is not Answer.DENY or verdict.reason)


def _can_be_kept(scene: Scene, before: int) -> None:
    """The state is whole after every way that it may go, and what leaves the call has its types."""
    array = encode(scene.state)
    assert decode(msgpack.unpackb(msgpack.packb(array))) == scene.state
    fresh = scene.commands[before:]
    msgpack.packb([encode(command) for command in fresh])
    for say in of(fresh, Say):
        assert sayable(say.text) == say.text
    for order in of(fresh, Perform):
        assert all(type(part) is str for pair in order.arguments for part in (order.action, *pair))
    assert all(type(order.target) is str for order in of(fresh, TransferCall))


# --- words ----------------------------------------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(text=ODD_TEXT | st.text(max_size=60))
def test_words_are_made_once(text: str) -> None:
    try:
        words = sayable(text)
    except Unsayable:
        return
    assert sayable(words) == words
    words.encode()


@settings(max_examples=500, deadline=None)
@given(text=st.text(st.sampled_from("abcXYZ 0123456789.,?!'\"$%()+@=:;/&-éß’–—…°"), max_size=40))
def test_what_is_told_to_be_plain_at_a_glance_has_no_marks(text: str) -> None:
    if _is_plain(text):
        assert _cleaned(text) == text


TOLD_AS_WRITTEN = ("Yes", "no", "$1,299.00", "3:30pm", "2026-12-01", "+1", "555-0123", "Ann's", "50%", "(maybe)", "9.5")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOLD_AS_WRITTEN), min_size=1))
def test_a_sentence_comes_out_as_it_went_in(words: list[str]) -> None:
    text = " ".join(words) + "."
    assert sayable(text) == text
