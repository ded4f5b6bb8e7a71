"""The cadence of a greeting, counted as Asterisk's AMD counts it (`apps/app_amd.c`): words by the gaps between them,
voice and silence in ms, and the limits they are compared with. Pure; what follows is `amd.py`'s matter.
"""

from __future__ import annotations

from ..core.parts import replace
from ..core.policy import AnsweringMachine
from ..core.state import Answering
from .amd_moves import UNDECIDED, Cause, Phase

_HUMAN_GREETING = 2  # words that only people say buy a greeting so many times its length


def started(now: Answering, onset_ms: int) -> Answering:
    """A talkspurt begins."""
    return replace(now, talk_started_ms=now.talk_started_ms or onset_ms, spurt_ms=0, gap_ms=0)


def counted(now: Answering, limits: AnsweringMachine, voiced_ms: int, unvoiced_ms: int) -> Answering:
    """Take a talkspurt's figures in; a gap inside it that is long enough ends a word."""
    words, word_from_ms = now.words_heard, now.word_from_ms
    if unvoiced_ms - now.gap_ms >= limits.between_words_silence_ms:
        words += voiced_ms - word_from_ms >= limits.minimum_word_length_ms
        word_from_ms = voiced_ms
    return replace(now, words_heard=words, word_from_ms=word_from_ms, spurt_ms=voiced_ms, gap_ms=unvoiced_ms)


def ended(now: Answering, limits: AnsweringMachine, voiced_ms: int, ended_ms: int) -> Answering:
    """The talkspurt is over: its last word is counted, its voice added up."""
    word = voiced_ms - now.word_from_ms >= limits.minimum_word_length_ms
    return replace(
        now,
        words_heard=now.words_heard + word,
        voiced_ms=now.voiced_ms + now.spurt_ms,
        spurt_ms=0,
        word_from_ms=0,
        gap_ms=0,
        quiet_since_ms=ended_ms,
    )


def exceeded(now: Answering, limits: AnsweringMachine) -> tuple[Cause, str] | None:
    """The first of a greeting's three limits that is reached, with the numbers.

    A question put to the caller outweighs them all: no machine waits for an answer.
    """
    if now.question:
        return None
    greeting_ms = limits.greeting_ms * (_HUMAN_GREETING if now.human_phrase else 1)
    compared = (
        (Cause.MAXWORDS, now.words_heard, limits.maximum_number_of_words),
        (Cause.LONGGREETING, now.voiced_ms + now.spurt_ms, greeting_ms),
        (Cause.MAXWORDLENGTH, now.spurt_ms - now.word_from_ms, limits.maximum_word_length_ms),
    )
    for cause, actual, limit in compared:
        if actual >= limit:
            return cause, f"{cause}-{actual}-{limit}"
    return None


def silence_due_ms(now: Answering, limits: AnsweringMachine, now_ms: int) -> int:
    """When the silence that has begun decides: soon after words that only people say, later after others."""
    if not now.words_heard and not now.human_phrase:  # a click is no greeting
        return now.armed_ms + max(limits.initial_silence_ms, now_ms - now.armed_ms + 1)
    needed_ms = limits.human_words_silence_ms if now.human_phrase else limits.after_greeting_silence_ms
    return max(now_ms, now.quiet_since_ms + needed_ms)


def by_silence(now: Answering, limits: AnsweringMachine, now_ms: int) -> tuple[Cause, str]:
    """What a silence decides in each phase, with the numbers."""
    waited_ms, silent_ms = now_ms - now.armed_ms, now_ms - now.quiet_since_ms
    phase = Phase(now.phase)
    if now.question or (now.human_phrase and phase in UNDECIDED):
        return Cause.HUMANWORDS, f"HUMANWORDS-{now.human_phrase} {silent_ms}-{limits.human_words_silence_ms}"
    if phase is Phase.WAITING:
        return Cause.INITIALSILENCE, f"INITIALSILENCE-{waited_ms}-{limits.initial_silence_ms}"
    if phase is Phase.PAUSING:
        return Cause.HUMAN, f"HUMAN-{silent_ms}-{limits.after_greeting_silence_ms}"
    if phase is Phase.LEAVING:
        return Cause.TURNS, f"TURNS-{now.turns} {silent_ms}-{limits.after_greeting_silence_ms}"
    return Cause.NOBEEP, f"{now.reason} no message to leave"


def turn_counted(now: Answering, limits: AnsweringMachine, voiced_ms: int) -> Answering:
    """A talkspurt over the message: a recording neither says something short and waits, nor does it again."""
    short = limits.minimum_word_length_ms <= voiced_ms <= limits.greeting_ms
    return replace(now, turns=now.turns + short)
