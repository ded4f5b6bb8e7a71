"""The voice of a call: what the agent says, sent to the carrier a little ahead of real time, held, resumed and cut.

Commands come in (`Say`, `HoldSpeech`, `ResumeSpeech`, `CutSpeech`), playback events go out. The voice decides nothing;
the sound comes from a `Synthesizer`, the arithmetic of playing is `playout.py`'s, words are `audio/sound.py`'s. No
asyncio: time is a `Clock`, waking up is an `Alarm` (an asyncio loop is one), so tests run on virtual time.

The carrier's `clear` is the first thing that a hold does, before any arithmetic. It also makes the carrier return
every pending mark at once, so a mark's name carries a generation, and marks of an older one move nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from offhook.policies.core.commands import Command, CutSpeech, HoldSpeech, ResumeSpeech, Say
from offhook.policies.core.events import (
    Event,
    PlaybackEnded,
    PlaybackFailed,
    PlaybackReached,
    PlaybackStarted,
    PlaybackStopped,
)
from offhook.policies.core.policy import Voice as VoicePolicy

from ..audio.format import FRAME_MS
from ..audio.sound import Sound
from ..engines.port import Synthesizer
from ..process.clock import Alarm, Cancellable, Clock
from .playout import Playout

log = logging.getLogger(__name__)

BATCH_MS = 200  # sent at once: five wake-ups a second while speaking
MARK_GRACE_MS = 800  # after a mark was due: a carrier that has not returned it by then does not return marks


class Line(Protocol):
    """The way to the carrier. Nothing here waits; what is sent while the line is away is lost."""

    def play(self, audio: bytes) -> None:
        """Queue mu-law audio, a whole number of 20 ms frames, behind what the carrier still plays."""
        ...

    def mark(self, name: str) -> None:
        """Have `name` come back (`Voice.marked`) when everything queued so far was played."""
        ...

    def clear(self) -> None:
        """Drop what the carrier has not played; its pending marks come back at once."""
        ...


class Speech:
    """The utterance being said."""

    __slots__ = ("held", "held_ms", "id", "marked_ms", "marks", "run_at_ms", "run_from_ms", "sound", "started")

    def __init__(self, utterance: str, sound: Sound) -> None:
        self.id = utterance
        self.sound = sound
        self.started = False  # some of it has left for the carrier
        self.held = False
        self.held_ms = 0
        self.marked_ms = -1  # position of the run's last mark; -1 = none
        self.run_from_ms = 0  # a run: what is sent from a start or a resume on, until it ends or is held
        self.run_at_ms = -1  # when its first audio was sent; -1 = not yet
        self.marks: deque[int] = deque()  # positions of marks that are out


class Voice:
    """Speaks one utterance at a time on one line.

    `emit` is called inside of commands too (PlaybackStopped inside of a hold): it must queue, as the funnel does.

    Args:
        line: where audio goes.
        synthesizer: where sound comes from.
        emit: takes playback events.
        clock: the call's clock; events are stamped with it.
        alarm: wakes the voice; the call's loop.
        policy: how far ahead, how often a mark.
        epoch: of this owner of the call; marks of a former owner move nothing.
    """

    def __init__(
        self,
        line: Line,
        synthesizer: Synthesizer,
        emit: Callable[[Event], None],
        clock: Clock,
        alarm: Alarm,
        policy: VoicePolicy,
        epoch: int = 1,
    ) -> None:
        self.policy = policy  # replaced when the call's policy is swapped
        self.playout = Playout()
        self.utterances = 0  # whose first audio was sent
        self._line = line
        self._synthesizer = synthesizer
        self._emit = emit
        self._clock = clock
        self._alarm = alarm
        self._epoch = epoch
        self._generation = 0
        self._speech: Speech | None = None
        self._wake: Cancellable | None = None

    # --- commands ---------------------------------------------------------------------------------------------------

    def carry_out(self, command: Command) -> bool:
        """Do what one command asks for; False where it is not the voice's."""
        match command:
            case HoldSpeech():
                self.hold(command.utterance)
            case Say():
                self.say(command.utterance, command.text)
            case ResumeSpeech():
                self.resume(command.utterance)
            case CutSpeech():
                self.cut(command.utterance)
            case _:
                return False
        return True

    def say(self, utterance: str, text: str) -> None:
        """Speak `text`. The core speaks one utterance at a time; one that still plays is cut."""
        if self._speech is not None:
            self.cut(self._speech.id)
        speech = self._begin(utterance, text)
        if speech.sound.failed:
            # Told in a turn of its own: a core that answers a failure with another try must not spin.
            self._wake = self._alarm.call_later(0, self._pump)
        else:
            self._pump()

    def hold(self, utterance: str) -> None:
        """Silence at once, keep the rest. Emits PlaybackStopped; nothing where the utterance is over or held."""
        speech = self._speech
        if speech is None or speech.id != utterance or speech.held:
            return
        if speech.started:
            self._line.clear()
        self._silence(speech)

    def resume(self, utterance: str) -> None:
        """Go on from the start of the word at which it was held."""
        speech = self._speech
        if speech is None or speech.id != utterance or not speech.held:
            return
        speech.held = False
        self._begin_run(speech, speech.sound.word_start(speech.held_ms))
        self._pump()

    def cut(self, utterance: str) -> None:
        """Give the rest up. Emits PlaybackStopped unless it was held."""
        speech = self._speech
        if speech is None or speech.id != utterance:
            return
        if not speech.held:
            if speech.started:
                self._line.clear()
            self._silence(speech)
        self._forget(speech)

    # --- what the carrier says --------------------------------------------------------------------------------------

    def marked(self, name: str) -> None:
        """The carrier has played everything before that mark, or returns it because it was cleared."""
        now_ms = self._clock.now_ms()
        speech = self._speech
        run, _, position = name.rpartition("/")
        if speech is None or run != f"{speech.id}/{self._epoch}.{self._generation}" or not position.isdecimal():
            return  # of a former owner, utterance or run, or not ours at all
        position_ms = int(position)
        if position_ms == speech.run_from_ms:
            self.playout.round_trip_ms = now_ms - speech.run_at_ms
            return
        if not speech.run_from_ms < position_ms <= self.playout.sent_ms:
            return
        self.playout.marked(position_ms, now_ms)
        if position_ms not in speech.marks:
            return  # later than its grace: the clock has told
        while speech.marks and speech.marks[0] <= position_ms:
            speech.marks.popleft()
        self._reached(speech, position_ms, confirmed=True)

    # --- takeover ---------------------------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """An utterance is being said or held."""
        return self._speech is not None

    def heard_ms(self) -> int:
        """How far the present utterance was heard, as far as is known now; 0 where there is none."""
        speech = self._speech
        if speech is None:
            return 0
        return speech.held_ms if speech.held else self.playout.heard_ms(self._clock.now_ms())

    def snapshot(self) -> list[str | int]:
        """What the next owner needs for `restore`: [utterance, text, heard_ms, 1 = some of it was sent], or []."""
        speech = self._speech
        return [] if speech is None else [speech.id, speech.sound.text, self.heard_ms(), int(speech.started)]

    def restore(
        self, utterance: str, text: str, heard_ms: int, *, started: bool = True, sent_ms: int | None = None
    ) -> None:
        """Take a former owner's utterance over.

        Args:
            utterance, text: as in the former owner's `Say`.
            heard_ms: how far it was heard.
            started: some of it was sent; else PlaybackStarted is still to come.
            sent_ms: how far it was sent, where the gateway knows (the last mark's position and the audio after it): the
                rest follows behind what the carrier still plays, without a gap. None: what the carrier still has is
                dropped, so that nothing is heard twice, and `resume` goes on from the word at `heard_ms`.
        """
        if self._speech is not None:
            self.cut(self._speech.id)
        if started and sent_ms is None:
            self._line.clear()
        speech = self._begin(utterance, text)
        speech.started = started
        if sent_ms is None:
            speech.held, speech.held_ms = True, heard_ms
            return
        speech.run_from_ms = heard_ms if heard_ms < sent_ms else -1  # a mark at `sent_ms` is one of this run
        speech.run_at_ms = self._clock.now_ms()
        self.playout.adopt(heard_ms, _whole_frames(sent_ms), self._clock.now_ms())
        if started:
            self._mark(speech)  # the former owner's marks are nobody's: this one tells when its sound has been heard
        self._pump()

    def report_stop(self) -> None:
        """Tell where the held utterance stopped: of the former owner's word of it nothing is known."""
        speech = self._speech
        if speech is not None and speech.held:
            heard_text = speech.sound.heard_text(speech.held_ms)
            self._emit(PlaybackStopped(self._clock.now_ms(), speech.id, speech.held_ms, heard_text))

    def close(self) -> None:
        """The call is over, or another process owns it: no sound, no event any more."""
        if self._speech is not None:
            self._forget(self._speech)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _begin(self, utterance: str, text: str) -> Speech:
        speech = Speech(utterance, Sound(text))
        self._speech = speech
        self._begin_run(speech, 0)
        # Told of growth only from here on: an engine that has the whole sound at once must not send it twice.
        self._synthesizer.speak(utterance, speech.sound)
        speech.sound.on_change = self._pump
        return speech

    def _begin_run(self, speech: Speech, from_ms: int) -> None:
        self._generation += 1
        speech.marks.clear()
        speech.marked_ms = -1
        speech.run_from_ms = from_ms
        speech.run_at_ms = -1
        self.playout.begin(from_ms)

    def _silence(self, speech: Speech) -> None:
        """After a clear: where it stopped. The order matters: the clear has left, now there is time to reckon."""
        now_ms = self._clock.now_ms()
        speech.held = True
        speech.held_ms = self.playout.stopped_ms(now_ms)
        self._generation += 1
        self._sleep()
        heard_text = speech.sound.heard_text(speech.held_ms)
        self._emit(PlaybackStopped(now_ms, speech.id, speech.held_ms, heard_text))

    def _forget(self, speech: Speech) -> None:
        self._speech = None
        self._sleep()
        if not speech.sound.complete:
            self._synthesizer.cancel(speech.id)

    def _pump(self) -> None:
        """Send what is due, set marks, sleep until the next thing is due.

        Whoever takes an event may hold, cut or say something before `_emit` returns, so each is the last thing done.
        """
        speech = self._speech
        if speech is None or speech.held:
            return
        now_ms = self._clock.now_ms()
        self._send_due(speech, now_ms)
        self._sleep_until_due(speech, now_ms)
        if speech.run_at_ms >= 0 and not speech.started:
            speech.started = True
            self.utterances += 1
            self._emit(PlaybackStarted(now_ms, speech.id))
        self._expect_marks(speech, now_ms)

    def _send_due(self, speech: Speech, now_ms: int) -> None:
        sound, playout = speech.sound, self.playout
        ahead_ms = playout.sendable_ms(self.policy.ahead_ms)
        here_ms = _whole_frames(sound.length_ms)
        while (upto_ms := min(playout.sent_ms + BATCH_MS, here_ms)) > playout.sent_ms:
            if upto_ms - playout.heard_ms(now_ms) > ahead_ms:
                return
            if speech.run_at_ms < 0:
                # Before any audio: comes back at once, and tells how long the way there and back is.
                speech.run_at_ms = now_ms
                self._line.mark(self._mark_name(speech, playout.sent_ms))
            self._line.play(sound.slice(playout.sent_ms, upto_ms))
            playout.sent(upto_ms, now_ms)
            sound.taken_ms = max(sound.taken_ms, upto_ms)
            # The first batch is marked: the carrier's lag is learnt early.
            if speech.marked_ms < 0 or upto_ms - speech.marked_ms >= self.policy.mark_every_ms:
                self._mark(speech)
        if sound.complete and speech.run_at_ms >= 0 and speech.marked_ms < playout.sent_ms:
            self._mark(speech)  # the last one; an engine often says that it was all after we have sent all

    def _mark(self, speech: Speech) -> None:
        speech.marked_ms = self.playout.sent_ms
        speech.marks.append(speech.marked_ms)
        self._line.mark(self._mark_name(speech, speech.marked_ms))

    def _expect_marks(self, speech: Speech, now_ms: int) -> None:
        """Where no mark comes back, the clock tells, after a grace."""
        sound, playout = speech.sound, self.playout
        if speech is self._speech and not speech.held and sound.complete:
            all_marked = not speech.marks and speech.marked_ms >= _whole_frames(sound.length_ms)
            if speech.run_at_ms < 0 or all_marked:
                # Nothing of it is left to be heard: an empty sound, a hold after the last word, or an engine that gave
                # up when all that it had made was heard.
                self._reached(speech, sound.length_ms, confirmed=all_marked)
        while speech is self._speech and not speech.held and speech.marks:
            if now_ms < playout.plays_at(speech.marks[0]) + MARK_GRACE_MS:
                self._sleep_until_due(speech, now_ms)
                return
            self._reached(speech, speech.marks.popleft(), confirmed=False)

    def _reached(self, speech: Speech, position_ms: int, confirmed: bool) -> None:
        now_ms = self._clock.now_ms()
        sound = speech.sound
        if not sound.complete or position_ms < sound.length_ms:
            words = len(sound.heard_text(position_ms).split())
            self._emit(PlaybackReached(now_ms, speech.id, position_ms, sound.total_ms, confirmed, words))
            return
        self._forget(speech)
        if sound.failed:
            self._emit(PlaybackFailed(now_ms, speech.id, sound.failed, sound.heard_text(position_ms)))
            return
        self._emit(PlaybackReached(now_ms, speech.id, position_ms, sound.total_ms, confirmed))
        self._emit(PlaybackEnded(now_ms, speech.id, confirmed))

    def _sleep_until_due(self, speech: Speech, now_ms: int) -> None:
        playout = self.playout
        due = [playout.plays_at(position) + MARK_GRACE_MS for position in list(speech.marks)[:1]]
        here_ms = _whole_frames(speech.sound.length_ms)
        if playout.sent_ms < here_ms:
            upto_ms = min(playout.sent_ms + BATCH_MS, here_ms)
            due.append(playout.plays_at(upto_ms) - playout.sendable_ms(self.policy.ahead_ms))
        self._sleep()
        if due:
            self._wake = self._alarm.call_later(max(0, min(due) - now_ms) / 1_000, self._pump)

    def _sleep(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _mark_name(self, speech: Speech, position_ms: int) -> str:
        return f"{speech.id}/{self._epoch}.{self._generation}/{position_ms}"


def _whole_frames(ms: int) -> int:
    return ms - ms % FRAME_MS
