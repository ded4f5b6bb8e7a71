"""Callers with a will: they want a meeting, and then do what people do when it is read back to them.

They refuse, change their minds, put conditions, answer other questions, talk over the read-back before and after its
value was heard, take back in time and too late, go silent, press keys over notices and cough while a result is due.
How each of these is put into words is `wording.py`'s matter; what every caller does is `caller.py`'s.
"""

from __future__ import annotations

import random
from dataclasses import replace

from ..core.commands import Perform
from ..core.proposals import Asks, Purpose
from ..core.state import Utterance
from .caller import Caller, Temper
from .meaning import Meant
from .voice import WORD_MS, Voice
from .wording import line
from .world import Record, World

TAKES_BACK_OVER_IT = 0.35  # of announcements of an act: over it, or right after it
TAKES_BACK_LATE = 0.25  # of acts that were ordered: some time later, mostly too late
LATER_MS = (50, 2_500)
COUGHS = 0.3  # of acts that were ordered: while their result is due
LAST_WORD_MS = 900
OVER_A_READ_BACK = 0.3
OVER_A_TRANSFER = 0.7
KEYS_OVER_A_NOTICE = 0.6

# How a read-back is answered: what is drawn, and how often.
_TO_A_READ_BACK: tuple[tuple[int, tuple[Meant | tuple[Meant, str], ...]], ...] = (
    (40, (Meant.YES,)),
    (5, (Meant.YES, Meant.QUESTION)),
    (3, ((Meant.TOKEN, "filler"), Meant.YES)),
    (10, (Meant.CONDITION,)),
    (4, (Meant.YES, Meant.CONDITION)),
    (7, (Meant.YES, (Meant.NO, "take back"))),
    (6, (Meant.NO,)),
    (5, (Meant.WAIT,)),
    (8, (Meant.CHANGE,)),
    (3, (Meant.YES, Meant.CHANGE)),
    (7, (Meant.QUESTION,)),
    (4, (Meant.TALK,)),
    (5, ()),  # nothing
)
_OVER_A_READ_BACK: tuple[tuple[Meant | tuple[Meant, str], ...], ...] = (
    (Meant.YES,),
    ((Meant.YES, "short yes"),),
    (Meant.NO,),
    (Meant.CONDITION,),
    (Meant.CHANGE,),
    (Meant.QUESTION,),
)
_TO_A_TIME: tuple[tuple[int, tuple[Meant | tuple[Meant, str], ...]], ...] = (
    (14, (Meant.VALUE,)),
    (3, (Meant.VALUE, Meant.CHANGE)),  # "tuesday ... no, wednesday"
    (2, (Meant.QUESTION,)),
    (1, (Meant.TALK, Meant.VALUE)),
)

_TO_AN_OUTCOME: tuple[tuple[int, tuple[Meant | tuple[Meant, str], ...]], ...] = (
    (5, (Meant.NO,)),
    (2, (Meant.YES,)),
    (2, (Meant.QUESTION,)),
    (2, (Meant.WAIT, (Meant.NO, "take back"))),
)


def wilful(chance: random.Random) -> Temper:
    """The temper of somebody who has come to get something done."""
    drawn = Temper.drawn(chance)
    return replace(
        drawn,
        interrupts=min(drawn.interrupts, 0.1),
        murmurs=min(drawn.murmurs, 0.3),
        silent=min(drawn.silent, 0.1),
        turns_max=chance.choice((8, 12, 16)),
        patience_ms=chance.choice((20_000, 60_000)),
    )


