"""What is owed to the caller survives noise: results, timers, keys, late words, unfinished answers. Whole calls."""

from __future__ import annotations

import pytest
from booking_call import TO_THE_OFFER, at_the_read_back, booked
from dialogue import Dialogue
from offhook.policies.core import events as ev
from offhook.policies.core.commands import InviteAgents, RecordVerdict, Say, TransferCall
from offhook.policies.core.proposals import Answer, Asks, Kind, Proposal, Purpose
from scene import Scene, of


def coughs(call: Scene, ms: int = 300) -> int:
    """A sound without words; returns the moment at which it ended."""
    call.speech_starts()
    call.speech_goes_on(ms - 60)
    call.speech_ends()
    return call.state.hearing.ended_ms


def proposed(call: Scene, *proposals: Proposal, agent: str = "booking") -> None:
    call.happens(ev.AgentAnswered, agent=agent, turn=call.state.turn, basis=call.state.revision, proposals=proposals)


def proposal(call: Scene, kind: Kind, **fields: object) -> Proposal:
    number = len(call.commands)
    return Proposal(f"p{number}", "booking", kind, call.state.turn, call.state.revision, **fields)  # type: ignore[arg-type]


def verdict_on_debt(call: Scene, kind: str) -> list[str]:
    found = [c.verdict for c in of(call.commands, RecordVerdict) if c.verdict.moment == "owed"]
    return [v.reason for v in found if v.proposal.startswith(f"owed:{kind}")]


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("into_ms", [0, 100, 250])
def test_a_result_that_comes_during_a_cough_is_told_within_a_second_after_it(into_ms: int) -> None:
    call = at_the_read_back()
    call.tool_ms = 60_000
    call.caller_speaks("Yes, that's right.")
    while not call.performed:
        call.passes(20)
    call.passes(400)
    (grant,) = [order.grant for order in call.performed]
    call.speech_starts()
    call.passes(into_ms)
    call.happens(ev.ActionFinished, grant=grant, ok=True, result="booked")
    call.passes(300 - 60 - into_ms if into_ms < 240 else 0)
    call.speech_ends()
    ended_ms, before = call.state.hearing.ended_ms, len(call.said)
    while len(call.said) == before and call.now_ms < ended_ms + 5_000:
        call.passes(10)
    assert "You are booked for tuesday at 10" in call.said[-1]
    assert call.now_ms - ended_ms <= 1_000


def test_words_that_are_read_only_while_a_fact_is_told_are_answered_after_it() -> None:
    call = at_the_read_back()
    call.tool_ms = 60_000
    call.caller_speaks("Yes, that's right.")
    while not call.performed:
        call.passes(20)
    call.passes(400)
    call.speech_starts()
    call.happens(ev.ActionFinished, grant=call.performed[0].grant, ok=True, result="booked")
    call.speech_goes_on(300)
    call.speech_ends()
    while "You are booked" not in call.said[-1]:
        call.passes(10)
    call.passes(400)
    call.words("What does it cost?")
    call.settles()
    assert "forty nine" in call.said[-1].lower(), call.said[-2:]


def test_an_act_that_no_agent_speaks_of_is_told_by_the_core_with_its_own_arguments() -> None:
    call = at_the_read_back()
    real = call.agents["booking"].propose
    call.agents["booking"].propose = lambda view, reason: [] if view["acts"] else real(view, reason)  # type: ignore[method-assign]
    call.caller_says("Yes, that's right.")
    assert booked(call) and call.said[-1] == "That is done: the call on tuesday at 10."


# --- timers -----------------------------------------------------------------------------------------------------------


def test_a_holds_timer_that_fires_in_a_cough_still_opens_its_round() -> None:
    scene = Scene().answered("booking")
    scene.agent_says("One moment, please.")
    scene.happens(ev.PlaybackEnded, utterance="u1", confirmed=True)
    proposed(scene, proposal(scene, Kind.TIMER, action="hold", arguments=(("after_ms", "2000"),)))
    scene.passes(1_900)
    scene.speech_starts()
    scene.speech_goes_on(300)
    asked = scene.speech_ends() + scene.passes(1_000)
    assert [each.reason for each in of(asked, InviteAgents)] == ["hold"]


# --- transfers and what is said over them -----------------------------------------------------------------------------


def transferring() -> Scene:
    scene = Scene().answered("booking")
    scene.agent_says("Hello there, how can I help you today?", purpose=Purpose.GREETING)
    scene.happens(ev.PlaybackEnded, utterance="u1", confirmed=True)
    proposed(scene, proposal(scene, Kind.TRANSFER, action="+15550123", text="I will put you through to a colleague."))
    (say,) = of(scene.commands, Say)[-1:]
    scene.passes(20)
    scene.happens(ev.PlaybackStarted, utterance=say.utterance)
    scene.passes(900)
    return scene


def said_over(scene: Scene, words: str, ms: int) -> list[object]:
    """Words over the announcement, which then goes on to its end if it was not cut."""
    scene.speech_starts()
    current = scene.state.speech.current
    if current is not None and current.playing == "held":
        scene.happens(ev.PlaybackStopped, utterance=current.id, heard_ms=900, heard_text="I will put you")
    scene.speech_goes_on(ms)
    scene.words(words, final=False)
    scene.speech_ends()
    scene.words(words, final=True, segment=scene._words)
    asked = scene.passes(1_000)
    current = scene.state.speech.current
    if current is not None:
        asked += scene.happens(ev.PlaybackEnded, utterance=current.id, confirmed=True)
    return asked + scene.passes(4_000)


@pytest.mark.parametrize("words", ["okay", "mm-hm", "okay thanks", "right", "great thank you"])
def test_a_listeners_word_over_the_announcement_of_a_transfer_leaves_it_standing(words: str) -> None:
    assert of(said_over(transferring(), words, 300), TransferCall)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", ["no, wait", "no no please don't", "wait a second", "stop, do not do that"])
