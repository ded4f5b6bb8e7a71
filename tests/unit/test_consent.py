"""What may an irreversible act rest on? Whole calls of the stock sales policy: real agents, real gate, a voice that
takes its time, and callers who answer as people do. The act is a booking; its read-back is "So that is tuesday at 10.
Is that right?".
"""

from __future__ import annotations

import pytest
from booking_call import TO_THE_OFFER, at_the_read_back, booked
from dialogue import Dialogue, sales_policy
from offhook.policies.core import events as ev
from offhook.policies.core.commands import RecordVerdict, Say
from offhook.policies.core.proposals import Answer, Asks, Kind, Polarity, Proposal, Purpose
from offhook.policies.language.en import assent

CLEAN = [
    "yes", "yes that's right", "yeah, perfect, thank you", "correct", "that works for me", "yep, Tuesday at ten",
    "Yes, please book it.", "yes it is", "Yes. What time does it end?", "sure, go ahead", "okay", "that's correct",
    "absolutely", "Tuesday at ten, yes.", "sounds good", "Perfect, see you then!", "uh yes", "yes please tuesday at 10",
    "that's correct thanks", "oh yes", "mm-hm yes", "Yes, I'll be there.", "yes that time works", "cool", "spot on",
    "yes, that time is good", "yes, I am available then", "yes, you can go ahead", "I'm good with that",
    "yes please. How long does it take?", "yes is there anything I have to bring",
    "Tuesday at ten o'clock, yes", "Yes, that's right. Tuesday at ten.", "of course, thank you so much",
]  # fmt: skip
NOT_CLEAN = [
    "yes, and make it 3", "yes if my wife agrees", "yes as long as it is free", "yeah right", "right now I cannot say",
    "sure I'll think about it", "exactly the opposite", "yes well let me ask my wife first", "right, as in wrong",
    "yes unless it rains", "yes once my boss has agreed", "yes but not before noon", "I guess so", "probably", "maybe",
    "yes wednesday at ten", "yes at eleven", "can you make it eleven", "yes can you make it three instead", "yes or no",
    "yes I mean no", "sure if you say so", "yes the blue one", "okay whatever", "good luck with that", "mm-hm",
    "it is right across the street", "yes, provided that nobody calls me again", "fine, after I talked to my husband",
    "yes ten to ten", "yes quarter to ten", "yes ten in the evening", "yes at 10 at night", "yes tuesday the third",
    "yes tuesday in march", "yes the tenth", "yes next tuesday", "yes ten ten",
    "yes tuesday at ten and wednesday at ten",
    "Is that right?", "is it right", "right?", "Tuesday at ten, right?", "yes is that my time", "yes am or pm",
    "who says yes", "yes did I", "okay and then what", "correct it", "please correct it", "right it",
    "yeah like that's going to happen", "great just great", "yeah right sure", "yes who cares", "yes you are an idiot",
    "yes, who is this", "yes hello", "perfect is the enemy of good",
    "yes and", "yes so", "yes for", "yes well", "it was right", "Yes, will think about it.", "Okay, do let me check.",
    "Yes. What a joke.", "Okay, will have to see.", "yes, how about wednesday?", "yes what does it cost",
    "yes we have no bananas", "no", "that's not right", "what?", "thanks", "yes with two friends", "right now",
]  # fmt: skip


@pytest.mark.parametrize("words", CLEAN)
def test_a_yes_with_nothing_left_over_books(words: str) -> None:
    call = at_the_read_back()
    call.caller_says(words)
    assert booked(call) == ["tuesday at 10"]
    assert "You are booked for tuesday at 10" in call.said[-1]


@pytest.mark.parametrize("words", NOT_CLEAN)
def test_anything_else_books_nothing_and_the_agent_goes_on_asking(words: str) -> None:
    call = at_the_read_back()
    before = len(call.said)
    call.caller_says(words)
    assert booked(call) == []
    assert not any("booking that" in text or "are booked" in text for text in call.said)
    assert len(call.said) > before, "the caller is answered"