class Wilful(Caller):
    """One person who wants a meeting, and knows their own mind at times."""

    def __init__(self, world: World, voice: Voice, temper: Temper) -> None:
        super().__init__(world, voice, temper)
        self._asks_for_a_person = world.chance.random() < 0.1
        self._comes_to_the_point = world.chance.random() < 0.5
        self._objects = world.chance.random() < 0.12
        self._gives_in = world.chance.random() < 0.8  # to an offer

    def _listen(self, world: World, record: Record) -> None:
        super()._listen(world, record)
        if any(isinstance(command, Perform) for command in record.commands):
            self._act_is_ordered()

    # --- what is said when the agent is done ------------------------------------------------------------------------

    def _reply(self, said: Utterance) -> str:
        chance = self._chance
        value = _value_in(said)
        if said.purpose is Purpose.CONFIRMATION:
            return line(chance, *_drawn(chance, _TO_A_READ_BACK), value=value)
        if self._objects and (said.purpose is Purpose.OFFER or (said.topic and chance.random() < 0.8)):
            return line(chance, (Meant.TALK, "objection"))
        if said.purpose is Purpose.GREETING and self._comes_to_the_point:
            return line(chance, (Meant.VALUE, "wish"))
        if said.purpose is Purpose.OFFER:
            if self._asks_for_a_person and chance.random() < 0.5:
                return "person: can I talk to a person"
            return line(chance, Meant.YES) if self._gives_in else super()._reply(said)
        if said.asks is Asks.TIME:
            return line(chance, *_drawn(chance, _TO_A_TIME))
        if said.asks is Asks.NOTHING:
            return line(chance, Meant.TOKEN) if chance.random() < 0.2 else ""
        if said.asks is Asks.YES_NO and said.about:
            return line(chance, *_drawn(chance, _TO_AN_OUTCOME))
        if said.slot == "undo":
            return line(chance, Meant.YES if chance.random() < 0.7 else Meant.NO)
        if said.asks is Asks.YES_NO:
            return line(chance, Meant.YES) if chance.random() < 0.85 else super()._reply(said)
        return super()._reply(said)

    # --- what is said over it ---------------------------------------------------------------------------------------

    def _agent_began(self, saying: Utterance) -> None:
        chance, left_ms = self._chance, self._voice.left_ms
        if saying.purpose is Purpose.CONFIRMATION and chance.random() < OVER_A_READ_BACK:
            self._over_a_read_back(saying)
        elif saying.purpose is Purpose.NOTICE and chance.random() < KEYS_OVER_A_NOTICE:
            self._world.after(chance.randint(200, max(201, left_ms - 200)), self._press_keys)
        elif _announces_a_transfer(saying) and chance.random() < OVER_A_TRANSFER:
            back = (Meant.NO, "take back")
            self._over(left_ms, chance.choice((Meant.TOKEN, Meant.TOKEN, back, Meant.WAIT)))
        elif _announces_an_act(saying) and chance.random() < TAKES_BACK_OVER_IT:
            if chance.random() < 0.5:
                self._over(left_ms + 1_500, (Meant.NO, "take back"))
            else:  # a word at its very end, to be read only when the act is due
                at_ms = max(200, left_ms - chance.randint(0, LAST_WORD_MS))
                self._later(at_ms, line(chance, (Meant.WAIT, "at once")))
        else:
            super()._agent_began(saying)

    def _over(self, within_ms: int, part: Meant | tuple[Meant, str]) -> None:
        self._later(self._chance.randint(200, max(300, within_ms)), line(self._chance, part))

    def _over_a_read_back(self, saying: Utterance) -> None:
        """Before the value was heard to its end, or after it."""
        chance = self._chance
        words = saying.text.split()
        value_ends_ms = WORD_MS * max((term.ends for term in saying.terms), default=len(words))
        if chance.random() < 0.5:
            at_ms = chance.randint(100, max(150, value_ends_ms - 100))
        else:
            at_ms = value_ends_ms + chance.randint(50, 500)
        self._later(at_ms, line(chance, *chance.choice(_OVER_A_READ_BACK), value=_value_in(saying)))

    def _act_is_ordered(self) -> None:
        chance = self._chance
        if chance.random() < TAKES_BACK_LATE:
            self._later(chance.randint(*LATER_MS), line(chance, (Meant.NO, "take back")))
        elif chance.random() < COUGHS:
            self._world.after(chance.randint(50, 2_600), self._cough)

    def _cough(self) -> None:
        if not self._world.over and not self._mouth.busy:
            self._mouth.make_noise(self._chance.choice((150, 300, 300, 500)))


def _drawn(
    chance: random.Random, table: tuple[tuple[int, tuple[Meant | tuple[Meant, str], ...]], ...]
) -> tuple[Meant | tuple[Meant, str], ...]:
    return chance.choices([row for _, row in table], [weight for weight, _ in table])[0]


def _value_in(said: Utterance) -> str:
    return next((term.value for term in said.terms), "")


def _announces_an_act(saying: Utterance) -> bool:
    return saying.asks is Asks.NOTHING and "booking" in saying.text


def _announces_a_transfer(saying: Utterance) -> bool:
    return saying.asks is Asks.NOTHING and ("put you through" in saying.text or "connect you" in saying.text)
