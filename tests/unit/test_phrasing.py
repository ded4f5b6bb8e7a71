"""Phrases, and word times from an engine's phonemes."""

from __future__ import annotations

import pytest
from offhook.serve.engines.phrases.phrasing import FIRST_CHARS_MAX, PHRASE_CHARS_MAX, Phoneme, phrases, word_ends


def said(groups: str, seconds: float = 0.1) -> list[Phoneme]:
    """Phonemes as piper tells them, each `seconds` long; "_" inside stands for nothing, stress marks last too."""
    return [Phoneme("^", 0.05), *(Phoneme(symbol, seconds) for symbol in groups), Phoneme("$", 0.05)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", ["Hello."]),
        ("Hello there. How are you?", ["Hello there.", "How are you?"]),
        ("Dr. Smith is in. Call J. Doe at 9 a.m. today!", ["Dr. Smith is in.", "Call J. Doe at 9 a.m. today!"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("It costs $4.50. Fine?", ["It costs $4.50.", "Fine?"]),
        ("  white \n space ", ["white space"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert phrases(text) == expected


def test_a_long_first_sentence_is_cut_at_its_first_clause_and_later_ones_are_not() -> None:
    text = "The trial is free for thirty days, and after that it is forty nine dollars a month for all."
    assert phrases(text) == [text[:34], text[35:]]
    assert phrases("Yes. " + text) == ["Yes.", text]
    assert phrases("Well, " + "x" * FIRST_CHARS_MAX) == ["Well, " + "x" * FIRST_CHARS_MAX]  # too short a clause


def test_no_phrase_is_longer_than_the_limit_and_no_word_is_lost() -> None:
    text = " ".join(f"word{n}," if n % 7 == 0 else f"word{n}" for n in range(400))
    parts = phrases(text)
    assert max(map(len, parts)) <= PHRASE_CHARS_MAX
    assert " ".join(parts) == text
    assert max(map(len, phrases("x" * 1_000))) <= PHRASE_CHARS_MAX


def test_one_group_a_word() -> None:
    assert word_ends("Hi there.", said("haɪ ðɛɹ.")) == [("Hi", 350), ("there.", 750)]


def test_a_pause_is_not_part_of_the_word_before_it() -> None:
    ends = word_ends("Yes, sure.", said("jɛs, ʃʊɹ."))
    assert ends[0] == ("Yes,", 350)  # the comma's 100 ms and the space's come after it


def test_stress_and_length_marks_take_time_and_are_no_sounds() -> None:
    assert word_ends("team", said("tˈiːm"))[0] == ("team", 550)


def test_a_number_takes_several_groups() -> None:
    ends = word_ends("is $49 a month", said("ɪz fˈɔːɹɾi nˈaɪn dˈɑːlɚz ɐ mˈʌnθ"))
    groups = "ɪz fˈɔːɹɾi nˈaɪn dˈɑːlɚz"
    assert [word for word, _ in ends] == ["is", "$49", "a", "month"]
    assert ends[1][1] == 50 + 100 * len(groups)


def test_two_words_that_are_spoken_as_one_share_its_time() -> None:
    ends = word_ends("and support for the team.", said("ænd səpˈɔːɹt fɚðə tˈiːm."))
    assert [word for word, _ in ends] == ["and", "support", "for", "the", "team."]
    whole_ms = 50 + 100 * len("ænd səpˈɔːɹt fɚðə")
    assert ends[3] == ("the", whole_ms)
    assert whole_ms - 500 < ends[2][1] < whole_ms


def test_commas_keep_the_assignment_in_place() -> None:
    ends = word_ends("Up to 25 people, and more", said("ʌp tə twˈɛnti fˈaɪv pˈiːpəl, ænd mˈɔːɹ"))
    assert dict(ends)["people,"] == 50 + 100 * len("ʌp tə twˈɛnti fˈaɪv pˈiːpəl")


def test_words_that_cannot_be_assigned_share_the_sound() -> None:
    ends = word_ends("a b c d e f g h", said("fɚ"))
    assert len(ends) == 8
    assert ends[-1] == ("h", 250)
    assert word_ends("hello", []) == []
    assert word_ends("", said("haɪ")) == []
