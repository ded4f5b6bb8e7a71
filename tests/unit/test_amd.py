"""Who picked up: cadence, words, beeps, and what is locked meanwhile. Whole steps on virtual time."""

from __future__ import annotations

import pytest
from offhook.policies.conversation import amd
from offhook.policies.conversation.amd import MOVES, Cause, Phase
from offhook.policies.conversation.machine import step
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.commands import Command, CutSpeech, HangUp, InviteAgents, Say
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Purpose
from offhook.policies.core.state import CallState
from offhook.policies.gate import situation_rules
from offhook.policies.language.en import greetings


class Call:
    """A call on virtual time: fires its timers, keeps its commands."""

    def __init__(self, direction: str = "outbound", **section: object) -> None:
        self.policy = Policy.model_validate(
            {
                "name": "answering",
                "agents": {"qualification": {"code": "offhook.policies.agents.qualification:Qualification"}},
                "answering": {"enabled": True, "message": "Please call back.", **section},
            }
        )
        self.state = CallState()
        self.commands: list[Command] = []
        self.feed(ev.CallCreated(0, "c1", direction, "+1", "+2", "v1"))
        self.feed(ev.AgentJoined(0, "qualification"))
        self.feed(ev.LineAnswered(0))

    def feed(self, event: ev.Event) -> None:
        decision = step(self.state, event, self.policy)
        self.state = decision.state
        self.commands += decision.commands

    def until(self, at_ms: int) -> None:
        while due := [(deadline, timer) for timer, deadline in self.state.timers.items() if deadline <= at_ms]:
            deadline_ms, timer = min(due)
            self.feed(ev.TimerFired(max(deadline_ms, self.state.now_ms), timer, deadline_ms))

    def talk(self, onset_ms: int, ended_ms: int, voiced_ms: int | None = None) -> None:
        """A talkspurt as the ears tell of it; `voiced_ms` less than its length = pauses in it, evenly spread."""
        share = 1.0 if voiced_ms is None else voiced_ms / (ended_ms - onset_ms)
        self.until(onset_ms + 60)
        self.feed(ev.SpeechStarted(onset_ms + 60, onset_ms, -20.0, 30.0, 120.0))
        for at_ms in range(onset_ms + 160, ended_ms, 100):
            self.until(at_ms)
            self.feed(ev.SpeechMeasured(at_ms, onset_ms, round((at_ms - onset_ms) * share), -20.0, 30.0, 120.0))
        self.until(ended_ms + 160)
        voiced = round((ended_ms - onset_ms) * share)
        self.feed(ev.SpeechEnded(ended_ms + 160, onset_ms, ended_ms, voiced, -20.0, 120.0))

    def words(self, at_ms: int, text: str, segment: int = 1) -> None:
        self.until(at_ms)
        self.feed(ev.WordsHeard(at_ms, segment, text, True, max(0, at_ms - 1_000), at_ms - 300))

    def greets(self, text: str, onset_ms: int = 500, segment: int = 1) -> int:
        """A greeting as a recognizer tells of it: partial words while it lasts, the final ones after it."""
        words, word_ms = text.split(), 300
        ended_ms = onset_ms + len(words) * word_ms
        self.until(onset_ms + 60)
        self.feed(ev.SpeechStarted(onset_ms + 60, onset_ms, -20.0, 30.0, 120.0))
        for spoken in range(1, len(words)):
            at_ms = onset_ms + spoken * word_ms + 60
            self.until(at_ms)
            self.feed(ev.SpeechMeasured(at_ms, onset_ms, at_ms - onset_ms - 60, -20.0, 30.0, 120.0))
            if spoken % 2:
                self.feed(ev.WordsHeard(at_ms, segment, " ".join(words[:spoken]), False, onset_ms, at_ms - 60))
        self.until(ended_ms + 160)
        self.feed(ev.SpeechEnded(ended_ms + 160, onset_ms, ended_ms, ended_ms - onset_ms, -20.0, 120.0))
        self.until(ended_ms + 400)
        self.feed(ev.WordsHeard(ended_ms + 400, segment, text, True, onset_ms, ended_ms))
        return ended_ms

    def heard_to_begin(self, at_ms: int) -> str:
        """The carrier plays the last thing that was said; its utterance."""
        self.until(at_ms)
        utterance = self.said[-1].utterance
        self.feed(ev.PlaybackStarted(at_ms, utterance))
        return utterance

    def tone(self, at_ms: int, duration_ms: int = 400, purity: float = 0.99, tones: int = 1) -> None:
        self.until(at_ms)
        self.feed(ev.ToneHeard(at_ms, at_ms - duration_ms, duration_ms, 700.0, purity, tones))

    @property
    def decided(self) -> tuple[str, str]:
        return self.state.answering.decided, self.state.answering.reason

    @property
    def said(self) -> list[Say]:
        return [command for command in self.commands if isinstance(command, Say)]