def test_a_no_over_the_announcement_of_a_transfer_kills_it(words: str) -> None:
    scene = transferring()
    assert not of(said_over(scene, words, 800), TransferCall)  # type: ignore[arg-type]
    told = [c.verdict for c in of(scene.commands, RecordVerdict)]
    denied = [verdict for verdict in told if verdict.moment in ("withdrawal", "floor")]
    assert denied and denied[-1].answer is Answer.DENY and denied[-1].reason.startswith("contrary")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_over_a_notice_that_cannot_be_interrupted_is_answered_after_it() -> None:
    scene = Scene().answered("booking")
    notice = scene.agent_says("This call is recorded.", purpose=Purpose.NOTICE, interruptible=False)
    scene.passes(500)
    scene.happens(ev.DigitPressed, digit="2")
    scene.passes(1_500)
    asked = scene.happens(ev.PlaybackEnded, utterance=notice, confirmed=True) + scene.passes(3_000)
    assert of(asked, InviteAgents)[0].reason == "turn_ended"


# --- words ------------------------------------------------------------------------------------------------------------


def test_a_sentence_that_goes_on_after_a_pause_gets_one_answer_to_all_of_it() -> None:
    scene = Scene().answered("booking")
    scene.agent_says("How can I help you?", asks=Asks.OPEN, purpose=Purpose.QUESTION)
    scene.happens(ev.PlaybackEnded, utterance="u1", confirmed=True)
    before = len(scene.commands)
    scene.speech_starts()
    scene.speech_goes_on(400)
    scene.speech_ends()
    scene.words("I want")
    scene.passes(800 - 160)
    scene.speech_starts()
    scene.speech_goes_on(500)
    scene.speech_ends()
    scene.words("to cancel")
    scene.passes(3_000)
    rounds = of(scene.commands[before:], InviteAgents)
    assert [each.reason for each in rounds] == ["turn_ended"]
    assert scene.state.hearing.words == "I want to cancel"


@pytest.mark.parametrize("late_ms", [400, 600, 800, 1_000])
def test_words_that_come_late_are_the_answer_of_that_turn_and_nothing_is_begun_meanwhile(late_ms: int) -> None:
    call = Dialogue().begins()
    call.settles()
    call.caller_says("Yes, sure.")
    before = len(call.said)
    call.speech_starts()
    call.speech_goes_on(900)
    call.speech_ends(hangover_ms=160)
    call.passes(late_ms - 160)
    assert call.said[before:] == [], "nothing is begun while its words are on their way"
    call.words("We are three people.")
    call.settles()
    assert call.said[before:] == ["Thanks. And roughly how many calls do you miss in a normal week?"]


def test_where_no_recognizer_works_nobody_waits_for_words() -> None:
    call = Dialogue().begins()
    call.settles()
    call.happens(ev.HealthChanged, part="recognizer", up=False)
    ended_ms = coughs(call, 900)
    while of(call.commands, InviteAgents)[-1].reason != "turn_ended" and call.now_ms < ended_ms + 3_000:
        call.passes(10)
    assert call.now_ms - ended_ms < 1_000


def test_an_answer_that_had_hardly_begun_is_taken_back_when_the_caller_goes_on() -> None:
    scene = Scene().answered("booking")
    scene.agent_says("What can I do for you today?", asks=Asks.OPEN, purpose=Purpose.QUESTION)
    scene.happens(ev.PlaybackEnded, utterance="u1", confirmed=True)
    scene.speech_starts()
    scene.speech_goes_on(500)
    scene.speech_ends()
    scene.words("I need a table.")
    while scene.state.round is None:
        scene.passes(10)
    reply = scene.agent_says("A table, gladly. For how many people shall it be?", asks=Asks.OPEN)
    scene.passes(100)
    scene.speech_starts()
    scene.happens(ev.PlaybackStopped, utterance=reply, heard_ms=200, heard_text="")
    scene.speech_goes_on(600)
    scene.words("For two people on the terrace")
    scene.speech_ends()
    scene.passes(3_000)
    assert scene.state.hearing.words == "I need a table. For two people on the terrace"


# --- greetings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("heard_ms", "greets_again"), [(0, True), (300, True), (2_600, False)])
def test_a_greeting_counts_by_what_was_heard_of_it(heard_ms: int, greets_again: bool) -> None:
    call = Dialogue().begins()
    call.passes(200)
    assert call.said[0].startswith("Hi, this is Joe from Brightline")
    call.passes(max(0, heard_ms - 60))
    call.caller_says("Hello? Who is this please?")
    again = any(text.startswith("Hi, this is Joe") for text in call.said[1:])
    assert again is greets_again


# --- what cannot be paid ----------------------------------------------------------------------------------------------


def test_what_is_still_owed_when_the_call_ends_is_written_off_in_writing() -> None:
    call = at_the_read_back()
    call.tool_ms = 60_000
    call.caller_speaks("Yes, that's right.")
    while not call.performed:
        call.passes(20)
    call.speech_starts()
    call.happens(ev.ActionFinished, grant=call.performed[0].grant, ok=True, result="booked")
    call.happens(ev.LineClosed, reason="caller hung up")
    assert verdict_on_debt(call, "result") == [
        "owed: needs to be told within 10000 ms of a free floor, is untold: the call is over"
    ]


def test_noise_between_two_sentences_of_the_offer_changes_nothing() -> None:
    call = Dialogue().begins()
    call.settles()
    for words in TO_THE_OFFER:
        call.caller_says(words)
    coughs(call, 200)
    call.settles()
    assert call.said[-1].startswith("Then this should fit") or "Take your time" in call.said[-1]
