"""What every language has to hold to, whoever makes it: a suite to be inherited by a test of the language.

    class TestDutch(LanguageConformance):
        name = "nl"
        said = Said(yes=("ja", "dat klopt"), no=("nee",), ...)

The suite knows no language: what people say in it is the test's (`Said`), what has to follow is the suite's. A language
is asked through its port alone (`policies/language/port/port.py`).
"""

from __future__ import annotations

import random
import re
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import FrameType
from typing import Any

import pytest
from offhook.policies.core.proposals import Asks, Polarity, Purpose
from offhook.policies.core.state import Sign
from offhook.policies.language.lines.lines import DEFAULT, lines_of
from offhook.policies.language.port import registry
from offhook.policies.language.port.port import (
    TIME,
    Asked,
    Assent,
    Completeness,
    Cue,
    Heard,
    Language,
    Recording,
    Voice,
)

LINES_A_WORD_MAX = 500  # of Python that any question may run for a word: some 25 us; a reading comes several times
LINES_A_TEXT = 3_000  # ... and for a text, however short
WORDS_MANY = 400  # of a turn that is longer than any
HANGS_S = 60  # a guard against an expression that never ends; no measure of speed
UNCONCERNED = (Sign.STOP, Sign.HUMAN, Sign.COMMITMENT)  # what nobody has said who said nothing


