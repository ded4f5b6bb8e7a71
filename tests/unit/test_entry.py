"""What agents and operators hand in: one bad value costs itself, is denied with its reason, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dialogue import failed
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import Command, InviteAgents, Perform, Say
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.fields import ARGUMENTS_CHARS_MAX, ARGUMENTS_MAX
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Answer, Asks, Kind, Polarity, Proposal, Purpose, Reading, Refusal, Verdict
from offhook.policies.gate.entry import (
    DELAY_MAX_MS,
    PROPOSALS_MAX,
    answer_of,
    counts,
    event_of,
    proposals_of,
    reading_of,
)
from offhook.policies.replay.explain import explain, lines
from scene import Scene, of, verdicts

ANN = Principal.of("person:ann")

GOOD = Proposal("good", "booking", Kind.SAY, 0, 0, "Hello.", Purpose.GREETING, priority=0.1)
TOOL = replace(GOOD, id="bad", kind=Kind.TOOL, text="", action="note")
TIMER = replace(TOOL, kind=Kind.TIMER, action="later", arguments=(("after_ms", "2000"),))


class Text(str):
    """As a library might have it."""


def answers(scene: Scene, *proposals: Any, agent: str = "booking", **more: Any) -> list[Command]:
    found = scene.state.round
    basis = found.basis if found is not None else scene.state.revision
    return scene.happens(
        ev.AgentAnswered, agent=agent, turn=scene.state.turn, basis=basis, proposals=tuple(proposals), **more
    )


def judged(*proposals: Any) -> tuple[Scene, list[Command], Verdict]:
    """An answer with one bad proposal beside a good one: what follows, and the verdict on the bad one."""
    scene = Scene().answered("booking")
    commands = answers(scene, *proposals, GOOD)
    assert [say.text for say in of(commands, Say)] == ["Hello."], "the good one goes on"
    denied = [verdict for verdict in verdicts(commands) if verdict.answer is Answer.DENY]
    assert len(denied) == 1
    return scene, commands, denied[0]


BAD: tuple[tuple[str, Any, str], ...] = (
    # what is wrong, the proposal, what the verdict says is required
    ("no proposal", "hello", "a Proposal"),
    ("nothing", None, "a Proposal"),
    ("a reading", Reading(Polarity.YES), "a Proposal"),
    ("a hollow one", object.__new__(Proposal), "a whole Proposal"),
    ("a number as text", replace(GOOD, text=5), "text: text"),
    ("no text", replace(GOOD, text=""), "text to say"),
    ("bytes", replace(GOOD, text=b"Hello."), "text: text"),
    ("an id of another type", replace(TOOL, id=7), "id: text"),
    ("an id with a line break", replace(TOOL, id="a\nb"), "id: printable characters on one line"),
    ("half a character", replace(TOOL, topic="\ud800"), "topic: printable characters on one line"),
    ("a name without end", replace(TOOL, slot="s" * 65), "slot: at most 64 characters"),
    ("a kind as text", replace(TOOL, kind="tool"), "kind: one of Kind"),
    ("a purpose of another kind", replace(TOOL, purpose=Asks.OPEN), "purpose: one of Purpose"),
    ("asks nothing at all", replace(TOOL, asks=None), "asks: one of Asks"),
    ("a turn as text", replace(TOOL, turn="1"), "turn: a whole number"),
    ("a turn that is true", replace(TOOL, turn=True), "turn: a whole number"),
    ("a revision before the first", replace(TOOL, basis=-1), "basis: 0 to"),
    ("a revision without end", replace(TOOL, basis=10**30), "basis: 0 to"),
    ("a priority as text", replace(TOOL, priority="high"), "priority: a number"),
    ("a priority that is none", replace(TOOL, priority=float("nan")), "priority: 0 to 1"),
    ("a priority without end", replace(TOOL, priority=float("inf")), "priority: 0 to 1"),
    ("a priority of ten", replace(TOOL, priority=10**400), "priority: 0 to 1"),
    ("an expiry before the call", replace(TOOL, expires_ms=-5), "expires_ms: 0 to"),
    ("an expiry in a year", replace(TOOL, expires_ms=10**12), "expires_ms: 0 to"),
    ("an expiry of 1.5", replace(TOOL, expires_ms=1.5), "expires_ms: a whole number"),
    ("interruptible perhaps", replace(TOOL, interruptible="yes"), "interruptible: True or False"),
    ("a reason without end", replace(TOOL, reason="r" * 1_001), "reason: at most 1000 characters"),
    ("arguments that are numbers", replace(TOOL, arguments=(("seats", 3),)), "arguments: seats: text"),
    ("arguments as a map", replace(TOOL, arguments={"time": "ten"}), "arguments: pairs of a name and text"),
    ("arguments as text", replace(TOOL, arguments="time"), "arguments: pairs of a name and text"),
    ("an argument without a value", replace(TOOL, arguments=(("time",),)), "arguments: pairs of a name and text"),
    ("an argument twice", replace(TOOL, arguments=(("a", "1"), ("a", "2"))), "arguments: each name once"),
    ("a name that could be two", replace(TOOL, arguments=(("a=1\x1fb", "2"),)), "arguments: plain names"),
    ("a separator in a value", replace(TOOL, arguments=(("a", "1\x1fb=2"),)), "arguments: printable characters"),
    (
        "many arguments",
        replace(TOOL, arguments=tuple((f"a{n}", "") for n in range(ARGUMENTS_MAX + 1))),
        f"arguments: at most {ARGUMENTS_MAX}",
    ),
    (
        "large arguments",
        replace(TOOL, arguments=(("a", "x" * ARGUMENTS_CHARS_MAX), ("b", "x"))),
        f"arguments: at most {ARGUMENTS_CHARS_MAX} characters in all",
    ),
    ("terms as a map", replace(GOOD, id="bad", terms={"price": "Hello"}), "terms: pairs of a name and text"),
    ("rests on a thing of its own", replace(TOOL, rests_on=("mood",)), "rests_on: words, signals, concerns, slot:NAME"),
    ("rests on no list", replace(TOOL, rests_on="words"), "rests_on: at most"),
    ("about nothing", replace(TOOL, about=None), "about: text"),
    ("a tool without a name", replace(TOOL, action=""), "action: a tool's name"),
    ("a tool named as words are counted", replace(TOOL, action="say:offer"), "action: a tool's name"),
    ("a tool named as what the gate does", replace(TOOL, action="hangup"), "action: a tool's name"),
    ("a handoff to nobody", replace(TOOL, kind=Kind.HANDOFF, action=""), "action: an agent"),
    ("a transfer to nobody", replace(TOOL, kind=Kind.TRANSFER, action=""), "action: a target"),
    ("an outcome without end", replace(TOOL, kind=Kind.HANGUP, action="x" * 65), "action: an outcome"),
    ("a timer without a name", replace(TIMER, action=""), "action: a plain name"),
    ("a timer with a sentence", replace(TIMER, action="call me later"), "action: a plain name"),
    ("a timer named as the core's", replace(TIMER, action="approved"), "action: a plain name"),
    *(
        (f"a timer after {said}", replace(TIMER, arguments=(("after_ms", said),)), "after_ms: a whole number from 0")
        for said in ("soon", "1.5", "-5", "1e3", " 5", "1_000", "", "٣", str(10**30), str(DELAY_MAX_MS + 1))
    ),
    ("a timer after 2,000", replace(TIMER, arguments=(("after_ms", 2_000),)), "arguments: after_ms: text"),
)


@pytest.mark.parametrize(("what", "proposal", "required"), BAD, ids=[what for what, _, _ in BAD])
def test_a_bad_proposal_costs_itself_and_is_denied_with_its_reason(what: str, proposal: Any, required: str) -> None:
    _, _, verdict = judged(proposal)
    assert failed(verdict) == {"well_formed"} and verdict.moment == "proposed"
    (rule,) = verdict.rules
    assert rule.required.startswith(required) and rule.actual
    assert any("well_formed" in line and required in line for line in lines(explain(verdict)))


TEXTS = (
    ("| day | time |\n|---|---|\n| Tuesday | ten |", "a table"),
    ("```\nprint(1)\n```", "a block of code"),
    ("🎉", "no letter and no digit"),
    ("See http://10.0.0.1/x", "http, another host"),
    ("word " * 1_000, "5000 characters"),
)


@pytest.mark.parametrize(("text", "found"), TEXTS)
def test_text_that_cannot_be_said_is_denied_with_its_reason(text: str, found: str) -> None:
    _, _, verdict = judged(replace(GOOD, id="bad", text=text))
    assert failed(verdict) == {"sayable"} and verdict.rules[0].actual == found
    _, _, verdict = judged(replace(TOOL, kind=Kind.TRANSFER, action="+15550199", text=text))
    assert failed(verdict) == {"sayable"}, "also what is said on the way"


def test_text_is_made_words_before_it_is_judged() -> None:
    scene = Scene().answered("booking")
    (say,) = of(answers(scene, replace(GOOD, text="**Hello!** 🎉\n- See [our site](https://example.com/a)")), Say)
    assert say.text == "Hello! See our site"
    assert scene.state.speech.current is not None and scene.state.speech.current.text == say.text


@pytest.mark.parametrize("text", ["+1 415 555 0123", "$1,299.00", "2026-12-01", "3:30pm"])
def test_numbers_money_dates_and_times_are_said_as_they_are_written(text: str) -> None:
    (say,) = of(answers(Scene().answered("booking"), replace(GOOD, text=f"**It** is {text}.")), Say)
    assert say.text == f"It is {text}."


@pytest.mark.parametrize(
    ("text", "words", "good"),
    [
        ("It is **$49** a month.", "$49", True),
        ("It is **$49** a month.", "**$49** a month", True),
        ("It is [Forty nine](https://example.com/p) dollars.", "forty nine dollars", True),
        ("See https://example.com/forty-nine", "forty-nine", False),
        ("It is often.", "ten", False),
        ("It is ten.", "🎉", False),
    ],
)
def test_a_term_stands_in_the_words_that_are_said(text: str, words: str, good: bool) -> None:
    found, refused = proposals_of([replace(GOOD, text=text, terms=(("price", words),))])
    assert bool(found) is good and bool(refused) is not good
    if refused:
        assert refused[0].rule == "sayable"


def test_what_is_meant_rightly_is_taken_in_in_plain_types() -> None:
    loose = replace(
        TOOL, action=Text("note"), arguments=[["b", Text("2")], ("a", "1\n2")], priority=1, rests_on=["words"]
    )
    ((kept,), refused) = proposals_of([loose])
    assert refused == ()
    assert kept.arguments == (("a", "1\n2"), ("b", "2")) and kept.rests_on == ("words",)
    assert [type(value) for value in (kept.action, kept.arguments[1][1], kept.priority)] == [str, str, float]
    whole = replace(TOOL, reason="said so,\n\x1b[1mtwice")
    assert proposals_of([whole])[0][0].reason == "said so, [1mtwice"
    assert proposals_of([GOOD])[0] == (GOOD,)


def test_a_timer_opens_its_round_when_it_says() -> None:
    scene = Scene().answered("booking")
    answers(scene, TIMER)
    assert scene.timers["round.later"] == scene.now_ms + 2_000
    assert "later" in [invitation.reason for invitation in of(scene.passes(2_100), InviteAgents)]


def test_a_call_has_only_so_many_timers() -> None:
    scene = Scene().answered("booking")
    for number in range(12):
        answers(scene, replace(TIMER, id="", action=f"later{number}", arguments=(("after_ms", "60000"),)))
    assert len([timer for timer in scene.timers if timer.startswith("round.later")]) == 8
    commands = answers(scene, replace(TIMER, id="", action="later0", arguments=(("after_ms", "1000"),)))
    assert [verdict.answer for verdict in verdicts(commands)] == [Answer.GRANT], "one of them may be set anew"


def test_a_handoff_to_an_agent_that_is_not_there_is_denied() -> None:
    scene = Scene().answered("booking", "closing")
    answers(scene, agent="closing")
    away = replace(TOOL, kind=Kind.HANDOFF, action="objection")
    commands = answers(scene, away, GOOD)
    denied = [verdict for verdict in verdicts(commands) if verdict.answer is Answer.DENY]
    assert [failed(verdict) for verdict in denied] == [{"handoff"}]
    assert denied[0].reason == "handoff: needs one of booking, closing, is objection"
    assert of(commands, Say) and not of(commands, InviteAgents)
    scene = Scene().answered("booking", "closing")
    answers(scene, agent="closing")
    (invited,) = of(answers(scene, replace(away, action="closing")), InviteAgents)
    assert invited.agents == ("closing",)


def test_the_same_answer_once_more_is_not_denied_twice() -> None:
    scene = Scene().answered("booking", "closing")
    answer = {"turn": scene.state.turn, "basis": scene.state.revision, "proposals": (TOOL, "what?")}
    first = scene.happens(ev.AgentAnswered, agent="booking", **answer)
    again = scene.happens(ev.AgentAnswered, agent="booking", **answer)
    assert len(verdicts(first)) == 1 and verdicts(again) == []


# --- over a link ----------------------------------------------------------------------------------------------------


def test_an_answer_that_crossed_a_link_loses_what_is_none_and_keeps_the_rest() -> None:
    bad = encode(replace(TOOL, action=""))
    arrays = [encode(GOOD), ["Proposal", 1], 5, ["NoSuchThing"], encode(Reading(Polarity.YES)), bad, encode(TOOL)]
    good, reading, refused, _, _ = answer_of([arrays])
    assert good == (GOOD, TOOL) and reading is None and len(refused) == 5
    assert refused[0].required == "a proposal as its array" and "elements" in refused[0].actual
    before = Refusal("x", Kind.TOOL, "note", "well_formed", "text", "int")
    assert answer_of([[], encode(Reading(Polarity.NO, "so")), [encode(before), 3]]) == (
        (),
        Reading(Polarity.NO, "so"),
        (before,),
        0,
        False,
    )
    assert answer_of([[], ["Reading", "perhaps", ""], "none"]) == ((), None, (), 0, False)
    assert answer_of([7]) == ((), None, (), 0, False)
    many = answer_of([[encode(GOOD)] * 10_000, None, [encode(before)] * 10_000])
    assert len(many[0]) == PROPOSALS_MAX and len(many[2]) == PROPOSALS_MAX + 2


def test_what_a_value_says_stays_out_of_its_refusal() -> None:
    secret = ["Proposal", "p", "a", "secret words of the caller", 0, 0]
    (refusal,) = answer_of([[secret]])[2]
    assert "secret" not in str(refusal)


def test_refusals_of_another_process_are_bounded() -> None:
    scene = Scene().answered("booking")
    loud = Refusal("p\n" * 1_000, Kind.SAY, "", "", "", "x" * 10_000)
    commands = answers(scene, GOOD, refused=(loud, "none"))
    (verdict,) = [found for found in verdicts(commands) if found.answer is Answer.DENY]
    assert len(verdict.proposal) <= 100 and len(verdict.rules[0].actual) <= 100 and failed(verdict) == {"well_formed"}


@pytest.mark.parametrize(
    "value", [None, "yes", 5, ["Reading"], ["Reading", "yes", 5], ["Say"], Reading("yes"), Reading(Polarity.YES, 5)]
)  # type: ignore[arg-type]
def test_a_reading_that_is_none_is_none(value: Any) -> None:
    assert reading_of(value) is None


def test_a_reading_is_bounded() -> None:
    found = reading_of(Reading(Polarity.UNCLEAR, "a\nb" * 10_000))
    assert found is not None and found.says is Polarity.UNCLEAR and len(found.why) <= 1_000 and "\n" not in found.why


@pytest.mark.parametrize(
    ("numbers", "right"), [((0, 5), True), ((-1, 5), False), ((True, 5), False), ((1, 2**54), False), (("1", 5), False)]
)
def test_turns_and_revisions_are_counts(numbers: tuple[Any, ...], right: bool) -> None:
    assert counts(*numbers) is right


# --- operators ------------------------------------------------------------------------------------------------------


def test_an_operators_word_enters_at_its_moment() -> None:
    assert event_of(encode(ev.HangupRequested(7, ANN, "enough")), 9) == ev.HangupRequested(9, ANN, "enough")
    assert event_of(encode(ev.OperatorDecided(7, "p1", True, ANN)), 9) == ev.OperatorDecided(9, "p1", True, ANN)
    assert event_of(encode(ev.LineClosed(7, "completed")), 9) == ev.LineClosed(9, "completed")
    assert event_of(encode(ev.ActionFinished(7, "g1", False, "busy")), 9) == ev.ActionFinished(9, "g1", False, "busy")


@pytest.mark.parametrize(
    "array",
    [
        [],
        ["HangupRequested"],
        [5, 0],
        [["HangupRequested"], 0],
        ["NoSuchEvent", 0],
        ["LineLost", 0, "over"],
        ["AgentAnswered", 0, "booking", 0, 0, []],
        ["HangupRequested", 0, "ann"],
        ["HangupRequested", 0, "ann", 5],
        ["OperatorDecided", 0, "p1", "yes", "ann"],
        ["HangupRequested", 0, "ann", "x" * 501],
        ["HangupRequested", 0, "ann\n", "enough"],
    ],
)
def test_what_is_no_operators_word_is_refused(array: list[Any]) -> None:
    with pytest.raises(CallerFault):
        event_of(array, 0)


def test_an_order_to_a_tool_has_text_only() -> None:
    scene = Scene().answered("booking")
    (order,) = of(answers(scene, replace(TOOL, arguments=(("b", "2"), ("a", "1")))), Perform)
    assert order.arguments == (("a", "1"), ("b", "2"))


def test_a_term_is_words() -> None:
    for words in ("", " ", "...", "-"):
        assert proposals_of([replace(GOOD, text="It is - ten ... dollars.", terms=(("price", words),))])[0] == ()
