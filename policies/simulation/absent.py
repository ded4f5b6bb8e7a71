"""Lines on which nobody is, and the checker that none of them costs more than the policy says.

A far end that is silent on an open line, hold music, an announcement that comes again and again, a television, a menu;
sometimes a person comes after a while. They answer nothing that is said to them, and never hang up. What the call
learns of their sound is `mouth.py`'s matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ..core import events as ev
from ..core.commands import TransferCall
from ..core.policy import Policy
from ..core.state import Line
from .mouth import Mouth
from .violations import Violation
from .world import Record, World

SHARE = 0.06  # of the calls
COMES = 0.3  # of those: a person comes in the end
COMES_MS = (8_000, 40_000)
MEASURE_MS = 1_000  # of their sound, which goes on for minutes: what happens in it is not decided by the measure
SLACK_MS = 20_000  # lines that are said, words that are late, a line that is lost for a while

_ANNOUNCEMENTS = (
    "your call is important to us please stay on the line",
    "all of our agents are currently busy please hold the next available agent will be with you shortly",
    "welcome to the garden centre in the old town the shop is open until six today",  # no phrase gives it away
)
_MENUS = (
    "for sales press one for support press two to hear this again press star",
    "thank you for calling acme please listen carefully for billing press one or stay on the line",
)
_TELEVISION = (
    "and in other news the river has risen again after three days of rain in the north",
    "the minister said that nothing had been decided yet and that talks would go on until the end of the week",
    "so he turns around sees the ball and puts it into the corner what a goal and the crowd is on its feet",
    "tonight a cool wind from the west with some clouds over the coast",
    "ladies and gentlemen please welcome our next guest who has come all the way from the islands",
)
_LINES = {"announcement": _ANNOUNCEMENTS, "menu": _MENUS, "television": ("",), "music": ("",), "silent": ("",)}
_SUNG = ("", "", "you", "", "oh baby", "")


class Absent:
    """A far end without a person. `kind` is one of KINDS; `comes` is called once, when a person takes the line over."""

    def __init__(self, world: World, kind: str, comes: Callable[[], None]) -> None:
        self._world = world
        self._comes = comes
        self._mouth = Mouth(world, words_per_s=2.8, measure_ms=MEASURE_MS)
        self._kind = kind
        self._says = world.chance.choice(_LINES[kind])
        self._here = False
        world.watch.append(self._listen)

    def _listen(self, world: World, record: Record) -> None:
        if isinstance(record.event, ev.LineAnswered):
            world.nobody_since_ms = world.now_ms
            if world.chance.random() < COMES:
                world.after(world.chance.randint(*COMES_MS), self._person_comes)
            world.after(world.chance.randint(200, 2_000), self._next)
        elif isinstance(record.event, ev.HealthChanged) and record.event.part == "recognizer":
            self._mouth.recognized = record.event.up

    def _next(self) -> None:
        if not self._here and not self._world.over:
            self._world.after(KINDS[self._kind](self._mouth, self._world.chance, self._says), self._next)

    def _person_comes(self) -> None:
        """Once the present sound is over: a line has one speaker at a time."""
        self._here = True
        if self._mouth.busy:
            self._world.after(500, self._person_comes)
        elif not self._world.over:
            self._world.nobody_since_ms = -1
            self._comes()


# --- sounds: each makes one, and says after how many ms the next is due ---------------------------------------------


def _silent(_mouth: Mouth, _chance: random.Random, _says: str) -> int:
    return 60_000


def _music(mouth: Mouth, chance: random.Random, _says: str) -> int:
    lasts_ms = chance.choice((2_500, 6_000, 15_000))
    words = chance.choice(_SUNG)
    if words:
        mouth.speak(words, lasts_ms=lasts_ms)
    else:
        mouth.make_noise(lasts_ms)
    return lasts_ms + chance.randint(300, 900)


def _announcement(mouth: Mouth, _chance: random.Random, says: str) -> int:
    return mouth.speak(says) + 9_000


def _menu(mouth: Mouth, chance: random.Random, says: str) -> int:
    return mouth.speak(says) + chance.randint(2_000, 5_000)


def _television(mouth: Mouth, chance: random.Random, _says: str) -> int:
    return mouth.speak(chance.choice(_TELEVISION)) + chance.randint(250, 800)


KINDS: dict[str, Callable[[Mouth, random.Random, str], int]] = {
    "silent": _silent,
    "music": _music,
    "announcement": _announcement,
    "menu": _menu,
    "television": _television,
}


# --- the checker ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Waits:
    """No wait without an end: looked at after every step, from what happened and the policy's limits alone."""

    violations: list[Violation] = field(default_factory=list)
    _transfer_ms: int = -1  # when one was ordered that is neither answered nor given up
    _told: set[str] = field(default_factory=set)

    def watch(self, world: World, record: Record) -> None:
        if any(isinstance(command, TransferCall) for command in record.commands):
            self._transfer_ms = world.now_ms
        elif isinstance(record.event, ev.TimerFired) and record.event.timer == "limits.transfer":
            self._transfer_ms = -1
        if world.state.line is not Line.OPEN:
            return
        policy = world.policy
        if world.nobody_since_ms >= 0:
            self._within(world, world.nobody_since_ms, longest_ms(policy), "nobody is there")
        if self._transfer_ms >= 0:
            self._within(world, self._transfer_ms, policy.limits.transfer_ms + 1_000, "a transfer is not answered")

    def _within(self, world: World, since_ms: int, limit_ms: int, what: str) -> None:
        if world.now_ms - since_ms > limit_ms and what not in self._told:
            self._told.add(what)
            message = f"{what} for {world.now_ms - since_ms} ms, {limit_ms} ms at most"
            self.violations.append(Violation("no wait without an end", world.now_ms, message))


def longest_ms(policy: Policy) -> int:
    """How long the policy's limits let a call go on with nobody there, whatever is to be heard.

    A voice may be taken for a person's first and for a recording's later: these limits follow one another.
    """
    presence, ladder, machine = policy.presence, policy.silence, policy.answering
    recorded_ms = max(presence.hold_ms, presence.menu_ms) + presence.quiet_ms
    talk_ms = 2 * presence.talk_ms + presence.watch_ms + presence.check_ms
    ladder_ms = ladder.alone_ms + ladder.absent_after_ms + 4 * (ladder.rung_gap_ms + ladder.noise_ms)
    machine_ms = machine.total_analysis_time_ms + machine.beep_wait_ms + machine.message_ms if machine.enabled else 0
    return max(recorded_ms + talk_ms, ladder_ms, machine_ms) + policy.limits.grace_ms + SLACK_MS