# What a text is asked, and what kind of answer comes.
QUESTIONS: dict[str, type] = {
    "read": tuple, "assent": Assent, "listening": bool, "takes_back": bool, "undoing": Polarity,
    "completeness": Completeness, "same": bool, "merged": str, "is_moment": bool, "greeting": Heard, "live": str,
    "asks": bool, "recording": Recording, "piece": bool,
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What people say in this language; `times` and `digits`: words -> the value that is read back."""

    yes: tuple[str, ...]  # plain ones, of at least a dozen letters in all
    no: tuple[str, ...]
    conditional: tuple[str, ...]  # a yes with a condition, a doubt or a change in it
    listening: tuple[str, ...]
    waits: tuple[str, ...]
    stops: tuple[str, ...]
    people: tuple[str, ...]  # asks for a person
    goodbyes: tuple[str, ...]
    hesitations: tuple[str, ...]
    questions: tuple[str, ...]  # without a question mark, as recognizers write them
    statements: tuple[str, ...]  # which ask nothing
    takes_back: tuple[str, ...]  # of what is done already
    undo: tuple[str, ...]  # asked whether it shall be undone: yes, in its own words
    keep: tuple[str, ...]
    times: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]  # two times that are not the same
    pieces: tuple[str, str, str]  # a day, a time, and both
    digits: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...]
    trailing: tuple[str, ...]  # more is coming
    finished: tuple[str, ...]  # nothing more is needed
    people_answer: tuple[str, ...]  # how people pick up
    machines_answer: tuple[str, ...]
    menus: tuple[str, ...]
    announcements: tuple[str, ...]


class LanguageConformance:
    """`name`: as a policy names it; `said`: what people say in it."""

    name: str
    said: Said

    @property
    def language(self) -> Language:
        return registry.named(self.name)

    # --- it is whole ----------------------------------------------------------------------------------------------

    def test_it_has_the_name_by_which_it_is_found(self) -> None:
        assert self.language.name == self.name

    def test_every_part_of_the_port_is_there_and_answers_in_its_terms(self) -> None:
        assert [item.name for item in fields(Language) if getattr(self.language, item.name) is None] == []
        for question, kind in QUESTIONS.items():
            assert isinstance(ask(self.language, question, self.said.yes[0]), kind), question
        assert all(word == word.lower() for word in self.language.money)
        assert all(word == word.lower() for word in self.language.overlap.same)

    def test_it_says_every_line_that_english_says_and_no_other(self) -> None:
        assert set(lines_of(self.name)) == set(lines_of(DEFAULT))

    def test_no_line_is_empty_that_is_said_in_english(self) -> None:
        english = lines_of(DEFAULT)
        assert [key for key, text in lines_of(self.name).items() if bool(text.strip()) != bool(english[key])] == []

    def test_a_line_holds_the_placeholders_that_english_has_in_it(self) -> None:
        english = lines_of(DEFAULT)
        differ = [key for key, text in lines_of(self.name).items() if placeholders(text) != placeholders(english[key])]
        assert differ == []

    # --- answers --------------------------------------------------------------------------------------------------

    def test_a_plain_yes_is_a_yes_whatever_its_letters_and_its_full_stop(self) -> None:
        for text in self.said.yes:
            for written in (text, text.capitalize(), f"{text}.", f"  {text}!  "):
                assert self.language.assent(written, ()).says is Polarity.YES, written

    def test_a_yes_that_says_the_value_again_is_a_yes_and_one_with_another_value_is_none(self) -> None:
        yes, (one, other) = self.said.yes[0], self.said.others[0]
        assert self.language.assent(f"{yes}, {one}", [(TIME, one)]).says is Polarity.YES
        assert self.language.assent(f"{yes}, {other}", [(TIME, one)]).says is not Polarity.YES

    def test_a_plain_no_is_a_no(self) -> None:
        for text in self.said.no:
            found = self.language.assent(text, ())
            assert (found.says, found.takes_back) == (Polarity.NO, True), text

    def test_a_yes_with_something_left_over_is_none_and_says_which_kind(self) -> None:
        for text in self.said.conditional:
            found = self.language.assent(text, ())
            assert found.says is Polarity.UNCLEAR, text
            assert found.why
            assert not set(text.lower().split()) & set(found.why.split()) - {"a", "or", "is", "that", "than", "in"}

    def test_words_that_nobody_knows_are_no_yes_even_beside_one(self) -> None:
        for strange in ("qwrtz", "брюква", "大根", "xk7"):
            assert self.language.assent(strange, ()).says is not Polarity.YES
            assert self.language.assent(f"{self.said.yes[0]} {strange}", ()).says is not Polarity.YES

    def test_no_words_are_no_answer(self) -> None:
        for text in ("", "   ", "...", "?!"):
            assert self.language.assent(text, ()).says is Polarity.NONE

    def test_a_listeners_words_are_told_from_an_answer(self) -> None:
        assert all(self.language.listening(text) for text in self.said.listening)
        for text in (*self.said.no, *self.said.conditional, *self.said.stops, *self.said.waits):
            assert not self.language.listening(text), text

    def test_taking_back_and_undoing_are_heard_and_a_yes_does_neither(self) -> None:
        assert all(self.language.takes_back(text, ()) for text in self.said.takes_back)
        assert all(self.language.undoing(text) is Polarity.YES for text in self.said.undo)
        assert all(self.language.undoing(text) is Polarity.NO for text in self.said.keep)
        for text in self.said.yes:
            assert not self.language.takes_back(text, ())
            assert self.language.undoing(text) is Polarity.NONE

    # --- cues -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("group", "sign"),
        [
            ("yes", Sign.CONFIRMATION),
            ("no", Sign.DENIAL),
            ("waits", Sign.WAIT),
            ("stops", Sign.STOP),
            ("people", Sign.HUMAN),
            ("goodbyes", Sign.GOODBYE),
            ("hesitations", Sign.HESITATION),
            ("questions", Sign.QUESTION),
        ],
    )
    def test_what_is_said_is_read(self, group: str, sign: Sign) -> None:
        for text in getattr(self.said, group):
            asks = Asks.NOTHING if group == "questions" else Asks.YES_NO
            cues = self.language.read(text, Asked(asks, Purpose.QUESTION))
            assert sign in {cue.sign for cue in cues}, (text, cues)

    def test_cues_are_within_bounds_and_one_for_each_sign_and_topic(self) -> None:
        for text in self.everything():
            for asks in Asks:
                cues = self.language.read(text, Asked(asks, Purpose.OFFER, slot="wanted"))
                assert len({(cue.sign, cue.topic) for cue in cues}) == len(cues), text
                assert all(0.0 < cue.strength <= 1.0 for cue in cues), text

    def test_a_condition_commits_to_nothing(self) -> None:
        for text in self.said.conditional:
            cues = self.language.read(text, Asked(Asks.YES_NO, Purpose.QUESTION))
            assert Sign.COMMITMENT not in {cue.sign for cue in cues}, (text, cues)

    # --- values ---------------------------------------------------------------------------------------------------

    def test_times_numbers_and_names_come_out_in_the_form_that_is_read_back(self) -> None:
        for asks, text, value in self.values():
            assert self.value(text, asks) == value, text

    def test_the_form_that_is_read_back_is_understood_as_itself(self) -> None:
        for asks, text, value in self.values():
            assert self.value(value, asks) == value, value
            assert self.language.same(value, value)
            assert asks is Asks.NAME or self.language.same(text, value), text

    def test_two_times_that_differ_are_never_the_same(self) -> None:
        for one, other in self.said.others:
            assert not self.language.same(one, other)

    def test_a_time_said_in_pieces_is_put_together(self) -> None:
        day, clock, both = self.said.pieces
        assert self.language.same(self.language.merged(day, clock), both)
        assert self.language.same(self.language.merged(both, day), both)

    def test_a_day_is_a_moment_and_a_number_is_none(self) -> None:
        day, _, both = self.said.pieces
        assert self.language.is_moment(day)
        assert self.language.is_moment(both)
        assert not any(self.language.is_moment(value) for _, value in self.said.digits)

    # --- whose words, and whether they are over -------------------------------------------------------------------

    def test_who_picks_up_is_told_by_the_words(self) -> None:
        for text in self.said.people_answer:
            assert self.language.greeting(text).voice in (Voice.PERSON, Voice.GREETING), text
        for text in self.said.machines_answer:
            found = self.language.greeting(text)
            assert found.voice is Voice.MACHINE, text
            assert found.phrase

    def test_a_question_to_the_listener_is_told_from_a_statement(self) -> None:
        assert [text for text in self.said.questions if not self.language.asks(text)] == []
        assert [text for text in self.said.statements if self.language.asks(text)] == []

    def test_recordings_are_told_from_people(self) -> None:
        assert all(self.language.recording(text) is Recording.MENU for text in self.said.menus)
        assert all(self.language.recording(text) is Recording.ANNOUNCEMENT for text in self.said.announcements)
        for text in (*self.said.yes, *self.said.people_answer, *self.said.questions):
            assert self.language.recording(text) is Recording.NONE, text

    def test_a_recording_that_comes_again_is_known_by_a_piece_of_it(self) -> None:
        heard = " ".join(self.said.announcements[0].lower().split())
        assert self.language.piece(heard.split()[1:], [heard])
        assert not self.language.piece("qwrtz zzz qwrtz".split(), [heard])  # noqa: SIM905

    def test_unfinished_words_ask_for_more_patience_than_finished_ones(self) -> None:
        trailing = [self.language.completeness(text, Asks.OPEN).factor for text in self.said.trailing]
        finished = [self.language.completeness(text, Asks.YES_NO).factor for text in self.said.finished]
        assert min(trailing) > 1.0 > max(finished)

    # --- whatever comes -------------------------------------------------------------------------------------------

    @pytest.mark.timeout(HANGS_S)
    def test_nothing_that_comes_raises(self) -> None:
        for text in (*STRANGE, *self.everything(), *garbage(200)):
            for question, kind in QUESTIONS.items():
                assert isinstance(ask(self.language, question, text), kind), (question, text)

    def test_another_script_says_nothing_that_binds(self) -> None:
        for text in ("да, конечно", "はい、お願いします", "نعم بالتأكيد", "是的", "👍👍👍", "ναι"):
            assert self.language.assent(text, ()).says is not Polarity.YES, text
            cues = self.language.read(text, Asked(Asks.YES_NO, Purpose.OFFER))
            assert not {cue.sign for cue in cues} & set(UNCONCERNED), text

    @pytest.mark.timeout(HANGS_S)
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_question_costs_so_much_a_word_and_no_more_however_long_a_turn_is(self, question: str) -> None:
        for text in (" ".join(self.everything()), f"{self.said.yes[0]} " * WORDS_MANY, "qwrtz " * WORDS_MANY):
            words = text.split()[:WORDS_MANY]
            ran = lines_run(lambda words=words: ask(self.language, question, " ".join(words)))  # type: ignore[misc]
            assert ran <= LINES_A_TEXT + LINES_A_WORD_MAX * len(words), f"{ran} lines for {len(words)} words"

    # --- parts ----------------------------------------------------------------------------------------------------

    def everything(self) -> list[str]:
        """All that people say here."""
        found: list[str] = []
        for item in fields(Said):
            for each in getattr(self.said, item.name):
                found += [each] if isinstance(each, str) else each
        return found

    def values(self) -> list[tuple[Asks, str, str]]:
        """All values: what is asked for, the words, and the value that is read back."""
        kinds = ((Asks.TIME, self.said.times), (Asks.DIGITS, self.said.digits), (Asks.NAME, self.said.names))
        return [(asks, text, value) for asks, known in kinds for text, value in known]

    def value(self, text: str, asks: Asks) -> str:
        """The value that these words give to what was asked."""
        cues = self.language.read(text, Asked(asks, Purpose.QUESTION, slot="wanted"))
        return next((cue.text for cue in cues if cue.sign is Sign.DETAIL and cue.topic == "wanted"), "")


STRANGE = (
    "", " ", "\n\t", "...", "?", "'", "-", "'s", "--", "$", "%", "€5", "$.", "10:", ":30", "99:99", "1/2", "0", "٣",
    "²", "½", "ß", "İ", "ǅ", "\x00", "\ud800", "a" * 5_000, "1" * 5_000, "a.m.", "10:30:45", "’", "e\u0301\u0301",
    "\u202e", "1" * 5_000 + "th",
)  # fmt: skip


def ask(language: Language, question: str, text: str) -> object:
    """The answer to one question of the port about this text."""
    answer: Any = getattr(language, question)
    if question == "read":
        cues = answer(text, Asked(Asks.TIME, Purpose.OFFER, slot="wanted"))
        assert all(isinstance(cue, Cue) for cue in cues)
        return cues
    if question in ("assent", "takes_back"):
        return answer(text, [(TIME, text)])
    if question == "completeness":
        return answer(text, Asks.DIGITS)
    if question in ("same", "merged"):
        return answer(text, f"{text} x")
    if question == "piece":
        return answer(text.split(), [text])
    return answer(text)


def placeholders(text: str) -> list[str]:
    """The names in braces, in alphabetical order."""
    return sorted(re.findall(r"\{(\w+)", text))


def garbage(count: int) -> list[str]:
    """Texts of letters, digits, marks and other scripts, the same every time."""
    chance = random.Random(7)
    letters = string.printable + "éëïöüßñçøåжщЮ大根はいنعمνα½²€£’“”…—\u200d\U0001f44d"
    return ["".join(chance.choices(letters, k=chance.randrange(1, 120))) for _ in range(count)]


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python run: what a text costs, whatever machine it runs on."""
    ran = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal ran
        ran += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return ran
