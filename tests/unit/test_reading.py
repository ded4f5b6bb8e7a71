"""What one segment's words mean: negation, hedging, "but", correction, and what had been asked."""

from __future__ import annotations

import pytest
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import Sign
from offhook.policies.language.en.reading import read
from offhook.policies.language.port.port import NOTHING_ASKED, Asked

YES_NO = Asked(Asks.YES_NO, Purpose.QUESTION)
OFFER = Asked(Asks.YES_NO, Purpose.OFFER)

S = Sign


def signs(text: str, asked: Asked = NOTHING_ASKED) -> set[Sign]:
    return {cue.sign for cue in read(text, asked)}


def strength(text: str, sign: Sign, asked: Asked = NOTHING_ASKED) -> float:
    return max((cue.strength for cue in read(text, asked) if cue.sign is sign), default=0.0)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("let's do it", S.COMMITMENT),
        ("sign me up", S.COMMITMENT),
        ("sounds good go ahead", S.COMMITMENT),
        ("ill take it", S.COMMITMENT),
        ("we'd be happy to buy two", S.COMMITMENT),
        ("don't call me again", S.STOP),
        ("please don't call me again", S.STOP),
        ("please dont ever call this number again", S.STOP),
        ("take me off your list", S.STOP),
        ("stop calling me", S.STOP),
        ("can i talk to a real person", S.HUMAN),
        ("let me speak to your manager", S.HUMAN),
        ("hold on a second", S.WAIT),
        ("let me check", S.WAIT),
        ("one moment please", S.WAIT),
        ("okay bye", S.GOODBYE),
        ("have a great day", S.GOODBYE),
        ("how much does it cost", S.QUESTION),
        ("does it work with our software", S.QUESTION),
        ("You charge per seat, then?", S.QUESTION),
        ("um", S.HESITATION),
        ("i don't know", S.HESITATION),
        ("maybe", S.HESITATION),
        ("that's fair enough i guess", S.CONFIRMATION),
        ("that helps", S.SOFTENING),
        ("tell me more", S.INTEREST),
        ("no thanks", S.DENIAL),
        ("we're not interested", S.DENIAL),
    ],
)
def test_says(text: str, sign: Sign) -> None:
    assert sign in signs(text)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("it's too expensive", "price"),
        ("we can't afford that", "price"),
        ("that's not in our budget", "price"),
        ("this is not a good time", "timing"),
        ("i'm too busy right now", "timing"),
        ("we already have something like that", "fit"),
        ("we don't need it", "fit"),
        ("i have to ask my wife", "authority"),
        ("i need to run it by my boss", "authority"),
        ("is this a scam", "trust"),
        ("how do i know you are not lying", "trust"),
        ("it sounds complicated", "implementation"),
        ("i'm worried about the price", "price"),
        ("my concern is the deadline", "timing"),
    ],
)
def test_a_concern_has_its_topic(text: str, topic: str) -> None:
    assert [cue.topic for cue in read(text) if cue.sign is Sign.CONCERN] == [topic]


@pytest.mark.parametrize(
    ("text", "not_sign"),
    [
        ("I'm not sure that's too expensive", S.CONCERN),
        ("i don't think that's too expensive", S.CONCERN),
        ("it's not too expensive", S.CONCERN),
        ("not a problem", S.CONCERN),
        ("no problem", S.DENIAL),
        ("that makes sense, but...", S.CONFIRMATION),
        ("that makes sense, but it's too expensive", S.CONFIRMATION),
        ("yes... no, wait", S.CONFIRMATION),
        ("yes no wait", S.CONFIRMATION),
        ("yes no wait", S.WAIT),
        ("i don't think i can do that", S.COMMITMENT),
        ("i would buy it if it were cheaper than that unless", S.DENIAL),
        ("if i were richer i would buy it", S.COMMITMENT),
        ("maybe i'll do it later", S.COMMITMENT),
        ("when would i sign up", S.COMMITMENT),
        ("i can't wait to start", S.DENIAL),
        ("i can't wait to start", S.WAIT),
        ("don't call me before nine", S.STOP),
        ("how are you?", S.QUESTION),
        ("do you have a minute", S.WAIT),
        ("$0", S.COMMITMENT),
    ],
)
def test_does_not_say(text: str, not_sign: Sign) -> None:
    assert not_sign not in signs(text, OFFER)


