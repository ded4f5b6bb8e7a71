"""Simulate calls: one seed, one call, the same every time; many seeds, one report.

    report = simulate(calls=5_000, seed=1)
    report.violations  ->  [] , or what must never be, each with the command that shows it again

Belongs here: putting a call together from its seed, the run, and the sums. Printing is the command line's matter.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..core import codec
from ..core import events as ev
from ..core.policy import Policy
from ..core.state import CallState, Line
from ..language.port.registry import LanguageFault
from . import absent
from . import faults as fault
from .absent import Absent, Waits
from .account import Account
from .caller import Caller, Machine, Temper
from .checkers import Checkers, replayed
from .consents import Consents
from .debt_watch import Debts
from .drawn import drawn_policy, stock_agents
from .faults import Faults
from .freshness import Freshness
from .operators import OPERATOR, Operator
from .outcomes import Outcomes
from .sequels import Sequels
from .swaps import swapping
from .tellings import Tellings
from .violations import Violation
from .voice import Voice
from .wilful import Wilful, wilful
from .world import Proposer, Raised, Record, World

HORIZON_MS = 300_000  # every simulated call's own limits end it long before
ENDING_MS = 120_000  # after a call's own limit, where a policy that is tried has a longer one
PROMISES = (
    Freshness,
    Sequels,
    Consents,
    Tellings,
    Outcomes,
    Debts,
)  # each watches one kind of promise by an account of its own
AGENTS = "agents raise nothing"
WILFUL = 0.6  # share of the callers who know what they want


@dataclass(frozen=True, slots=True)
class Played:
    """One simulated call, after its end."""

    seed: int
    outcome: str
    events: int
    lasted_ms: int
    violations: tuple[Violation, ...]
    raised: tuple[Raised, ...] = ()  # by agents; each is among the violations too
    records: tuple[Record, ...] = ()  # all that happened

    @property
    def repeat(self) -> str:
        """The command that plays this call again."""
        return f"offhook simulate --calls 1 --seed {self.seed}"


@dataclass(slots=True)
class Report:
    """Many simulated calls, summed up."""

    calls: int = 0
    events: int = 0
    lasted_ms: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[Played] = field(default_factory=list)

    def add(self, played: Played) -> None:
        self.calls += 1
        self.events += played.events
        self.lasted_ms += played.lasted_ms
        self.outcomes[played.outcome] += 1
        if played.violations:
            self.failures.append(played)

    def lines(self) -> list[str]:
        """What was found wrong, one line each, with the command that repeats it."""
        return [
            f"{found.checker}: {found.message} (at {found.at_ms} ms); again: {played.repeat}"
            for played in self.failures
            for found in played.violations
        ]


def simulate(
    *,
    calls: int,
    seed: int,
    fault_share: float = 1.0,
    policy: Policy | None = None,
    progress: Callable[[Played], None] | None = None,
) -> Report:
    """Play `calls` calls from the seeds `seed`, `seed` + 1, ...; the policy of each is drawn unless one is given."""
    report = Report()
    for number in range(seed, seed + calls):
        played = play(number, fault_share=fault_share, policy=policy)
        report.add(played)
        if progress is not None:
            progress(played)
    return report


def play(
    seed: int,
    *,
    fault_share: float = 1.0,
    policy: Policy | None = None,
    agents: Mapping[str, Proposer] | None = None,
) -> Played:
    """Play one call. An exception out of `step` is a violation of its own: a well-formed world met no legal move."""
    world, checkers = assembled(seed, fault_share=fault_share, policy=policy, agents=agents)
    try:
        world.run(max(HORIZON_MS, world.policy.limits.call_ms + ENDING_MS))
        checkers.at_the_end(world)
        checkers.violations.extend(filter(None, (replayed(f"sim-{seed}", world.records),)))
    except Exception as error:  # whatever it is, the seed must be told
        checkers.violations.append(_raised(error, world.now_ms))
    checkers.violations.extend(
        Violation(AGENTS, each.at_ms, f"{each.agent}: {type(each.error).__name__}: {each.error}")
        for each in world.raised
    )
    found, raised, records = tuple(checkers.violations), tuple(world.raised), tuple(world.records)
    return Played(seed, world.state.outcome, len(records), world.now_ms, found, raised, records)


def _raised(error: Exception, now_ms: int) -> Violation:
    if isinstance(error, LanguageFault):
        return Violation("languages raise nothing", now_ms, f"{error}: {error.__cause__}")
    return Violation("step raises nothing", now_ms, f"{type(error).__name__}: {error}")


def assembled(
    seed: int,
    *,
    fault_share: float = 1.0,
    policy: Policy | None = None,
    agents: Mapping[str, Proposer] | None = None,
) -> tuple[World, Checkers]:
    """The world of one call, ready to run; `agents` = those of `policy` by name, where they are not of the stock."""
    chance = random.Random(seed)
    faults = Faults(chance, fault_share)
    led_by = policy or drawn_policy(chance)
    world = World(led_by, stock_agents(led_by) if agents is None else dict(agents), chance, faults)
    voice = Voice(world)
    checkers = Checkers(voice)
    account = Account(world)
    for watch in PROMISES:
        watch(account, checkers.reporter(world))
    world.watch.append(checkers.watch)
    world.after_step.append(checkers.after_commands)
    waits = Waits(checkers.violations)
    world.watch.append(waits.watch)
    if chance.random() < absent.SHARE:
        kind = chance.choice(sorted(absent.KINDS))
        temper = Temper.drawn(chance)
        Absent(world, kind, lambda: Caller(world, voice, temper).comes())
    elif led_by.answering.enabled and chance.random() < 0.5:
        Machine(world)
    elif chance.random() < WILFUL:
        Wilful(world, voice, wilful(chance))
    else:
        Caller(world, voice, Temper.drawn(chance))
    Operator(world)
    world.after(0, lambda: _begin(world, seed))
    return world, checkers


def _begin(world: World, seed: int) -> None:
    chance, faults = world.chance, world.faults
    direction = "outbound" if world.policy.answering.enabled else "inbound"
    world.feed(ev.CallCreated(world.now_ms, f"sim-{seed}", direction, "+15550100", "+15550199", "simulated"))
    if faults.hits(fault.NO_ANSWER):
        return
    for number, name in enumerate(world.agents):
        world.after(chance.randint(0, 40) * number, lambda name=name: _join(world, name))  # type: ignore[misc]
    answered_ms = chance.randint(100, 2_000)
    world.after(answered_ms, lambda: world.feed(ev.LineAnswered(world.now_ms)))
    _plan_faults(world, answered_ms)


def _join(world: World, name: str) -> None:
    world.feed(ev.AgentJoined(world.now_ms, name))


# --- faults of a whole call -----------------------------------------------------------------------------------------


def _plan_faults(world: World, answered_ms: int) -> None:
    chance, faults = world.chance, world.faults

    def some_time() -> int:
        return answered_ms + chance.randint(500, 20_000)

    if faults.hits(fault.TAKEOVER):
        world.after(some_time(), lambda: _take_over(world))
    if faults.hits(fault.LINE_BREAKS):
        world.after(some_time(), lambda: _break_line(world))
    if faults.hits(fault.PART_FAILS):
        part = chance.choice(("recognizer", "synthesizer", "journal"))
        world.after(2 * some_time(), lambda: _fail_part(world, part))
    if faults.hits(fault.POLICY_SWAP):
        world.after(some_time(), lambda: swapping(world, drawn_policy(world.chance)).begin())
    if faults.hits(fault.HANG_UP_BY_OPERATOR):
        world.after(some_time(), lambda: _unless_over(world, ev.HangupRequested(world.now_ms, OPERATOR, "test")))


def _unless_over(world: World, event: ev.Event) -> None:
    if not world.over:
        world.feed(event)


def _take_over(world: World) -> None:
    """Another process decodes the state and goes on; timers are armed anew from it."""
    if world.over:
        return
    decoded: CallState = codec.decode(codec.encode(world.state))
    if decoded != world.state:
        raise AssertionError("the state is not the same after encoding and decoding")
    world.state = decoded
    world.feed(ev.OwnerChanged(world.now_ms, world.state.epoch + 1))


def _break_line(world: World) -> None:
    if world.state.line is not Line.OPEN:
        return
    world.feed(ev.LineLost(world.now_ms, "socket closed"))
    if not world.faults.hits(fault.LINE_STAYS_AWAY):
        world.after(world.chance.randint(300, 6_000), lambda: _mend_line(world))


def _mend_line(world: World) -> None:
    if world.state.line is Line.LOST:
        world.feed(ev.LineResumed(world.now_ms))


def _fail_part(world: World, part: str) -> None:
    _unless_over(world, ev.HealthChanged(world.now_ms, part, False))
    world.after(
        world.chance.randint(1_000, 8_000), lambda: _unless_over(world, ev.HealthChanged(world.now_ms, part, True))
    )
