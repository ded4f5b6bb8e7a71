"""Generated callers: what they say, how they pause, when they interrupt, murmur, cough, think, wait and hang up.

Everything is drawn from the call's chance; a caller knows only what a caller can: what they hear, and that time
passes. What reaches the call of it, and how late and how wrong, is `mouth.py`'s matter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..core import events as ev
from ..core.proposals import Asks, Purpose
from ..core.state import Utterance
from .meaning import Meant, Piece, Uttered, pieces
from .mouth import Mouth
from .voice import Voice
from .world import Record, World

KEY_GAP_MS = 400  # between two keys of one number

# What is said to what was asked, with its meaning in front (`meaning.py`); "|" is a pause inside the turn.
_ANSWERS: dict[Asks, tuple[str, ...]] = {
    Asks.YES_NO: (
        "yes: yes",
        "no: no",
        "yes: yeah sure",
        "yes: yes | question: but what does it cost",
        "token: um | yes: yes that works",
        "no: no not really",
    ),
    Asks.TIME: (
        "value: tuesday at three",
        "value: tomorrow | token: um | value: at ten thirty",
        "value: next week is better",
        "value: friday afternoon works",
    ),
    Asks.DIGITS: (
        "value: five five five | value: one two three four",
        "value: two one | value: nine eight",
        "value: five five five",
    ),
    Asks.NAME: ("value: sam jones", "value: my name is | value: kim", "value: s m i t | value: h"),
    Asks.OPEN: (
        "we have about ten people | and two offices",
        "hi I'm calling about your service",
        "token: um | I'm not sure yet",
        "we need it by the end of the month",
        "I run a small shop | in the old town",
    ),
    Asks.NOTHING: ("token: okay", "token: I see", "question: and how does that work", "question: so what is next"),
}
_TO_AN_OFFER = (
    "that is too expensive",
    "yes: okay that sounds good | yes: let's do it",
    "condition: let me think about it",
    "condition: I would have to ask my boss",
    "wait: hold on a second",
    "that makes sense | but it is a lot of money",
    "yes: yes let's book it",
    "person: can I talk to a person",
)
_AGREEING: dict[Asks, tuple[str, ...]] = {
    Asks.YES_NO: ("yes: yes", "yes: yes please", "yes: sure | yes: let's do it", "yes: yes | yes: that works"),
    Asks.OPEN: ("we have about ten people | and two offices", "I run a small shop"),
    Asks.TIME: _ANSWERS[Asks.TIME],
    Asks.DIGITS: _ANSWERS[Asks.DIGITS],
    Asks.NAME: _ANSWERS[Asks.NAME],
    Asks.NOTHING: ("token: great", "token: okay"),
}
_INTERRUPTIONS = (
    "wait: wait | question: how much is that",
    "no: no no that's not what I meant",
    "sorry | question: can I ask something",
    "wait: stop",
)
_MURMURS = ("mm-hm", "uh-huh", "yeah", "okay", "right")
_AGREEING_MURMURS = frozenset({"yeah", "okay", "right"})  # over a value that is read back these say yes to it
_COMING = ("hello", "hello I'm back", "sorry about that | who is this", "yes I am here now")
_FAREWELLS = ("okay thanks bye", "I have to go", "no: don't call me again", "person: can I talk to a person")
# What the agent says with one of these purposes is a matter of its own: what was about to be answered is past.
_NEW_MATTER = frozenset({Purpose.CONFIRMATION, Purpose.QUESTION, Purpose.OFFER})


@dataclass(frozen=True, slots=True)
class Temper:
    """How one caller behaves; shares are probabilities for each occasion."""

    reply_ms: int
    pause_ms: int
    words_per_s: float
    murmurs: float
    interrupts: float
    thinks: float  # share of answers that come after seconds of silence
    willing: bool  # agrees to whatever is asked, once the offer is understood
    silent: float  # share of answers that never come
    talks_on: float  # share of pauses after which the caller goes on although the agent has begun
    noises_per_min: float
    turns_max: int
    patience_ms: int  # of hearing nothing at all before hanging up
    read_late: bool = False  # the recognizer reads only what is over

    @staticmethod
    def drawn(chance: random.Random) -> Temper:
        """A caller nobody has met before."""
        return Temper(
            reply_ms=chance.randint(150, 900),
            pause_ms=chance.choice((250, 400, 700, 1_200)),
            words_per_s=chance.uniform(2.0, 4.0),
            murmurs=chance.choice((0.0, 0.3, 0.7)),
            interrupts=chance.choice((0.0, 0.2, 0.6)),
            thinks=chance.choice((0.0, 0.2)),
            willing=chance.random() < 0.4,
            silent=chance.choice((0.0, 0.0, 0.1, 1.0 if chance.random() < 0.2 else 0.0)),
            talks_on=chance.choice((0.3, 0.9)),
            noises_per_min=chance.choice((0.0, 0.0, 3.0, 15.0)),
            turns_max=chance.choice((1, 2, 3, 4, 7)),
            patience_ms=chance.choice((12_000, 60_000, 600_000)),
            read_late=chance.random() < 0.15,
        )


class Caller:
    """One person on the line."""

    def __init__(self, world: World, voice: Voice, temper: Temper) -> None:
        self._world = world
        self._voice = voice
        self._chance = world.chance
        self._temper = temper
        self._mouth = Mouth(world, temper.words_per_s, late=temper.read_late)
        self._turns = 0
        self._plan = 0  # counts intentions, so that an older one is void
        self._heard_last_ms = 0
        world.watch.append(self._listen)

    def _listen(self, world: World, record: Record) -> None:
        event = record.event
        if isinstance(event, ev.LineAnswered):
            self._picked_up()
        elif isinstance(event, ev.PlaybackStarted):
            self._heard_last_ms = world.now_ms
            current = world.state.speech.current
            if current is not None and current.id == event.utterance:
                if current.purpose in _NEW_MATTER:
                    self._plan += 1
                self._agent_began(current)
        elif isinstance(event, (ev.PlaybackEnded, ev.PlaybackFailed)):
            self._agent_finished(event.utterance)
        elif isinstance(event, ev.PlaybackStopped):
            self._heard_last_ms = world.now_ms
        elif isinstance(event, ev.HealthChanged) and event.part == "recognizer":
            self._mouth.recognized = event.up

    def comes(self) -> None:
        """This person takes over a line on which nobody was: "hello?" """
        self._picked_up()
        self._later(self._temper.reply_ms, self._chance.choice(_COMING))

    # --- occasions --------------------------------------------------------------------------------------------------

    def _picked_up(self) -> None:
        self._heard_last_ms = self._world.now_ms
        if self._chance.random() < 0.3:
            self._later(self._temper.reply_ms, "hello")
        self._world.after(2_000, self._look_at_the_clock)
        if self._temper.noises_per_min:
            self._noise_later()

    def _agent_began(self, _saying: Utterance) -> None:
        left_ms = self._voice.left_ms
        chance, temper = self._chance, self._temper
        if left_ms < 1_200:
            return
        if chance.random() < temper.interrupts:
            self._later(chance.randint(300, left_ms - 300), chance.choice(_INTERRUPTIONS))
        elif chance.random() < temper.murmurs:
            self._world.after(chance.randint(500, left_ms - 300), self._murmur)

    def _agent_finished(self, utterance: str) -> None:
        self._heard_last_ms = self._world.now_ms
        said = self._world.state.speech.last
        if said is None or said.id != utterance or self._mouth.busy:
            return
        chance, temper = self._chance, self._temper
        if said.purpose is Purpose.GOODBYE or self._turns >= temper.turns_max:
            self._leave()
        elif chance.random() >= temper.silent:
            delay_ms = temper.reply_ms + (chance.randint(2_000, 11_000) if chance.random() < temper.thinks else 0)
            if chance.random() < 0.02:
                self._world.after(delay_ms, self._press_keys)
                return
            self._later(delay_ms, self._reply(said))

    def _reply(self, said: Utterance) -> str:
        """What is said to it; empty = nothing."""
        if self._temper.willing:
            return self._chance.choice(_AGREEING[said.asks])
        return self._chance.choice(_TO_AN_OFFER if said.purpose is Purpose.OFFER else _ANSWERS[said.asks])

    def _look_at_the_clock(self) -> None:
        """Nobody stays on a silent line for ever."""
        if self._world.over:
            return
        quiet_ms = self._world.now_ms - self._heard_last_ms
        if self._voice.audible:
            self._heard_last_ms = self._world.now_ms
        elif quiet_ms > self._temper.patience_ms and not self._mouth.busy:
            self._world.close("caller hung up")
            return
        self._world.after(2_000, self._look_at_the_clock)

    def _leave(self) -> None:
        if self._chance.random() < 0.5:
            self._later(self._temper.reply_ms, self._chance.choice(_FAREWELLS))
            self._world.after(6_000, lambda: self._world.close("caller hung up"))
        else:
            self._world.after(self._temper.reply_ms, lambda: self._world.close("caller hung up"))

    # --- acts -------------------------------------------------------------------------------------------------------

    def _later(self, delay_ms: int, line: str) -> None:
        """Say this line in a while, unless another intention or another matter comes in between."""
        self._plan += 1
        plan = self._plan
        parts = pieces(line) if line else []
        self._world.after(delay_ms, lambda: self._begin(plan, parts))

    def _begin(self, plan: int, parts: list[Piece]) -> None:
        if plan == self._plan and not self._mouth.busy and not self._world.over:
            self._turns += 1
            self._say(plan, parts)

    def _say(self, plan: int, parts: list[Piece]) -> None:
        """One talkspurt, then the pause, then the rest, unless the agent has taken the floor meanwhile."""
        if self._world.over or plan != self._plan or self._mouth.busy or not parts:
            return
        lasts_ms = self._mouth.speak(parts[0].text, parts[0].meant)
        if len(parts) > 1:
            pause_ms = round(self._temper.pause_ms * self._chance.uniform(0.6, 1.6))
            self._world.after(lasts_ms + pause_ms, lambda: self._go_on(plan, parts[1:]))

    def _go_on(self, plan: int, parts: list[Piece]) -> None:
        if not self._voice.audible or self._chance.random() < self._temper.talks_on:
            self._say(plan, parts)

    def _murmur(self) -> None:
        current = self._world.state.speech.current
        if current is None or not self._voice.audible or self._mouth.busy:
            return
        word = self._chance.choice(_MURMURS)
        agrees = current.purpose is Purpose.CONFIRMATION and word in _AGREEING_MURMURS
        self._mouth.speak(word, Meant.YES if agrees else Meant.TOKEN)

    def _press_keys(self) -> None:
        now_ms, keys = self._world.now_ms, self._chance.choice(("1", "42#", "5551"))
        meant = Meant.YES if keys == "1" else Meant.VALUE
        self._world.uttered.append(Uttered(keys, meant, now_ms, now_ms + (len(keys) - 1) * KEY_GAP_MS, keys=True))
        for place, digit in enumerate(keys):
            self._world.after(place * KEY_GAP_MS, lambda digit=digit: self._press(digit))  # type: ignore[misc]

    def _press(self, digit: str) -> None:
        if not self._world.over:
            self._world.feed(ev.DigitPressed(self._world.now_ms, digit))

    def _noise_later(self) -> None:
        gap_ms = round(60_000 / self._temper.noises_per_min * self._chance.expovariate(1.0))
        self._world.after(min(gap_ms, 60_000), self._noise)

    def _noise(self) -> None:
        if self._world.over:
            return
        if not self._mouth.busy:
            self._mouth.make_noise(self._chance.choice((40, 90, 150, 300, 700)))
        self._noise_later()


class Machine:
    """A voicemail box: a greeting, a beep, then it records until it has had enough."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._mouth = Mouth(world, words_per_s=2.8)
        world.watch.append(self._listen)

    def _listen(self, world: World, record: Record) -> None:
        if isinstance(record.event, ev.LineAnswered):
            world.after(world.chance.randint(200, 1_200), self._greet)

    def _greet(self) -> None:
        world = self._world
        greeting = "you have reached the mailbox of sam jones please leave a message after the tone"
        lasts_ms = self._mouth.speak(greeting)
        world.after(lasts_ms + world.chance.randint(300, 900), self._beep)
        world.after(lasts_ms + world.chance.randint(15_000, 30_000), lambda: world.close("mailbox full"))

    def _beep(self) -> None:
        world = self._world
        if not world.over:
            lasts_ms = world.chance.randint(200, 500)
            world.feed(ev.ToneHeard(world.now_ms, world.now_ms - lasts_ms, lasts_ms, 1_000.0, 0.97, 1))