def test_a_short_greeting_and_silence_is_a_person_with_the_numbers() -> None:
    call = Call()
    call.talk(600, 1_000)
    call.until(1_799)
    assert call.decided[0] == ""
    call.until(1_800)
    assert call.decided == ("human", "HUMAN-800-800")
    assert [c.reason for c in call.commands if isinstance(c, InviteAgents)] == ["answered"]


def test_silence_alone_is_a_machine_as_asterisk_has_it() -> None:
    call = Call()
    call.until(2_500)
    assert call.decided == ("machine", "INITIALSILENCE-2500-2500")


def test_a_late_hello_corrects_the_silence() -> None:
    call = Call()
    call.until(2_600)
    call.words(4_000, "Hello?")
    assert call.decided == ("human", "HUMANWORDS-hello")


def test_a_long_greeting_is_a_machine() -> None:
    call = Call()
    call.talk(500, 2_700)
    decided, reason = call.decided
    assert decided == "machine"
    assert reason.startswith("LONGGREETING-15") and reason.endswith("-1500")


def test_words_are_counted_by_the_gaps_between_them() -> None:
    call = Call(maximum_number_of_words=3)
    for onset_ms in (500, 1_000, 1_500):
        call.talk(onset_ms, onset_ms + 250)
    assert call.decided == ("machine", "MAXWORDS-3-3")


def test_sounds_shorter_than_a_word_are_not_counted() -> None:
    call = Call(minimum_word_length_ms=120)
    for onset_ms in (400, 800, 1_200, 1_600):
        call.talk(onset_ms, onset_ms + 80)
    assert call.state.answering.words_heard == 0
    call.until(2_500)
    assert call.decided[1].startswith("INITIALSILENCE")


@pytest.mark.parametrize("default", ["human", "machine"])
def test_the_hard_deadline_takes_the_default(default: str) -> None:
    call = Call(default=default, greeting_ms=60_000, maximum_number_of_words=100, total_analysis_time_ms=2_000)
    call.talk(300, 3_000)
    assert call.decided == (default, f"TOOLONG-2000-2000 default {default}")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Hi, you've reached Bob.", "you've reached"),
        ("Please leave a message after the tone", "leave a message"),
        ("I can't come to the phone right now", "can't come to the phone"),
    ],
)
def test_a_machine_s_words_decide_at_once(text: str, phrase: str) -> None:
    call = Call()
    call.talk(500, 1_300)
    call.words(1_500, text)
    assert call.decided == ("machine", f"MACHINEWORDS-{phrase}")


def test_human_words_need_less_silence() -> None:
    call = Call()
    call.talk(600, 1_000)
    call.words(1_300, "hello")
    call.until(1_400)
    assert call.decided == ("human", "HUMANWORDS-hello 400-400")


def test_a_question_to_the_caller_outweighs_a_long_greeting() -> None:
    call = Call()
    call.talk(400, 1_600)
    call.words(1_800, "Acme Plumbing this is Joe how can I help you")
    call.talk(1_900, 2_600)
    call.until(3_500)
    assert call.decided[0] == "human"


def test_words_correct_a_wrong_human_for_a_while_and_only_then() -> None:
    early, late = Call(), Call()
    for call in (early, late):
        call.talk(600, 1_000)
        call.until(2_000)
        assert call.decided[0] == "human"
    early.words(4_000, "please leave a message after the beep")
    assert early.decided[0] == "machine"
    late.words(30_000, "you should leave a message with my assistant")
    assert late.decided[0] == "human"


