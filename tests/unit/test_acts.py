"""The way of an act: told first, journaled, judged for the last time, ordered, begun; taken back in time, or too late.
Whole calls: what is said of an act is what came of it, with its own arguments.
"""

from __future__ import annotations

import pytest
from booking_call import at_the_read_back, booked
from dialogue import Dialogue, sales_policy
from offhook.policies.core import events as ev
from offhook.policies.core.commands import AwaitJournal, Command, Perform, RecordVerdict, Say, Withdraw
from offhook.policies.core.proposals import Answer, Kind, Proposal
from scene import Scene, of
from scene import verdicts as verdicts_of

TAKES_BACK = [
    "No, wait.",
    "No, do not book that.",
    "Wait a second.",
    "Stop, no.",
    "Actually no, not that one.",
    "Hold on",
]
LEAVES_IT = ["okay", "mm-hm", "thank you", "great"]


def announced(call: Dialogue) -> Dialogue:
    """The caller has said yes, and hears "One moment, I am booking that."."""
    at_the_read_back(call)
    call.caller_speaks("Yes, that's right.")
    while "One moment" not in call.said[-1]:
        call.passes(20)
    return call


def ordered(call: Dialogue) -> Dialogue:
    """... and the order is on its way: the register has not begun it."""
    announced(call)
    while not of(call.commands, Perform):
        call.passes(5)
    return call


def verdicts(call: Dialogue, moment: str) -> list[tuple[Answer, str]]:
    found = [c.verdict for c in of(call.commands, RecordVerdict)]
    return [(v.answer, v.reason.partition(":")[0]) for v in found if v.what == "book_meeting" and v.moment == moment]


def test_nothing_leaves_before_its_words_were_heard_and_the_journal_has_what_led_to_it() -> None:
    call = announced(Dialogue())
    call.journal_ms = 400
    call.passes(800)
    assert not of(call.commands, AwaitJournal), "it is being announced"
    while not of(call.commands, AwaitJournal):
        call.passes(5)
    assert call.state.speech.current is None
    call.passes(350)
    assert not of(call.commands, Perform)
    call.passes(100)
    assert of(call.commands, Perform)
    assert verdicts(call, "execution") == [(Answer.GRANT, "")]


@pytest.mark.parametrize("words", TAKES_BACK)
def test_a_no_over_the_announcement_takes_it_back(words: str) -> None:
    call = announced(Dialogue())
    call.passes(600)
    call.caller_says(words)
    assert booked(call) == [] and not of(call.commands, Perform)
    assert "are booked" not in call.said[-1]


@pytest.mark.parametrize("words", LEAVES_IT)
def test_a_listeners_word_over_the_announcement_leaves_it_standing(words: str) -> None:
    call = announced(Dialogue())
    call.passes(600)
    call.caller_says(words)
    assert booked(call) == ["tuesday at 10"]


@pytest.mark.parametrize("words", ["if my wife agrees", "at least I hope so", "and bring the blue one"])
def test_words_over_the_announcement_that_are_no_yes_take_it_back_too(words: str) -> None:
    call = announced(Dialogue())
    call.passes(600)
    call.caller_says(words)
    assert booked(call) == []


@pytest.mark.parametrize("words", TAKES_BACK)
def test_while_the_journal_is_slow_a_no_wins_and_the_caller_is_told(words: str) -> None:
    call = Dialogue()
    call.journal_ms = 3_000
    announced(call)
    while not of(call.commands, AwaitJournal):
        call.passes(5)
    call.caller_says(words, then_ms=3_000)
    assert booked(call) == [] and not of(call.commands, Perform)
    assert any("I have not booked tuesday at 10" in text for text in call.said), call.said[-3:]


@pytest.mark.parametrize("words", TAKES_BACK)
def test_until_the_register_has_begun_it_a_withdrawal_wins_and_the_caller_is_told(words: str) -> None:
    call = Dialogue()
    call.leave_ms = 4_000
    ordered(call)
    call.caller_says(words, then_ms=4_000)
    assert of(call.commands, Withdraw) and booked(call) == []
    act = call.state.authority.acts[-1]
    assert act.withdrawn and not act.ok
    assert any("I have not booked tuesday at 10" in text for text in call.said), call.said[-3:]
    assert call.state.authority.spent_cents == 0
    assert all(name != "book_meeting" for name, _, _ in call.state.authority.done), "it never happened"


@pytest.mark.parametrize("words", ["No, wait.", "No, do not book that."])
def test_once_it_has_begun_the_caller_is_told_the_truth_and_offered_what_undoes_it(words: str) -> None:
    call = Dialogue()
    call.tool_ms = 3_000
    ordered(call)
    call.passes(100)
    call.caller_says(words, then_ms=1_000)
    assert booked(call) == ["tuesday at 10"] and not of(call.commands, Withdraw)
    assert "I am sorry, tuesday at 10 was booked already. Shall I cancel it for you?" in call.said
    call.caller_says("Yes, please cancel it.", then_ms=4_000)
    undone = [order for order in call.performed if order.action == "cancel_meeting"]
    assert [order.arguments for order in undone] == [(("time", "tuesday at 10"),)]
    assert any("The call on tuesday at 10 is cancelled." in text for text in call.said)


def test_without_a_tool_that_undoes_it_the_caller_is_told_that_it_is_done() -> None:
    gate = sales_policy().gate.model_dump()
    gate["actions"]["book_meeting"]["undo"] = ""
    call = Dialogue(sales_policy(gate=gate))
    call.tool_ms = 3_000
    ordered(call)
    call.passes(100)
    call.caller_says("No, wait.", then_ms=3_000)
    assert booked(call) == ["tuesday at 10"]
    assert any("are booked for tuesday at 10" in text for text in call.said)