@pytest.mark.parametrize("words", ["yes if my wife agrees", "yes the blue one", "exactly the opposite"])
def test_what_was_unclear_is_asked_again_and_a_clean_yes_then_books(words: str) -> None:
    call = at_the_read_back()
    call.caller_says(words)
    assert "I have tuesday at 10" in call.said[-1] or "tuesday at 10" in call.said[-1]
    if "concern" not in str(call.state.concerns):
        call.caller_says("Yes, that's right.")
        call.settles()
    assert booked(call) in ([], ["tuesday at 10"])


@pytest.mark.parametrize("words", CLEAN[:4])
def test_recognizers_without_case_and_punctuation_are_read_alike(words: str) -> None:
    call = at_the_read_back()
    call.caller_says("".join(c for c in words.lower() if c.isalnum() or c in " '"))
    assert booked(call) == ["tuesday at 10"]


def test_a_condition_that_follows_after_a_pause_belongs_to_the_answer() -> None:
    call = at_the_read_back()
    call.caller_speaks("Yes", final_after_ms=60)
    call.passes(200)
    call.caller_says("if my wife agrees")
    assert booked(call) == []


def test_words_that_come_late_spoil_the_yes_that_they_belong_to() -> None:
    """The recognizer gives the end of the answer when the agent has already announced the booking."""
    call = at_the_read_back()
    call.caller_speaks("Yes, that's right", final_after_ms=100)
    while "One moment, I am booking that." not in call.said[-1]:
        call.passes(50)
    call.passes(250)
    onset_ms, ended_ms = call.state.hearing.onset_ms, call.state.hearing.ended_ms
    call.happens(ev.WordsHeard, segment=90, text="as long as it is free", final=True, started_ms=onset_ms + 50,
                 ended_ms=ended_ms)  # fmt: skip
    call.settles()
    assert booked(call) == []


def test_a_yes_is_acted_on_when_the_recognizer_will_not_take_it_back_any_more() -> None:
    call = at_the_read_back()
    call.speech_starts()
    call.speech_goes_on(600)
    call.words("Yes, that's right", final=False, segment=70)
    call.speech_ends()
    call.passes(800)
    assert booked(call) == [] and "One moment" not in call.said[-1], "so far it is provisional"
    call.words("Yes, that's right.", final=True, segment=70)
    call.settles()
    assert booked(call) == ["tuesday at 10"]


# --- which question was answered --------------------------------------------------------------------------------------


def asked_instead(call: Dialogue, text: str, asks: Asks, purpose: Purpose = Purpose.QUESTION) -> None:
    """An agent asks something else, and is heard out; nothing was agreed to yet."""
    proposal = Proposal("p-else", "closing", Kind.SAY, call.state.turn, call.state.revision, text, purpose, asks)
    call.happens(
        ev.AgentAnswered,
        agent="closing",
        turn=call.state.turn,
        basis=call.state.revision,
        proposals=(proposal,),
    )
    assert call.said[-1] == text
    while call.state.speech.current is not None:
        call.passes(50)


@pytest.mark.parametrize(
    ("question", "asks"),
    [("Is it raining where you are?", Asks.YES_NO), ("How is the weather?", Asks.OPEN), ("It rains.", Asks.NOTHING)],
)
def test_a_yes_to_another_question_is_no_consent_to_the_act(question: str, asks: Asks) -> None:
    call = at_the_read_back()
    asked_instead(call, question, asks)
    call.caller_speaks("Yes.")
    call.passes(1_500)
    assert booked(call) == []
    verdicts = [c.verdict for c in call.commands if isinstance(c, RecordVerdict) and c.verdict.what == "book_meeting"]
    assert verdicts[-1].answer is Answer.DENY


