"""From what a caller utters to what the call learns of it: talkspurts by voice activity, words by a recognizer.

Voice activity is quick and right; the recognizer is late and sometimes wrong: partial readings lag behind the words,
replace each other, and may come in again after the final one; a final reading may be late, lost or repeated.
"""

from __future__ import annotations

from ..core import events as ev
from ..core.state import Line
from .meaning import Meant, Uttered
from .world import World

ONSET_MS = 70  # the detector confirms an onset so long after it
HANGOVER_MS = 160
MEASURE_MS = 200  # a real detector measures every 100 ms; half of that keeps a simulated call cheap
PARTIAL_MS = 450  # between two partial readings
LAG_MS = (150, 400)
FINAL_LAG_MS = (250, 700)
LATE_LAG_MS = (400, 1_000)  # of a recognizer that reads only what is over
MISREAD = 0.12  # of partial readings: their last word is another


class Mouth:
    """One speaker at the caller's end of the line."""

    def __init__(self, world: World, words_per_s: float, *, late: bool = False, measure_ms: int = MEASURE_MS) -> None:
        """`late` = the recognizer reads nothing before the speech is over, and takes its time then."""
        self._world = world
        self._late = late
        self._measure_ms = measure_ms
        self._words_per_s = words_per_s
        self._until_ms = -1
        self.recognized = True
        self._level_db = world.chance.uniform(-32.0, -18.0)
        self._pitch_hz = world.chance.uniform(90.0, 240.0)

    @property
    def busy(self) -> bool:
        """True while a talkspurt lasts or its end is not yet known."""
        return self._world.now_ms <= self._until_ms

    def speak(self, text: str, meant: Meant = Meant.TALK, *, lasts_ms: int = 0) -> int:
        """Utter `text` in one talkspurt from now on; returns how long it lasts in ms (0 = as long as talking takes)."""
        words = text.split()
        lasts_ms = lasts_ms or max(180, round(len(words) / self._words_per_s * 1_000))
        self._sound(lasts_ms)
        read = self.recognized and self._world.state.line is Line.OPEN
        if read:
            self._read(words, lasts_ms)
        self._tell(text, meant, lasts_ms, self._world.segments if read else -1)
        return lasts_ms

    def make_noise(self, lasts_ms: int) -> None:
        """A click, a cough, a door: sound without words."""
        if lasts_ms >= ONSET_MS:
            self._sound(lasts_ms)
            self._tell("", Meant.NOISE, lasts_ms, -1)

    def _tell(self, text: str, meant: Meant, lasts_ms: int, segment: int) -> None:
        now_ms = self._world.now_ms
        self._world.uttered.append(Uttered(text, meant, now_ms, now_ms + lasts_ms, segment))

    # --- voice activity ---------------------------------------------------------------------------------------------

    def _sound(self, lasts_ms: int) -> None:
        world, onset_ms = self._world, self._world.now_ms
        self._until_ms = onset_ms + lasts_ms + HANGOVER_MS
        level_db = self._level_db + world.chance.gauss(0.0, 2.0)
        pitch_hz = self._pitch_hz * world.chance.uniform(0.9, 1.1)
        unheard = False

        def hear(event: ev.Event) -> None:
            """What a broken line swallows once, the detector never tells: not even that the talkspurt is over."""
            nonlocal unheard
            unheard = unheard or world.state.line is not Line.OPEN
            if not unheard:
                world.feed(event)

        def started() -> None:
            hear(ev.SpeechStarted(world.now_ms, onset_ms, level_db, 25.0, pitch_hz))

        def measured(voiced_ms: int) -> None:
            hear(ev.SpeechMeasured(world.now_ms, onset_ms, voiced_ms, level_db, 25.0, pitch_hz))

        def ended() -> None:
            hear(ev.SpeechEnded(world.now_ms, onset_ms, onset_ms + lasts_ms, lasts_ms, level_db, pitch_hz))

        world.after(ONSET_MS, started)
        for voiced_ms in range(self._measure_ms, lasts_ms, self._measure_ms):
            world.after(voiced_ms, lambda voiced_ms=voiced_ms: measured(voiced_ms))  # type: ignore[misc]
        world.after(lasts_ms + HANGOVER_MS, ended)

    # --- the recognizer ---------------------------------------------------------------------------------------------

    def _read(self, words: list[str], lasts_ms: int) -> None:
        world, chance = self._world, self._world.chance
        world.segments += 1
        segment, onset_ms = world.segments, world.now_ms

        def reading(text: str, final: bool, until_ms: int) -> None:
            if self.recognized and not world.over:
                world.feed(ev.WordsHeard(world.now_ms, segment, text, final, onset_ms, onset_ms + until_ms))

        def read(delay_ms: int, text: str, *, final: bool, until_ms: int) -> None:
            world.after(delay_ms, lambda: reading(text, final, until_ms))

        final_ms = lasts_ms + chance.randint(*(LATE_LAG_MS if self._late else FINAL_LAG_MS))
        every_ms = max(PARTIAL_MS, self._measure_ms)
        for spoken_ms in range(PARTIAL_MS, 0 if self._late else lasts_ms, every_ms):
            so_far = words[: max(1, len(words) * spoken_ms // lasts_ms)]
            if chance.random() < MISREAD:
                so_far = [*so_far[:-1], "sorry"]
            delay_ms = min(spoken_ms + chance.randint(*LAG_MS), final_ms - 1)
            if world.faults.words_reordered():
                delay_ms = final_ms + 120
            read(delay_ms, " ".join(so_far), final=False, until_ms=spoken_ms)
        for delay_ms in world.faults.words_delays_ms(final_ms):
            read(delay_ms, " ".join(words), final=True, until_ms=lasts_ms)