def test_nothing_is_said_while_undecided_and_the_message_only_after_the_beep() -> None:
    call = Call()
    call.talk(500, 4_000)
    assert call.decided[0] == "machine"
    call.until(8_000)
    assert call.said == []
    call.tone(8_400)
    call.until(9_500)
    assert [(say.purpose, say.text, say.interruptible) for say in call.said] == [
        (Purpose.MESSAGE, "Please call back.", False)
    ]
    assert call.state.answering.left_message
    utterance = call.said[0].utterance
    call.feed(ev.PlaybackStarted(9_500, utterance))
    call.feed(ev.PlaybackEnded(11_000, utterance, True))
    assert [type(command) for command in call.commands if isinstance(command, HangUp)] == [HangUp]


def test_late_words_of_the_greeting_do_not_take_the_message_away() -> None:
    call = Call()
    call.talk(500, 4_000)
    call.tone(4_800)
    call.words(4_900, "please leave your message after the tone")
    call.until(8_000)
    assert [say.purpose for say in call.said] == [Purpose.MESSAGE]


@pytest.mark.parametrize("tone", [{"tones": 2}, {"purity": 0.5}, {"duration_ms": 80}])
def test_ringback_music_and_blips_are_no_beep(tone: dict[str, float]) -> None:
    call = Call()
    call.talk(500, 4_000)
    call.tone(8_000, **tone)  # type: ignore[arg-type]
    assert call.state.answering.beep_ms == 0
    assert call.said == []


def test_without_a_beep_the_call_ends_at_its_deadline_without_a_message() -> None:
    call = Call(beep_wait_ms=5_000)
    call.talk(500, 3_000)
    call.until(20_000)
    assert call.said == []
    assert any(isinstance(command, HangUp) for command in call.commands)
    assert "NOBEEP-5000-5000" in call.decided[1]


def test_a_machine_without_a_message_to_leave_is_hung_up_on() -> None:
    call = Call(message="")
    call.talk(500, 1_500)
    call.words(1_700, "you have reached the voicemail of")
    assert any(isinstance(command, HangUp) for command in call.commands)


def test_a_screener_is_told_who_calls_and_the_question_is_asked_anew() -> None:
    call = Call(screening_reply="This is Sam from Northwind.")
    call.talk(500, 3_000)
    call.words(3_200, "please state your name and why you are calling")
    assert call.decided[0] == "screening"
    call.until(5_500)
    assert [say.text for say in call.said] == ["This is Sam from Northwind."]
    utterance = call.said[0].utterance
    call.feed(ev.PlaybackStarted(5_600, utterance))
    call.feed(ev.PlaybackEnded(7_000, utterance, True))
    assert (call.state.answering.phase, call.state.answering.decided) == (Phase.WAITING, "")
    call.until(12_000)
    assert call.state.answering.decided == ""  # a person reading along takes their time
    call.talk(12_200, 12_600)
    call.until(14_000)
    assert call.decided[0] == "human"


def test_it_can_be_asked_again_in_mid_call() -> None:
    from offhook.policies.core.draft import Draft

    call = Call()
    call.talk(600, 1_000)
    call.until(1_900)
    draft = Draft(call.state, call.policy)
    amd.arm(draft)
    assert situation_rules.locked(draft.state.answering, Purpose.ANSWER)
    assert draft.timers[amd.DEADLINE] == call.state.now_ms + 5_000


def test_off_by_default() -> None:
    call = Call(enabled=False)
    call.until(2_600)
    assert not call.state.answering.armed
    assert not situation_rules.locked(call.state.answering, Purpose.ANSWER)


def test_the_state_survives_the_journal_at_every_phase() -> None:
    call = Call(screening_reply="This is Sam.")
    call.talk(500, 900)
    again = decode(encode(call.state))
    assert again == call.state
    decision = step(again, ev.TimerFired(1_700, amd.QUIET, 1_700), call.policy)
    assert decision.state.answering.decided == "human"


def test_every_phase_but_the_first_and_last_has_a_way_on() -> None:
    leaves = {phase for phase, _ in MOVES}
    assert {phase for phase in Phase if phase not in leaves} == {Phase.OFF, Phase.OVER}
    assert {cause for _, cause in MOVES} == set(Cause)


# --- a person after all ---------------------------------------------------------------------------------------------

