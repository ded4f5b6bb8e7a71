"""How a text is cut into phrases that are spoken one by one, and when each word of a phrase ends. Pure.

Short first phrases make the first sound come early; phrases also are what the synthesizer keeps, so a price list that
differs in one sentence is made anew in one sentence only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..word_times import spread

FIRST_CHARS_MAX = 60  # a longer first sentence is cut at a clause: 60 characters are 3.5 s of speech, 150 ms of work
CLAUSE_CHARS_MIN = 12  # a shorter opening ("Well,") is not worth a phrase of its own: its melody would suffer
PHRASE_CHARS_MAX = 300  # cut at a clause or a space, so that one phrase never keeps the engine for over a second

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+")
_CLAUSE_END = re.compile(r"(?<=[,;:–—])\s+")
_ABBREVIATION = re.compile(r"(?:^|\s)(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|etc|e\.g|i\.e|a\.m|p\.m|No|[A-Z])\.$")

_NO_SOUND = frozenset("ˈˌːˑ^$_ ")  # stress and length marks, ends and padding: parts of a phoneme string, not sounds
_PAUSES = frozenset(".,;:?!…—–")
_CLOSING = "\"')]"

GROUPS_PER_WORD_MAX = 12  # "$4,900.50" is spoken as nine words
WORDS_PER_GROUP_MAX = 3  # "for the" is spoken as one
PAUSE_MISMATCH_COST = 4.0  # a pause where no comma stands (or none where one does) is worth four phonemes


class Phoneme(NamedTuple):
    """One symbol of the engine's own phoneme string, with the time that it takes."""

    symbol: str
    seconds: float


def phrases(text: str) -> list[str]:
    """The text's phrases, in order; joined by single spaces they are the text with its white space made single."""
    found: list[str] = []
    for sentence in _sentences(" ".join(text.split())):
        found.extend(_shorter(sentence))
    if found and len(found[0]) > FIRST_CHARS_MAX:
        found[:1] = _first_clause(found[0])
    return found


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _ABBREVIATION.search(text[start : match.start()]) is None:
            sentences.append(text[start : match.end()].strip())
            start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _first_clause(sentence: str) -> list[str]:
    for match in _CLAUSE_END.finditer(sentence):
        if match.start() >= CLAUSE_CHARS_MIN:
            return [sentence[: match.start()], sentence[match.end() :]]
    return [sentence]


def _shorter(sentence: str) -> list[str]:
    parts: list[str] = []
    while len(sentence) > PHRASE_CHARS_MAX:
        ends = [match.start() for match in _CLAUSE_END.finditer(sentence, 0, PHRASE_CHARS_MAX)]
        at = ends[-1] if ends else sentence.rfind(" ", 1, PHRASE_CHARS_MAX)
        at = at if at > 0 else PHRASE_CHARS_MAX
        parts.append(sentence[:at])
        sentence = sentence[at:].lstrip()
    return [*parts, sentence]


# --- word times -------------------------------------------------------------------------------------------------------


class _Group(NamedTuple):
    """What stands between two spaces of the phoneme string: usually one word."""

    sounds: int
    start_s: float
    end_s: float  # of its last sound: a pause that follows is not the word
    pause: bool


def word_ends(text: str, phonemes: Sequence[Phoneme]) -> list[tuple[str, int]]:
    """When each word of `text` ends, in ms from the phrase's first sample, by the engine's own phoneme durations.

    The engine says words, not tokens: numbers become several groups of phonemes, "for the" becomes one. The cheapest
    order-keeping assignment is found by dynamic programming: lengths should agree, and pauses stand where commas do.

    Returns:
        The words as they stand in the text, with their ends; empty where the phonemes say nothing.
    """
    words = text.split()
    groups = _groups(phonemes)
    if not words or not groups:
        return []
    steps = _assign(words, groups)
    if steps is None:
        return spread(words, groups[0].start_s, groups[-1].end_s)
    ends: list[tuple[str, int]] = []
    word = group = 0
    for many_words, many_groups in steps:
        taken = groups[group : group + many_groups]
        ends.extend(spread(words[word : word + many_words], taken[0].start_s, taken[-1].end_s))
        word, group = word + many_words, group + many_groups
    return ends


def _groups(phonemes: Sequence[Phoneme]) -> list[_Group]:
    groups: list[_Group] = []
    now = start = end = 0.0
    sounds, pause = 0, False
    for symbol, seconds in phonemes:
        now += seconds
        if symbol == " " or symbol == "$":
            if sounds:
                groups.append(_Group(sounds, start, end, pause))
            sounds, pause, start = 0, False, now
        elif symbol in _PAUSES:
            pause = True
        elif symbol == "^":
            start = now
        else:  # a length mark after a vowel takes time and is no sound of its own
            sounds += symbol not in _NO_SOUND
            end = now
    if sounds:
        groups.append(_Group(sounds, start, end, pause))
    return groups


def _expected_sounds(word: str) -> float:
    digits = sum(char.isdigit() for char in word)
    letters = sum(char.isalpha() for char in word)
    others = sum(char in "$%&+=@/" for char in word)
    return max(1.0, 0.8 * letters + 4.5 * digits + 5.0 * others)


def _assign(words: Sequence[str], groups: Sequence[_Group]) -> list[tuple[int, int]] | None:
    """The cheapest way to walk both lists to their ends; steps are (words, groups), one of them always 1."""
    expected = [_expected_sounds(word) for word in words]
    pauses = [word.rstrip(_CLOSING)[-1:] in _PAUSES for word in words]
    moves = [(1, n) for n in range(1, GROUPS_PER_WORD_MAX + 1)] + [(n, 1) for n in range(2, WORDS_PER_GROUP_MAX + 1)]
    best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {(0, 0): (0.0, (0, 0))}
    for word in range(len(words) + 1):
        for group in range(len(groups) + 1):
            if (word, group) not in best:
                continue
            so_far = best[word, group][0]
            for many_words, many_groups in moves:
                to_word, to_group = word + many_words, group + many_groups
                if to_word > len(words) or to_group > len(groups):
                    continue
                wanted = sum(expected[word:to_word])
                actual = sum(each.sounds for each in groups[group:to_group])
                cost = so_far + (actual - wanted) ** 2 / (wanted + 1) + 0.5 * (many_words + many_groups - 2)
                if pauses[to_word - 1] is not groups[to_group - 1].pause:
                    cost += PAUSE_MISMATCH_COST
                if cost < best.get((to_word, to_group), (float("inf"),))[0]:
                    best[to_word, to_group] = (cost, (many_words, many_groups))
    place = (len(words), len(groups))
    if place not in best:
        return None
    steps: list[tuple[int, int]] = []
    while place != (0, 0):
        step = best[place][1]
        steps.append(step)
        place = (place[0] - step[0], place[1] - step[1])
    return steps[::-1]