@pytest.mark.parametrize(("heard_ms", "books"), [(450, False), (700, False), (1_500, True)])
def test_a_read_back_counts_from_the_end_of_its_value(heard_ms: int, books: bool) -> None:
    """ "So that is tuesday at 10." is heard after 1.6 s; who says yes before that agrees to nothing."""
    call = Dialogue().begins()
    call.settles()
    for words in (*TO_THE_OFFER, "Yes, let's do it."):
        call.caller_says(words)
    call.caller_speaks("Tuesday at ten.")
    while not call.said[-1].startswith("So that is"):
        call.passes(20)
    call.passes(120 + heard_ms)
    call.caller_speaks("Yes that is right.")
    call.passes(900)
    assert bool(booked(call) or "One moment" in call.said[-1]) is books


def test_a_key_known_for_yes_is_a_clean_yes() -> None:
    call = at_the_read_back()
    call.happens(ev.DigitPressed, digit="1")
    call.passes(8_000)
    assert booked(call) == ["tuesday at 10"]


@pytest.mark.parametrize(("keys", "books"), [("555", False), ("2", False), ("0", False), ("1", True), ("#", True)])
def test_keys_beside_a_spoken_yes_agree_with_it_or_spoil_it(keys: str, books: bool) -> None:
    call = at_the_read_back()
    call.speech_starts()
    call.speech_goes_on(600)
    for key in keys:
        call.happens(ev.DigitPressed, digit=key)
    call.words("Yes, that's right.", final=False, segment=80)
    call.speech_ends()
    call.passes(100)
    call.words("Yes, that's right.", segment=80)
    call.passes(4_000)
    assert bool(booked(call)) is books


# --- bound to what was read back --------------------------------------------------------------------------------------


def test_another_value_voids_what_was_agreed_to() -> None:
    call = at_the_read_back()
    call.caller_speaks("Yes, that's right.")
    while "One moment, I am booking that." not in call.said[-1]:
        call.passes(20)
    call.passes(600)
    call.caller_says("No, Wednesday at four please.")
    assert booked(call) == []
    assert "wednesday at 4" in call.said[-1], "it is read back anew"
    call.caller_says("Yes.")
    assert booked(call) == ["wednesday at 4"]
    assert "You are booked for wednesday at 4" in call.said[-1]


def test_an_offer_whose_price_was_not_heard_was_not_told_and_is_made_again() -> None:
    call = Dialogue().begins()
    call.settles()
    for words in TO_THE_OFFER[:2]:
        call.caller_says(words)
    call.caller_speaks(TO_THE_OFFER[2])
    while not call.said[-1].startswith("Then this should fit"):
        call.passes(20)
    call.passes(120 + 20 * 65)
    call.caller_says("Yes, yes, let's do it, book me in for Tuesday at ten.")
    for _ in range(3):
        call.caller_says("Yes, that's right.")
    offers = [text for text in call.said if text.startswith("Then this should fit")]
    assert len(offers) > 1 or booked(call) == []
    verdicts = [c.verdict for c in call.commands if isinstance(c, RecordVerdict) and c.verdict.what == "book_meeting"]
    first = next(v for v in verdicts if v.rules)
    assert any(result.rule == "told" and not result.ok for result in first.rules)


def test_reversible_acts_may_rest_on_weaker_evidence() -> None:
    call = Dialogue().begins()
    call.settles()
    for words in (*TO_THE_OFFER, "No thanks, not interested.", "Yeah I guess, send them over."):
        call.caller_says(words)
    assert [order.action for order in call.performed] == ["send_details"]


def test_what_is_irreversible_needs_a_yes_whatever_the_policy_forgets_to_say() -> None:
    actions = {"book_meeting": {"irreversible": True}}
    call = at_the_read_back(Dialogue(sales_policy(gate={"actions": actions})))
    call.caller_says("yes if my wife agrees")
    assert booked(call) == []