PEOPLE = (
    # trials.yaml, who_picked_up
    "You've reached Acme, how may I help you?",
    "He's not available, may I take a message?",
    "Yes hello, can you say your name again?",
    # of the same kind
    "Thank you for calling Acme, how can I direct your call?",
    "You have reached the front desk, who would you like to speak with?",
    "She is away from her desk, would you like her voicemail?",
    "He can't come to the phone right now. Can I tell him who called?",
    "Nobody is available at the moment, shall I have somebody call you back?",
    "I'm sorry, he's unavailable. Do you want to leave a message?",
    "This is his mailbox, no sorry, this is his wife. Who is calling?",
    "Our office is closed, is it urgent?",
    "You've reached the Millers, what can we do for you today?",
    "May I ask who's calling?",
    "Doctor Lee's office, could you hold please?",
    "You've reached Acme, and you are?",
    "He is on the phone, what is this about?",
    "I can't answer that now, who is this?",
)
MACHINES = (
    "Hi, you've reached Bob. Please leave a message.",
    "If you'd like to leave a message press one.",
    "Would you like to leave a message? Press one now.",
    "I'll call you back as soon as I can, please leave your name and number.",
    "Hey, how are you? I'm not available right now, leave a message.",
    "What's up, this is Bob, I missed your call, leave me a message.",
    "Could you please leave your name and number after the tone?",
    "Can you leave a message and I will return your call?",
    "Should you need help today, the number you dialed is not in service.",
)
SCREENERS = (
    "Please state your name and why you're calling.",
    "Hi, if you record your name and reason for calling, I'll see if this person is available.",
    "Could you please state your name and the reason for your call?",
    "This is a screening service, may I ask who is calling?",
)


def as_read(text: str) -> list[str]:
    """As different recognizers write it."""
    return [text, "".join(letter for letter in text.lower() if letter.isalnum() or letter in " '")]


@pytest.mark.parametrize("text", [reading for text in PEOPLE for reading in as_read(text)])
@pytest.mark.parametrize("message", ["Please call back.", ""])
def test_whoever_ends_in_a_question_to_the_caller_is_a_person(text: str, message: str) -> None:
    call = Call(message=message)
    ended_ms = call.greets(text)
    call.until(ended_ms + 1_200)
    assert call.decided[0] == "human", call.decided
    assert not any(isinstance(command, HangUp) for command in call.commands)
    assert "answered" in [c.reason for c in call.commands if isinstance(c, InviteAgents)]


@pytest.mark.parametrize("text", [reading for text in MACHINES for reading in as_read(text)])
def test_questions_of_machines_make_no_person(text: str) -> None:
    call = Call()
    ended_ms = call.greets(text)
    call.until(ended_ms + 3_000)
    assert call.decided[0] == "machine", call.decided
    assert call.said == []


@pytest.mark.parametrize("text", [reading for text in SCREENERS for reading in as_read(text)])
def test_screeners_stay_screeners(text: str) -> None:
    call = Call(screening_reply="This is Sam.")
    ended_ms = call.greets(text)
    call.until(ended_ms + 1_200)
    assert call.decided[0] == "screening", call.decided
    assert [say.text for say in call.said] == ["This is Sam."]


@pytest.mark.parametrize("greeting", ["", "Hi, you've reached Bob.", "Please leave a message after the tone."])
@pytest.mark.parametrize("key", ["1", "#"])
def test_a_key_is_a_person_whatever_was_heard(greeting: str, key: str) -> None:
    call = Call()
    at_ms = 1_000
    if greeting:
        at_ms = call.greets(greeting) + 1_000
        assert call.decided[0] in ("machine", "")
    call.until(at_ms)
    call.feed(ev.DigitPressed(at_ms, key))
    assert call.decided == ("human", f"KEY-{at_ms}")
    call.words(at_ms + 1_000, "leave a message after the tone", segment=7)
    call.until(at_ms + 3_000)
    assert call.decided[0] == "human", "no machine presses a key"
    assert "answered" in [c.reason for c in call.commands if isinstance(c, InviteAgents)]


@pytest.mark.parametrize(
    "answer", ["Hello?", "hello hello i'm here", "Yes, speaking.", "who is this", "can I help you"]
)
def test_somebody_who_picks_up_in_the_middle_of_the_greeting_is_a_person(answer: str) -> None:
    call = Call()
    ended_ms = call.greets("Hi, you've reached Bob Miller, I'm not available.")
    assert call.decided[0] == "machine"
    ended_ms = call.greets(answer, onset_ms=ended_ms + 1_500, segment=2)
    call.until(ended_ms + 1_000)
    assert call.decided[0] == "human", call.decided


