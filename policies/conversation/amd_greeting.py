"""How the words of a turn read while it is undecided who picked up: the greeting alone, or what came after a pause."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.dialogue import Segment
from ..core.events import WordsHeard
from ..language.port.port import Heard, Language, Voice


def of_turn(
    language: Language, segments: Sequence[Segment], event: WordsHeard, pause_ms: int, *, suspected: bool, late: bool
) -> Heard:
    """Whose words the turn's are, now that `event` is in.

    Where a machine's words were followed by a pause, what came after it speaks for itself. `suspected` = a machine by
    its cadence alone: a short greeting after a pause is a person's then; `late` = because nothing had been said at all.
    """
    if not any(segment.id == event.segment for segment in segments):
        return language.greeting(event.text)  # it belongs to what was said earlier
    found = language.greeting(" ".join(segment.text for segment in segments if segment.text))
    if found.voice is Voice.PERSON or not (suspected or found.voice in (Voice.MACHINE, Voice.SCREENER)):
        return found
    pauses = (at for at in range(len(segments) - 1, 0, -1) if _pause_ms(segments, at) >= pause_ms)
    apart = next(pauses, 0)
    if not apart and not late:
        return found
    words = " ".join(segment.text for segment in segments[apart:] if segment.text)
    after = language.greeting(words)
    if suspected and after.voice is Voice.GREETING:
        return Heard(Voice.PERSON, after.phrase)
    phrase = after.phrase if after.voice is Voice.PERSON else language.live(words)
    return Heard(Voice.PERSON, phrase) if phrase else found


def _pause_ms(segments: Sequence[Segment], at: int) -> int:
    return segments[at].started_ms - segments[at - 1].ended_ms
