"""The account of one call: what was heard, uttered, ordered and done, by its events and commands alone.

The checkers of the promises (`consents.py`, `tellings.py`, `debt_watch.py`, `outcomes.py`) ask it, and never the call's
own lists of what was told, agreed or owed: whoever checks a bookkeeper keeps books of their own. What the caller meant
is known too (`meaning.py`). Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from ..core import events as ev
from ..core.commands import AwaitJournal, Command, CutSpeech, HangUp, HoldSpeech, Perform, ResumeSpeech, Say, Withdraw
from .meaning import Meant, Uttered
from .voice import STOP_MS, WORD_MS
from .world import Record, World

_STRIPPED = ".,;:!?\"'()"


@dataclass(slots=True)
class Said:
    """An utterance of the agent, as far as it was heard."""

    id: str
    text: str
    words: list[str]  # plain
    command: Say
    asked_ms: int
    number: int
    runs: list[tuple[int, int]] = field(default_factory=list)  # (from this moment on, so much had been heard), in ms
    stopped_ms: int = 0  # heard when it last stopped
    running: bool = False
    over: str = ""  # "ended" | "cut" | "failed"
    over_ms: int = 0

    @property
    def started_ms(self) -> int:
        """When it was first heard; -1 = it was not."""
        return self.runs[0][0] if self.runs else -1

    def heard_ms(self, now_ms: int) -> int:
        """How much of it has been heard by now."""
        if not self.running:
            return self.stopped_ms
        since_ms, before_ms = self.runs[-1]
        return min(self.lasts_ms, before_ms + now_ms - since_ms)

    def heard_words(self, now_ms: int) -> int:
        """How many of its words have been heard to their end by now."""
        return len(self.words) if self.over == "ended" else self.heard_ms(now_ms) // WORD_MS

    def share(self, now_ms: int) -> float:
        """How much of it has been heard by now, 0 to 1."""
        return 1.0 if self.over == "ended" else self.heard_ms(now_ms) / self.lasts_ms

    def moment_of(self, words: int, now_ms: int) -> int:
        """When so many of its words had been heard; -1 = they were not, by now."""
        return self.moment_of_ms(words * WORD_MS, now_ms) if self.heard_words(now_ms) >= words else -1

    def moment_of_ms(self, needed_ms: int, now_ms: int) -> int:
        """When so much of it had been heard; -1 = it was not, by now."""
        if self.heard_ms(now_ms) < needed_ms or not self.runs:
            return -1
        since_ms, before_ms = next((run for run in reversed(self.runs) if run[1] < needed_ms), self.runs[0])
        return since_ms + max(0, needed_ms - before_ms)

    def ends_of(self, value: str) -> int:
        """How many of its words have to be heard so that the last mention of `value` is heard; 0 = it is not in it."""
        wanted = plain(value)
        for start in range(len(self.words) - len(wanted), -1, -1):
            if wanted and self.words[start : start + len(wanted)] == wanted:
                return start + len(wanted)
        return 0

    @property
    def lasts_ms(self) -> int:
        """Its length."""
        return max(200, WORD_MS * len(self.words))


@dataclass(slots=True)
class Turn:
    """A piece that the caller uttered, or keys that they pressed, and what the call has learnt of it."""

    uttered: Uttered
    known_ms: int = -1  # when the words that carry its meaning were first read
    known_revision: int = -1
    final_ms: int = -1
    first_ms: int = -1  # when anything of it was first read
    read: str = ""  # the present reading
    changed_revision: int = -1  # when the reading last changed
    fence: int = -1  # the number of the turn in which its words were last read

    @property
    def meant(self) -> Meant:
        return self.uttered.meant


@dataclass(slots=True)
class Ordered:
    """An act on its way: from the wait for the journal to its outcome."""

    grant: str
    action: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    irreversible: bool = False
    undoes: bool = False  # it takes another act back
    awaited_ms: int = -1
    ordered_ms: int = -1
    withdrawn_ms: int = -1  # when the register was told so
    begun_ms: int = -1
    over_ms: int = -1
    outcome: str = ""  # "done" | "failed" | "withdrawn"

    @property
    def value(self) -> str:
        """What is done, in the words of its arguments."""
        return " ".join(value for _, value in self.arguments)


class Account:
    """What can be told of one call from outside. Handlers are called for events and commands of their kind."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.said: dict[str, Said] = {}
        self.utterances: list[Said] = []
        self.turns: list[Turn] = []  # the caller's pieces, in the order in which they were begun
        self.acts: dict[str, Ordered] = {}
        self.free_ms = 0  # for how long in all nobody was heard on an open line
        self.sounding = False  # the caller's end
        self.open = False  # the line
        self.ending = False
        self._by_segment: dict[int, Turn] = {}
        self._looked_ms = 0
        self._uttered = 0
        self._on: dict[type, list[Callable[[Any], None]]] = {}
        self._after: list[Callable[[], None]] = []
        self._keep_books()
        world.watch.append(self._look)

    @property
    def now_ms(self) -> int:
        return self.world.now_ms

    @property
    def quiet(self) -> bool:
        """Nobody is heard, and nothing is about to be."""
        last = self.utterances[-1] if self.utterances else None
        return self.open and not self.sounding and (last is None or bool(last.over)) and not self.ending

    def on(self, kind: type[ev.Event] | type[Command], handler: Callable[[Any], None]) -> None:
        """Call `handler` with every event or command of this kind, in the order in which they come."""
        self._on.setdefault(kind, []).append(handler)

    def after(self, handler: Callable[[], None]) -> None:
        """Call `handler` at the end of every step."""
        self._after.append(handler)

    def _look(self, world: World, record: Record) -> None:
        now_ms = world.now_ms
        if now_ms != self._looked_ms:
            if self.quiet:
                self.free_ms += now_ms - self._looked_ms
            self._looked_ms = now_ms
        uttered = world.uttered
        while self._uttered < len(uttered):
            self._begin(Turn(uttered[self._uttered]))
            self._uttered += 1
        handlers = self._on
        for handle in handlers.get(type(record.event), ()):
            handle(record.event)
        for command in record.commands:
            for handle in handlers.get(type(command), ()):
                handle(command)
        for check in self._after:
            check()

    # --- the books --------------------------------------------------------------------------------------------------

    def _keep_books(self) -> None:
        on = self.on
        on(ev.LineAnswered, self._line_open)
        on(ev.LineResumed, self._line_open)
        on(ev.LineLost, self._line_gone)
        on(ev.LineClosed, self._line_gone)
        on(HangUp, self._hang_up)
        on(ev.SpeechStarted, self._speech_started)
        on(ev.SpeechEnded, self._speech_ended)
        on(ev.WordsHeard, self._words)
        on(ev.DigitPressed, self._key)
        on(Say, self._say)
        on(ev.PlaybackStarted, self._started)
        on(ev.PlaybackStopped, self._stopped)
        on(ev.PlaybackEnded, self._ended)
        on(ev.PlaybackFailed, self._failed)
        on(HoldSpeech, self._hold)
        on(ResumeSpeech, self._resume)
        on(CutSpeech, self._cut)
        on(AwaitJournal, self._await)
        on(Perform, self._perform)
        on(Withdraw, self._withdraw)
        on(ev.ActionBegun, self._begun)
        on(ev.ActionFinished, self._finished)

    def _line_open(self, _event: Any) -> None:
        self.open = True

    def _line_gone(self, _event: Any) -> None:
        self.open = self.sounding = False

    def _hang_up(self, _command: HangUp) -> None:
        self.ending = True

    def _speech_started(self, _event: ev.SpeechStarted) -> None:
        self.sounding = True

    def _speech_ended(self, _event: ev.SpeechEnded) -> None:
        self.sounding = False

    def after_it(self, turn: Turn) -> Iterator[Turn]:
        """What the caller uttered later, the newest first."""
        return takewhile(lambda each: each.uttered.onset_ms > turn.uttered.onset_ms, reversed(self.turns))

    def of_segment(self, segment: int) -> Turn | None:
        """What the caller uttered as this segment of the recognizer."""
        return self._by_segment.get(segment)

    def _begin(self, turn: Turn) -> None:
        self.turns.append(turn)
        if turn.uttered.segment >= 0:
            self._by_segment[turn.uttered.segment] = turn

    def _words(self, event: ev.WordsHeard) -> None:
        turn = self._by_segment.get(event.segment)
        if turn is None or not event.text or (turn.final_ms >= 0 and not event.final):
            return
        revision = self.world.state.revision
        words = " ".join(plain(event.text))
        if turn.first_ms < 0:
            turn.first_ms = event.at_ms
        if words != turn.read:
            turn.read, turn.changed_revision = words, revision
        turn.fence = self.world.state.turn
        if turn.known_ms < 0 and (event.final or _tells(turn, words)):
            turn.known_ms, turn.known_revision = event.at_ms, revision
        if event.final and turn.final_ms < 0:
            turn.final_ms = event.at_ms

    def _key(self, event: ev.DigitPressed) -> None:
        turn = next((turn for turn in reversed(self.turns) if turn.uttered.keys), None)
        if turn is None:
            return
        state = self.world.state
        turn.read += event.digit
        turn.changed_revision, turn.fence = state.revision, state.turn
        if turn.read == turn.uttered.text:
            turn.known_ms = turn.final_ms = event.at_ms
            turn.known_revision = state.revision

    def _say(self, command: Say) -> None:
        said = Said(command.utterance, command.text, plain(command.text), command, self.now_ms, len(self.utterances))
        self.said[command.utterance] = said
        self.utterances.append(said)

    def _started(self, event: ev.PlaybackStarted) -> None:
        said = self.said[event.utterance]
        said.runs.append((event.at_ms, 0))
        said.running = True

    def _stop(self, utterance: str) -> Said | None:
        said = self.said.get(utterance)
        if said is not None and said.running:
            said.stopped_ms, said.running = said.heard_ms(self.now_ms), False
        return said

    def _hold(self, command: HoldSpeech) -> None:
        self._stop(command.utterance)

    def _cut(self, command: CutSpeech) -> None:
        said = self._stop(command.utterance)
        if said is not None and not said.over:
            said.over, said.over_ms = "cut", self.now_ms

    def _resume(self, command: ResumeSpeech) -> None:
        said = self.said.get(command.utterance)
        if said is not None and said.runs and not said.running and not said.over:
            said.runs.append((self.now_ms + STOP_MS, said.stopped_ms))
            said.running = True

    def _stopped(self, event: ev.PlaybackStopped) -> None:
        said = self.said[event.utterance]
        if not said.running:
            said.stopped_ms = event.heard_ms

    def _ended(self, event: ev.PlaybackEnded) -> None:
        said = self._stop(event.utterance)
        if said is not None and not said.over:
            said.over, said.over_ms, said.stopped_ms = "ended", event.at_ms, said.lasts_ms

    def _failed(self, event: ev.PlaybackFailed) -> None:
        said = self._stop(event.utterance)
        if said is not None and not said.over:
            said.over, said.over_ms = "failed", event.at_ms

    def _await(self, command: AwaitJournal) -> None:
        self.acts[command.grant] = Ordered(command.grant, irreversible=True, awaited_ms=self.now_ms)

    def _perform(self, command: Perform) -> None:
        act = self.acts.setdefault(command.grant, Ordered(command.grant))
        act.action, act.arguments, act.irreversible = command.action, command.arguments, command.irreversible
        act.undoes = any(needs.undo == command.action for needs in self.world.policy.gate.actions.values())
        act.ordered_ms = self.now_ms

    def _withdraw(self, command: Withdraw) -> None:
        self.acts[command.grant].withdrawn_ms = self.now_ms

    def _begun(self, event: ev.ActionBegun) -> None:
        self.acts[event.grant].begun_ms = event.at_ms

    def _finished(self, event: ev.ActionFinished) -> None:
        act = self.acts.get(event.grant)
        if act is not None and act.over_ms < 0:
            act.over_ms = event.at_ms
            act.outcome = "withdrawn" if event.withdrawn else "done" if event.ok else "failed"


def plain(text: str) -> list[str]:
    """Words as they sound."""
    return [word.strip(_STRIPPED).lower() for word in text.split() if word.strip(_STRIPPED)]


_TELLING = frozenset({"no", "wait", "stop"})


def _tells(turn: Turn, words: str) -> bool:
    """A partial reading that already holds the word which carries the meaning."""
    return turn.meant in (Meant.NO, Meant.WAIT) and not _TELLING.isdisjoint(words.split())