def test_what_is_said_of_a_booking_is_its_own_time_whatever_was_said_meanwhile() -> None:
    call = Dialogue()
    call.tool_ms = 4_000
    ordered(call)
    call.passes(200)
    call.caller_says("By the way, Wednesday at four would be nice for my wife.", then_ms=4_000)
    assert booked(call) == ["tuesday at 10"]
    told = [text for text in call.said if "booked" in text and " at " in text]
    assert told and all("tuesday at 10" in text for text in told), told


def test_a_claim_that_is_not_what_came_of_the_act_is_refused() -> None:
    call = at_the_read_back()
    call.caller_says("Yes, that's right.")
    act = call.state.authority.acts[-1]
    for about, terms, ok in (
        (f"{act.grant}:done", (("time", "tuesday at 10"),), True),
        (f"{act.grant}:failed", (), False),
        (f"{act.grant}:done", (("time", "wednesday at 10"),), False),
        ("g99:done", (), False),
    ):
        call.happens(
            ev.AgentAnswered,
            agent="booking",
            turn=call.state.turn,
            basis=call.state.revision,
            proposals=(claim(call, about, terms),),
        )
        last = of(call.commands, RecordVerdict)[-1].verdict
        outcome = next(result for result in last.rules if result.rule == "outcome")
        assert outcome.ok is ok, outcome


def claim(call: Dialogue, about: str, terms: tuple[tuple[str, str], ...]) -> Proposal:
    said = f"About {terms}."
    return Proposal("p", "booking", Kind.SAY, call.state.turn, call.state.revision, said, about=about, terms=terms)


def test_after_a_takeover_an_act_that_waits_for_the_journal_still_waits_for_it() -> None:
    call = Dialogue()
    call.journal_ms = 60_000
    announced(call)
    while not of(call.commands, AwaitJournal):
        call.passes(5)
    call.happens(ev.OwnerChanged, epoch=2)
    (grant,) = [grant for grant in call.state.authority.grants if grant.stage]
    assert grant.stage == "journal"
    call.happens(ev.Journaled, grant=grant.id)
    assert of(call.commands, Perform)


def a_transfer_is_proposed(scene: Scene) -> list[Command]:
    turn, basis = scene.state.turn, scene.state.revision
    to = Proposal("p1", "closing", Kind.TRANSFER, turn, basis, text="I will put you through.", action="+15550123")
    return scene.happens(ev.AgentAnswered, agent="closing", turn=turn, basis=basis, proposals=(to,))


def speaks_against_a_transfer(*turn: str) -> bool:
    """Whether something speaks against a transfer that is proposed when a turn, said in these pieces, is over."""
    scene = Scene().answered("closing")
    for piece in turn:
        scene.speech_starts()
        scene.speech_goes_on(600)
        scene.words(piece)
        scene.speech_ends()
        scene.passes(100)
    while scene.state.round is None:
        scene.passes(20)
    (verdict,) = [v for v in verdicts_of(a_transfer_is_proposed(scene)) if v.kind is Kind.TRANSFER]
    (contrary,) = [result for result in verdict.rules if result.rule == "contrary"]
    return not contrary.ok


@pytest.mark.parametrize("words", ["no no that's not what I meant", "no, wait", "no, please don't"])
def test_a_person_who_is_called_off_within_the_turn_is_not_called(words: str) -> None:
    assert speaks_against_a_transfer("can I talk to a person", words)


@pytest.mark.parametrize(
    "turn", [("give me a person, I don't want a machine",), ("no", "can I talk to a person"), ("a person, please",)]
)
def test_a_no_to_the_machine_or_before_the_request_calls_nobody_off(turn: tuple[str, ...]) -> None:
    assert not speaks_against_a_transfer(*turn)


def transfer_announced(words: str) -> Scene:
    """The caller's words, as they were read so far, are answered by a transfer, whose announcement is being heard."""
    scene = Scene().answered("closing")
    scene.speech_starts()
    scene.speech_goes_on(900)
    scene.words(words, final=False, segment=1)
    scene.speech_ends()
    while scene.state.round is None:
        scene.passes(20)
    (say,) = of(a_transfer_is_proposed(scene), Say)
    scene.passes(20)
    scene.happens(ev.PlaybackStarted, utterance=say.utterance)
    scene.passes(500)
    return scene


@pytest.mark.parametrize("late", ["can I talk to a person, I did not mean that", "can I talk to a person no don't"])
def test_a_refusal_in_the_answered_turn_that_is_read_late_takes_the_act_back(late: str) -> None:
    scene = transfer_announced("can I talk to a person")
    assert scene.state.hearing.before, "the turn is answered"
    onset_ms, ended_ms = scene.state.hearing.onset_ms, scene.state.hearing.ended_ms
    scene.happens(ev.WordsHeard, segment=1, text=late, final=True, started_ms=onset_ms, ended_ms=ended_ms)
    assert [act.withdrawn for act in scene.state.authority.acts] == [True]


@pytest.mark.parametrize("words", ["can I talk to a person", "I don't want a machine can I talk to a person"])
def test_the_answered_turn_read_to_its_end_as_it_was_takes_nothing_back(words: str) -> None:
    scene = transfer_announced(words)
    onset_ms, ended_ms = scene.state.hearing.onset_ms, scene.state.hearing.ended_ms
    scene.happens(ev.WordsHeard, segment=1, text=words, final=True, started_ms=onset_ms, ended_ms=ended_ms)
    assert not scene.state.authority.acts