def test_a_long_greeting_of_a_person_is_corrected_by_the_hello_after_it() -> None:
    call = Call()
    call.talk(500, 2_700)
    call.words(2_900, "Miller and Sons plumbing and heating Anna Miller")
    assert call.decided[0] == "machine"
    call.talk(4_500, 4_900)
    call.until(5_200)
    call.feed(ev.WordsHeard(5_200, 2, "Hello?", True, 4_500, 4_900))
    assert call.decided[0] == "human"


def leaving() -> tuple[Call, str]:
    """The message is being left."""
    call = Call()
    call.talk(500, 4_000)
    call.tone(4_800)
    return call, call.heard_to_begin(5_500)


def test_a_live_answer_takes_the_place_of_the_message() -> None:
    call, utterance = leaving()
    call.talk(6_000, 6_400)
    call.until(6_700)
    call.feed(ev.WordsHeard(6_700, 3, "Hello, who is this?", True, 6_000, 6_400))
    assert call.decided[0] == "human"
    assert [c.utterance for c in call.commands if isinstance(c, CutSpeech)] == [utterance]
    assert "answered" in [c.reason for c in call.commands if isinstance(c, InviteAgents)]
    assert not any(isinstance(command, HangUp) for command in call.commands) and not call.state.outcome
    assert not situation_rules.locked(call.state.answering, Purpose.ANSWER)


def test_turns_taken_over_the_message_are_a_person_without_any_word() -> None:
    call, _ = leaving()
    call.talk(6_000, 6_500)
    call.until(7_400)
    assert call.decided[0] == "machine", "one sound may be anything"
    call.talk(7_500, 8_200)
    call.until(9_100)
    assert call.decided[0] == "human"


def test_a_machine_that_speaks_on_is_left_its_message() -> None:
    call, utterance = leaving()
    call.talk(6_000, 9_500)
    call.until(9_700)
    call.feed(ev.WordsHeard(9_700, 3, "to send your message press one", True, 6_000, 9_500))
    call.until(12_000)
    assert call.decided[0] == "machine"
    call.feed(ev.PlaybackEnded(12_000, utterance, True))
    assert any(isinstance(command, HangUp) for command in call.commands)


def test_a_business_that_names_itself_is_given_time_to_go_on() -> None:
    call = Call(message="")
    ended_ms = call.greets("You've reached Acme Plumbing.")
    call.until(ended_ms + 2_000)
    assert call.decided[0] == "machine" and not any(isinstance(command, HangUp) for command in call.commands)
    call.until(ended_ms + 3_000)
    assert any(isinstance(command, HangUp) for command in call.commands)


def test_a_call_that_comes_in_is_never_asked_who_picked_up() -> None:
    call = Call(direction="inbound")
    assert not call.state.answering.armed
    assert [c.reason for c in call.commands if isinstance(c, InviteAgents)] == ["answered"]
    call.until(10_000)  # the caller waits in silence
    assert call.state.answering.decided == ""


# --- every wait has an end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "section",
    [
        {"screening_reply": "This is Sam."},
        {"message": "Please call back."},
        {"message": ""},
        {"message": "", "default": "machine"},
    ],
)
@pytest.mark.parametrize("greeting", ["", "you've reached bob", "please state your name and why you are calling"])
def test_whatever_picked_up_the_call_ends_where_nobody_says_more(section: dict[str, object], greeting: str) -> None:
    """Nothing that is asked for ever happens: no playback ends, no hang-up is carried out."""
    call = Call(beep_wait_ms=8_000, message_ms=12_000, **section)
    if greeting:
        call.greets(greeting)
    call.until(60_000)
    assert any(isinstance(command, HangUp) for command in call.commands)


def test_phrases_are_matched_on_whole_words() -> None:
    assert greetings.find(greetings.HUMAN, "this machine is high") == ""
    assert greetings.find(greetings.MACHINE, "leave a message please") == "leave a message"
    for phrases in (greetings.MACHINE, greetings.SCREENING, greetings.HUMAN):
        assert all(phrase == phrase.lower() == phrase.strip() for phrase in phrases)
