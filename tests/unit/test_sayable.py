"""What agents write is made words before it is said; what is words already comes out byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from offhook.policies.core.sayable import Unsayable, on_one_line, sayable

PLAIN = (
    "Hello, thank you for taking the call.",
    "Call +1 415 555 0123 about $1,299.00 on 2026-12-01 at 3:30pm.",
    "It is 9:05, or 21:05; 20°C, 50 %, 3/4 of them, #5 of 7, and -5 at night.",
    "Press 1, press * now, press *67, or press #.",
    "Write to first_last@example.com, or to AT&T (and/or us).",
    "It costs ~$50, or 2*3, or x^2, or a < b.",
    "  two  spaces  stay ",
    "- 5 degrees",
    "Ça va ? « Oui », dit-elle: “très bien” … 50 €, ¿no?",
    "Übermorgen um 15 Uhr – oder später?",
    "日本語です。一二三",
    "می\u200cخواهم",
    "नमस्ते, आप कैसे हैं?",
    "{time} is free.",
    "Visit example.com for more.",
)

CLEANED = {
    "**Great!** It is *only* $49 a `month`, __really__ _so_ ~~not~~.": "Great! It is only $49 a month, really so not.",
    "See [our prices](https://example.com/p?x=1) now.": "See our prices now.",
    "See [our prices][1] now.\n\n[1]: https://example.com/p": "See our prices now.",
    "It is at https://www.example.com:8080/a/b?c=d#e.": "It is at example.com.",
    "It is at <https://example.com/a>, or www.example.org/x.": "It is at example.com, or example.org.",
    "It is at example.com/pricing, for you.": "It is at example.com, for you.",
    "Write to mailto:joe@example.com or tel:+14155550123": "Write to joe@example.com or +14155550123",
    "# Our offer\nForty nine dollars": "Our offer. Forty nine dollars",
    "We have:\n- Tuesday\n- **Wednesday**\n* Friday\n\nWhich one?": "We have: Tuesday, Wednesday, Friday. Which one?",
    "1. Tuesday\n2. Wednesday": "1. Tuesday, 2. Wednesday",
    "- [x] done\n- [ ] to do": "done, to do",
    "> Quoted\n> words": "Quoted words",
    "One.\n\n---\n\nTwo.": "One. Two.",
    "Great 🎉! Thanks 👍🏽 👨\u200d👩\u200d👧": "Great! Thanks",
    "Press 1️⃣ to go → on ✓": "Press 1 to go on",
    "Sure :) that works ;-)": "Sure that works",
    "<speak>Hi <break time='1s'/>there</speak>": "Hi there",
    "AT&amp;T &lt;b&gt;bold&lt;/b&gt;": "AT&T bold",
    "\\*Not\\* bold\\_": "Not bold",
    "one\ttwo\r\nthree\x00\x1b[31mfour\x1b[0m": "one two three four",
    "a\u202eb\u202c\ufeffc\ud800d\ue000": "abcd",
    "A | B": "A B",
    "#sale for everybody": "sale for everybody",
}

REFUSED = {
    "": "no letter and no digit",
    " \n\t": "no letter and no digit",
    "🎉 🎉": "no letter and no digit",
    "**": "no letter and no digit",
    "...": "no letter and no digit",
    "| day | time |\n|---|---|\n| Tuesday | ten |": "a table",
    "Day|time\nTuesday|ten|free\nFriday|two|busy": "a table",
    "<table><tr><td>ten</td></tr></table>": "a table or code",
    "```python\nprint(1)\n```": "code",
    "```Yes.```": "code",
    '{"say": "Hello."}': "an object of JSON",
    "At http://10.0.0.1/x": "another host",
    "At http://localhost/x": "another host",
    "At http://xn--mller-kva.de/x": "another host",
    "At file:///etc/passwd": "another host",
    "x" * 70: "without a space",
    "word " * 1_000: "characters",
}


@pytest.mark.parametrize("text", PLAIN)
def test_words_come_out_byte_for_byte(text: str) -> None:
    assert sayable(text) == text


@pytest.mark.parametrize("text", CLEANED)
def test_marks_are_taken_out_and_words_stay(text: str) -> None:
    assert sayable(text) == CLEANED[text]
    assert sayable(CLEANED[text]) == CLEANED[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_said_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(Unsayable) as raised:
        sayable(text)
    assert raised.value.required and REFUSED[text] in raised.value.actual
    assert text == "" or text[:40] not in raised.value.actual, "what was to be said stays out of it"


def test_every_line_of_the_examples_is_said_as_it_is_written() -> None:
    for path in (Path(__file__).parents[2] / "examples").rglob("policy.yaml"):
        for spec in yaml.safe_load(path.read_text())["agents"].values():
            for line in spec.get("lines", {}).values():
                assert sayable(line) == line


def test_one_line_has_printable_characters_only_and_a_length() -> None:
    text = "Booked, for ten."
    assert on_one_line(text, 100) is text
    assert on_one_line("a\n\tb\x00c\u2028d\u00a0e\u200bf\ud800g", 100) == "a b c d efg"
    assert on_one_line("x" * 1_000, 10) == "x" * 10
    assert on_one_line("\n" * 10_000_000 + "x", 10) == ""
