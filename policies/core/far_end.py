"""Parts of a call's state: who, or what, is at the far end. Data only.

Moved by `conversation/amd.py` and `conversation/presence.py`.
"""

from __future__ import annotations

from .parts import part


@part
class Answering:
    """Who picked up. Speech is locked while `armed` and undecided. `words_heard` counts as Asterisk does."""

    armed: bool = False
    decided: str = ""  # "", "human", "machine", "screening", "unknown"
    reason: str = ""  # with the compared numbers
    armed_ms: int = 0
    talk_started_ms: int = 0
    words_heard: int = 0
    voiced_ms: int = 0
    beep_ms: int = 0  # end of the beep; 0 = none yet
    left_message: bool = False
    phase: str = ""  # amd_moves.Phase
    spurt_ms: int = 0  # voiced in the present talkspurt
    word_from_ms: int = 0  # voiced of it before the present word began
    gap_ms: int = 0  # unvoiced of it
    quiet_since_ms: int = 0  # end of the last voiced frame
    human_phrase: str = ""  # of `greetings.HUMAN`, if one was heard, or the form of a question
    question: bool = False  # the greeting ends in a question to the caller, so far
    screened: int = 0  # screeners answered so far
    sure: bool = False  # a machine by words that leave nothing to wait for
    decided_ms: int = 0  # when a person was found to be there
    turns: int = 0  # short talkspurts over the message that is being left


@part
class Presence:
    """Is somebody there to talk to? `reading` is what is there instead; empty = a person, as far as is known."""

    reading: str = ""  # "announcement", "music", "menu", "television"
    since_ms: int = 0  # when the first of it was heard; kept until a person is sure to be back
    heard: tuple[str, ...] = ()  # the last turns in plain words, oldest first; personal data
    again: int = 0  # turns in a row that said nothing but what had been heard before
    same: int = 0  # turns in a row that said the same, whatever was said in between
    persons: int = 0  # turns of a person in a row
    sound_ms: int = 0  # voiced, in long talkspurts of the present turn
    sparse_ms: int = 0  # ... of the turns before it that had hardly a word in them
    sparse_words: int = 0
    talking_since_ms: int = 0  # the stretch over which it is judged whether whoever talks ever listens
    listened_ms: int = 0  # of it: silent while the agent spoke
    checked_ms: int = 0  # since when it is to be asked whether somebody is there; 0 = it is not
    checked: bool = False  # it was asked

    @property
    def recorded(self) -> bool:
        """True while nobody would hear what is said: a recording speaks, or music plays."""
        return self.reading in ("announcement", "music", "menu")