def test_a_negated_concern_gives_ground() -> None:
    assert [(c.sign, c.topic) for c in read("i don't think that's too expensive")] == [(Sign.SOFTENING, "price")]


def test_a_doubted_concern_leaves_the_doubt() -> None:
    assert signs("I'm not sure that's too expensive") == {Sign.HESITATION}


def test_a_bare_but_announces_a_worry() -> None:
    assert signs("that makes sense, but...") == {Sign.HESITATION}
    assert signs("that makes sense but") == {Sign.HESITATION}


def test_a_commitment_before_an_adverse_but_is_only_interest() -> None:
    assert signs("i'd love to do it but i have to ask my wife") == {Sign.INTEREST, Sign.CONCERN}


def test_a_correction_takes_back_the_yes() -> None:
    assert signs("yes... no, wait", YES_NO) == {Sign.DENIAL, Sign.HESITATION}
    assert signs("yes no wait i mean yes", YES_NO) == {Sign.CONFIRMATION}


@pytest.mark.parametrize(
    "text", ["no no wait", "no no that's not what I meant", "no, that is not what I meant", "tuesday at ten no wait"]
)
def test_a_refusal_that_ends_with_a_correction_refuses(text: str) -> None:
    assert Sign.DENIAL in signs(text)


def test_a_person_who_is_called_off_in_the_same_breath_is_to_wait() -> None:
    assert {Sign.HUMAN, Sign.WAIT} <= signs("can I talk to a person no wait")


def test_a_correction_replaces_a_detail() -> None:
    cues = read("tuesday at ten no wait wednesday at eleven", Asked(Asks.TIME, slot="slot"))
    assert [cue.text for cue in cues if cue.sign is Sign.DETAIL] == ["wednesday at 11"]


def test_hedging_weakens() -> None:
    assert strength("maybe we could do it", S.COMMITMENT) < strength("we could do it", S.COMMITMENT)


def test_no_followed_by_agreement_agrees() -> None:
    assert signs("No, I can do it.", OFFER) == {Sign.COMMITMENT}


def test_yes_is_read_by_what_was_asked() -> None:
    assert strength("yes", S.CONFIRMATION, YES_NO) >= 0.7
    assert strength("yes", S.CONFIRMATION) < 0.65  # nobody asked: it only acknowledges
    assert strength("yes", S.CONFIRMATION, Asked(Asks.YES_NO, overheard=True)) < 0.4
    assert signs("yes", OFFER) == {Sign.CONFIRMATION, Sign.COMMITMENT}
    assert signs("i do", YES_NO) == {Sign.CONFIRMATION}
    assert signs("i do") == set()


def test_an_offer_is_answered_with_a_value() -> None:
    assert Sign.COMMITMENT in signs("fifty dollars", Asked(Asks.OPEN, Purpose.OFFER))
    assert Sign.COMMITMENT not in signs("fifty dollars", Asked(Asks.OPEN, Purpose.QUESTION))
    assert Sign.COMMITMENT in signs("how about $20?")


def test_punctuation_and_case_do_not_matter_for_a_yes() -> None:
    for text in ("Yes, that works for me.", "yes that works for me", "YES THAT WORKS FOR ME", "yeah that works for me"):
        assert {Sign.CONFIRMATION, Sign.COMMITMENT} <= signs(text, OFFER)


def test_nothing_says_nothing() -> None:
    assert read("") == read("...") == read("the the the") == ()


def test_at_most_one_cue_a_sign_and_topic() -> None:
    cues = read("yes yes absolutely yes of course, no it is too expensive, too expensive", YES_NO)
    assert len({(cue.sign, cue.topic) for cue in cues}) == len(cues)


def test_a_request_not_to_be_called_agrees_to_nothing() -> None:
    assert [cue.sign for cue in read("Please don't call me again.")] == [S.STOP]
    assert [cue.sign for cue in read("please do")] == [S.CONFIRMATION]