def test_the_agent_says_nothing_twice_on_the_way_to_a_booking() -> None:
    call = at_the_read_back()
    call.caller_says("Yes, that's right.")
    said = [c.text for c in call.commands if isinstance(c, Say)]
    assert len(said) == len(set(said))


@pytest.mark.parametrize(
    ("said", "read_back", "clean"),
    [
        ("yes ten thirty", "tuesday at 10:30", True),
        ("yes half past ten", "tuesday at 10:30", True),
        ("yes ten", "tuesday at 10:30", False),
        ("yes ten in the morning", "tuesday at 10 am", True),
        ("yes ten in the morning", "tuesday at 10", False),
        ("yes the twelfth", "march 12 at 3", True),
        ("yes the twelfth at four", "march 12 at 3", False),
        ("yes double five five oh one two three", "5550123", True),
        ("yes five five five oh one two four", "5550123", False),
        ("yes Mary", "Mary Jones", True),
        ("yes John", "Mary Jones", False),
    ],
)
def test_words_of_the_value_count_only_where_they_say_this_very_value(said: str, read_back: str, clean: bool) -> None:
    assert (assent.read(said, (("value", read_back),)).says is Polarity.YES) is clean


TAKEN_BACK = [
    "cancel that", "No, cancel it.", "No, not Tuesday, Wednesday.", "Wednesday at eleven.", "I changed my mind",
    "on second thought no", "Actually no", "I did not want that", "You booked the wrong day", "not ten", "No, wait.",
]  # fmt: skip


@pytest.mark.parametrize("words", TAKEN_BACK)
def test_who_takes_a_finished_booking_back_is_offered_to_have_it_cancelled(words: str) -> None:
    call = at_the_read_back()
    call.caller_says("Yes.")
    assert booked(call) == ["tuesday at 10"]
    call.caller_says(words)
    assert "Shall I cancel it" in call.said[-1]
    assert not call.hung_up


@pytest.mark.parametrize("words", ["cancel that", "No, wait.", "I changed my mind"])
def test_who_takes_it_back_while_the_result_is_told_is_offered_it_too(words: str) -> None:
    call = at_the_read_back()
    call.caller_speaks("Yes.")
    call.passes(3_400)
    assert booked(call) == ["tuesday at 10"]
    call.caller_speaks(words)
    call.settles()
    assert any("Shall I cancel it" in text for text in call.said)


@pytest.mark.parametrize("words", ["No.", "No, that's all.", "Nothing else, thanks.", "No, see you Tuesday."])
def test_a_no_to_anything_else_takes_no_booking_back(words: str) -> None:
    call = at_the_read_back()
    call.caller_says("Yes.")
    call.caller_says(words)
    assert not any("Shall I cancel" in text for text in call.said)


def test_nothing_is_booked_over_speech_that_nobody_could_hear() -> None:
    call = at_the_read_back()
    call.caller_speaks("Yes.")
    call.passes(400)
    call.happens(ev.HealthChanged, part="recognizer", up=False)
    call.speech_starts()
    call.speech_goes_on(1_500)
    call.speech_ends()
    call.settles()
    assert booked(call) == []


def test_nothing_is_booked_over_speech_that_is_read_too_late() -> None:
    call = at_the_read_back()
    call.caller_speaks("Yes.")
    call.passes(400)
    call.speech_starts()
    call.speech_goes_on(500)
    call.speech_ends()
    call.settles()
    assert booked(call) == []
    assert "not booked" in call.said[-1] or "yes or no" in call.said[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Yes.", "cancelling"),
        ("No.", "stays booked"),
        ("Don't cancel it.", "stays"),
        ("Yes, don't cancel it.", "Shall I"),
    ],
)
def test_a_booking_is_undone_by_a_plain_yes_only(words: str, says: str) -> None:
    call = at_the_read_back()
    call.caller_says("Yes.")
    call.caller_says("Cancel that.")
    asked = len(call.said)
    call.caller_says(words)
    assert says in call.said[asked]
