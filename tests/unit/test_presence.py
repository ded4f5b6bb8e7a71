"""Is somebody there? Recordings, music, menus and televisions, through whole calls with real agents on virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue import Dialogue, failed, sales_policy
from offhook.policies.conversation.presence import OUTCOMES
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.commands import HangUp, InviteAgents, Publish
from offhook.policies.core.proposals import Kind, Proposal
from offhook.policies.core.state import Line
from scene import of, verdicts

NEWS = (
    "and in other news the river has risen again after three days of rain in the north",
    "the minister said nothing had been decided yet and that talks would go on until the end of the week",
    "so he turns around sees the ball and puts it into the corner what a goal that was",
    "tonight a cool wind from the west with some clouds over the coast",
    "please welcome our next guest who has come all the way from the islands to be here",
    "the yes vote was behind at noon but then on tuesday at ten everything changed",
)
SHORT = {"hold_ms": 60_000, "menu_ms": 30_000, "talk_ms": 60_000, "check_ms": 15_000}


class FarEnd(Dialogue):
    """A far end that makes the sounds of a test, whatever the agent does meanwhile."""

    def __init__(self, **presence: Any) -> None:
        super().__init__(sales_policy(presence=presence or SHORT, limits={"call": "60 min"}))
        self.begins()

    @property
    def over(self) -> bool:
        return self.state.line is Line.CLOSED

    def sound(self, ms: int, words: str = "") -> None:
        """One talkspurt that lasts so long; its words are read when it is over, partly before."""
        if self.over:
            return
        self._words += 1
        segment = self._words
        self.speech_starts()
        self.speech_goes_on(ms // 2 // 100 * 100)
        if words and not self.over:
            self.words(words.rsplit(" ", max(1, len(words.split()) // 2))[0], final=False, segment=segment)
        self.speech_goes_on(ms // 2 // 100 * 100)
        if not self.over:
            self.speech_ends()
        self.passes(200)
        if words and not self.over:
            self.words(words, segment=segment)

    def says(self, words: str, then_ms: int = 0) -> None:
        """At the pace of speech."""
        self.sound(max(400, 330 * len(words.split())), words)
        self.passes(then_ms)

    @property
    def readings(self) -> list[str]:
        return [c.body["reading"] or c.body["what"] for c in of(self.commands, Publish) if c.topic == "presence"]

    @property
    def reading(self) -> str:
        return self.state.presence.reading


def on_hold(
    say: str = "your call is important to us please stay on the line", every_ms: int = 20_000, **presence: Any
) -> FarEnd:
    """The first announcement has been heard."""
    call = FarEnd(**{**SHORT, **presence})
    call.passes(500)
    call.says(say, every_ms)
    return call


# --- announcements --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "announcement",
    [
        "your call is important to us, please stay on the line",
        "All of our agents are currently busy. Please hold, your call will be answered by the next available agent.",
        "thank you for calling riverside dental we are helping other patients at the moment",
        "please continue to hold",
    ],
)
@pytest.mark.parametrize("every_ms", [8_000, 20_000, 30_000])
def test_an_announcement_is_not_talked_to_and_ends_the_call_at_the_limit(announcement: str, every_ms: int) -> None:
    call = FarEnd()
    call.passes(500)
    call.says(announcement, 2_000)
    assert call.reading == "announcement"
    said, asked = len(call.said), len(of(call.commands, InviteAgents))
    begun_ms = call.now_ms
    while not call.over and call.now_ms < begun_ms + 300_000:
        call.passes(every_ms)
        call.says(announcement)
    assert call.hung_up == "on_hold" and call.state.outcome == "on_hold"
    assert call.now_ms - begun_ms < SHORT["hold_ms"] + every_ms + 25_000
    assert [text for text in call.said[said:] if text != call.policy.presence.lines["on_hold"]] == []
    assert len(of(call.commands, InviteAgents)) == asked, "no round is opened for a recording"


def test_an_announcement_without_any_telling_phrase_is_known_by_coming_again() -> None:
    call = FarEnd()
    begun_ms = call.now_ms
    while not call.over and call.now_ms < begun_ms + 600_000:
        call.passes(15_000)
        call.says("welcome to the garden centre in the old town the shop is open until six today")
    assert "announcement" in call.readings and call.hung_up == "on_hold"
    assert call.now_ms - begun_ms < 6 * 20_000 + SHORT["hold_ms"] + 40_000


def test_pieces_of_it_are_known_where_the_pauses_cut_it_otherwise() -> None:
    call = on_hold("all of our agents are currently busy we thank you for being so patient with us today", 2_000)
    said = len(call.said)
    for part in ("we thank you for being so patient", "being so patient with us today", "our agents are"):
        call.says(part, 6_000)
    assert call.reading == "announcement" and len(call.said) == said


@pytest.mark.parametrize(
    "words",
    [
        "Hello?",
        "hello this is anna speaking",
        "hi thanks for holding how can i help you",
        "sorry for the wait what did you want",
        "okay i am back now we can go on",
        "yes so where were we",
    ],
)
def test_a_person_who_comes_is_talked_to(words: str) -> None:
    call = on_hold()
    call.says("your call is important to us please stay on the line", 10_000)
    said = len(call.said)
    call.says(words, 6_000)
    assert call.reading == "" and call.readings[-1] == "person"
    assert len(call.said) > said, "the call goes on with them"
    assert "presence.limit" not in call.timers and "limits.absent" not in call.timers


def test_who_comes_while_the_last_line_is_said_is_not_hung_up_on() -> None:
    call = on_hold(quiet_ms=300_000)
    call.passes(SHORT["hold_ms"] - call.now_ms + 1_500)
    assert call.said[-1] == call.policy.presence.lines["on_hold"] and not call.hung_up
    call.says("wait please I am here now", 8_000)
    assert not call.hung_up and not call.over and call.reading == ""
    assert call.said[-1] != call.policy.presence.lines["on_hold"]


def test_a_hang_up_that_is_not_carried_out_is_asked_for_again() -> None:
    call = on_hold(quiet_ms=300_000)
    call._carry_out = lambda _command: None  # type: ignore[method-assign]
    call.passes(SHORT["hold_ms"] + call.policy.limits.grace_ms + 5_000)
    assert of(call.commands, HangUp)[-1] == HangUp("on_hold")


def test_what_is_owed_meanwhile_is_refused_in_writing() -> None:
    call = on_hold(every_ms=2_000)
    turn, basis = call.state.turn, call.state.revision
    offer = Proposal("p", "qualification", Kind.SAY, turn, basis, text="Would you like to try it?")
    asked = call.happens(ev.AgentAnswered, agent="qualification", turn=turn, basis=basis, proposals=(offer,))
    assert failed(verdicts(asked)[0]) == {"presence"}


def test_on_hold_with_nothing_to_be_heard_the_caller_is_asked_for() -> None:
    call = on_hold(every_ms=0)
    call.passes(call.policy.presence.quiet_ms + 1_000)
    assert call.reading == ""
    call.passes(40_000)
    assert call.policy.silence.lines["reengage"] in call.said and call.state.outcome == "silence"


def test_a_reading_survives_the_journal() -> None:
    call = on_hold()
    assert decode(encode(call.state)) == call.state


# --- music ----------------------------------------------------------------------------------------------------------


def test_music_with_hardly_a_word_is_no_caller() -> None:
    call = FarEnd()
    call.passes(3_000)
    begun_ms = call.now_ms
    while not call.over and call.now_ms < begun_ms + 300_000:
        call.sound(6_000, "you" if len(call.commands) % 3 else "oh yeah")
        call.passes(400)
    assert call.readings[0] == "music" and call.hung_up == "on_hold"
    assert call.now_ms - begun_ms < SHORT["hold_ms"] + 60_000


def test_music_without_a_pause_is_seen_while_it_plays() -> None:
    call = FarEnd()
    call.passes(3_000)
    call._words += 1
    call.speech_starts()
    call.speech_goes_on(8_000)
    call.words("la la", final=False)
    call.speech_goes_on(25_000)
    assert call.reading == "music"


def test_sound_after_a_request_to_wait_is_waited_out_longer_than_a_silence() -> None:
    call = FarEnd()
    call.passes(8_000)
    call.says("hold on a second please", 3_000)
    begun_ms = call.now_ms
    for _ in range(10):
        call.sound(5_000)
        call.passes(300)
    assert call.reading == "music" and not call.hung_up
    call.says("okay I am back, yes I have a minute", 5_000)
    assert call.reading == "" and not call.over
    assert call.now_ms - begun_ms > 40_000, "a silence would have ended the call by then"


def test_noise_without_a_reason_ends_as_a_silence() -> None:
    call = FarEnd()
    call.passes(8_000)
    begun_ms = call.now_ms
    while not call.over and call.now_ms < begun_ms + 300_000:
        call.sound(5_000)
        call.passes(300)
    assert call.hung_up == "silence" and call.now_ms - begun_ms < 60_000


# --- menus ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "menu", ["for sales press one for support press two", "Press 1 for English. To hear this again, press star."]
)
def test_a_menu_ends_the_call_at_its_own_limit(menu: str) -> None:
    call = FarEnd()
    call.passes(500)
    begun_ms = call.now_ms
    while not call.over and call.now_ms < begun_ms + 300_000:
        call.says(menu, 4_000)
    assert call.readings[0] == "menu" and call.hung_up == "menu"
    assert call.now_ms - begun_ms < SHORT["menu_ms"] + 20_000


def test_a_key_is_a_person_at_any_time() -> None:
    call = on_hold("for sales press one for support press two", 1_000)
    assert call.reading == "menu"
    call.happens(ev.DigitPressed, digit="5")
    assert call.reading == "" and call.state.presence.since_ms == 0
    said = len(call.said)
    call.passes(6_000)
    assert len(call.said) > said


# --- television -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_ms", [200, 600, 1_200])
def test_talk_that_never_listens_is_asked_once_and_ended(pause_ms: int) -> None:
    call = FarEnd()
    begun_ms, turns = call.now_ms, 0
    while not call.over and call.now_ms < begun_ms + 600_000:
        call.says(NEWS[turns % len(NEWS)], pause_ms)
        turns += 1
    limits = call.policy.presence
    assert call.hung_up == "nobody_there", (call.readings, call.state.outcome)
    assert call.now_ms - begun_ms < 2 * limits.talk_ms + limits.check_ms + limits.watch_ms + 30_000


def test_talk_without_any_pause_ends_too() -> None:
    call = FarEnd()
    call.passes(2_000)
    call.speech_starts()
    segment = 50
    while not call.over and call.now_ms < 600_000:
        segment += 1
        call.speech_goes_on(5_000)
        if not call.over:
            call.words(NEWS[segment % len(NEWS)], segment=segment)
    assert call.hung_up == "nobody_there"


# --- people ---------------------------------------------------------------------------------------------------------


def test_whoever_talks_a_lot_and_listens_is_never_hung_up_on() -> None:
    call = FarEnd()
    for turn in range(40):
        call.says("well you know " + NEWS[turn % 5] + f" and that was in the year {turn}", 500)
        call.settles()
        assert call.hung_up not in OUTCOMES.values(), call.readings
    assert call.readings == []


def test_whoever_talks_for_minutes_and_answers_the_question_goes_on() -> None:
    call = FarEnd()
    turns = 0
    while call.policy.presence.lines["check"] not in call.said:
        call.says(NEWS[turns % len(NEWS)], 900)
        turns += 1
        assert not call.over
    call.settles()  # they hear the question out
    call.says("yes I am here I am just telling you", 6_000)
    assert not call.hung_up and call.reading == ""
    call.passes(20_000)
    assert call.state.outcome != "nobody_there"


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize(
    "words",
    ["I want to know what is in it for us", "no that is not what I meant at all", "we have about ten people"],
)
def test_whoever_repeats_themselves_goes_on_being_answered(words: str, times: int) -> None:
    call = FarEnd()
    call.passes(8_000)
    for _ in range(times):
        call.says(words, 500)
        call.settles()
    assert call.readings == [] and not call.hung_up


def test_whoever_repeats_a_sentence_over_and_over_as_an_answer_is_no_recording() -> None:
    call = FarEnd()
    call.passes(8_000)
    for _ in range(6):
        call.says("we have about ten people here", 100)
        call.passes(3_000)
    assert "announcement" not in call.readings


@pytest.mark.parametrize(
    "words", ["hold on a second", "one moment please", "please hold, I'll get him", "stay on the line please"]
)
def test_whoever_asks_to_hold_on_is_a_person(words: str) -> None:
    call = FarEnd()
    call.passes(8_000)
    call.says(words, 15_000)
    assert call.readings == [] and not call.hung_up


def test_whoever_dictates_is_no_television_and_no_music() -> None:
    call = FarEnd(talk_ms=240_000)
    call.passes(8_000)
    call.says("my number is", 900)
    for digits in (
        "five five five",
        "one two three",
        "four",
        "nine",
        "seven seven",
        "eight",
        "and then",
        "two",
        "one",
    ) * 6:
        call.says(digits, 1_300)
        assert not call.hung_up
    assert call.readings == []


def test_every_reading_has_an_outcome_and_every_outcome_a_line() -> None:
    lines = sales_policy().presence.lines
    assert set(OUTCOMES.values()) | {"check"} == set(lines)
