"""English, as the core's port wants it."""

from __future__ import annotations

from ..port.port import Language, OverlapWords
from . import assent, completeness, greetings, questions, reading, recordings, values
from .overlap_weights import WEIGHTS
from .vocabulary import SAME_IN_OVERLAPS, words_of

LANGUAGE = Language(
    name="en",
    read=reading.read,
    assent=assent.read,
    listening=assent.listening,
    takes_back=assent.takes_back,
    undoing=assent.undoing,
    completeness=completeness.judge,
    same=values.same,
    merged=values.merged,
    is_moment=values.is_moment,
    greeting=greetings.read,
    live=greetings.live,
    asks=lambda text: questions.closing(text) is not None,
    recording=recordings.read,
    piece=recordings.piece,
    money=words_of("dollar dollars cent cents euro euros pound pounds percent free buck bucks"),
    overlap=OverlapWords(SAME_IN_OVERLAPS, WEIGHTS),
)
