"""A rollout: from one version of a policy to the next, step by step, and back by itself when a guard says so.

A stage is left by a row of MOVES alone. A call's arm follows from its id: the same call has the same arm, and a call
that is in at one share is in at every larger one. What is counted comes in as marks on calls of either arm; guards
compare them by tests that may be looked at after every call (`sequential.py`). Nothing is carried out here:
`cluster/rollouts.py` gives calls their versions, fetches the counts, and does what a stage asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..core.errors import IllegalMove
from ..core.policy import Level
from ..core.units import Section
from ..gate.autonomy import version_at
from . import sequential

HISTORY_MAX = 100
STEPS_MAX = 20

# What may be counted of a call, once each: mark -> what it says.
MARKS: Mapping[str, str] = {
    "failed": "an agent raised, hung or was lost",
    "late": "agents had not answered by the deadline of a round",
    "denied": "over half of what was proposed was denied",
    "slow": "the call reacted to its caller too late",
    "hung_up": "the caller hung up before the call had come to anything",
    "lost": "the call ended because a process died or the core failed",
}
SHADOW_MARKS: Mapping[str, str] = {
    "faulted": "the candidate raised, in shadow",
    "diverged": "the caller would have noticed a difference, in shadow",
}


class Stage(StrEnum):
    """Where a rollout stands."""

    PUBLISHED = "published"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    PAUSED = "paused"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"


# (stage, word) -> the next stage; None = the one that was paused. What is not here cannot be done.
MOVES: Mapping[tuple[Stage, str], Stage | None] = {
    (Stage.PUBLISHED, "shadow"): Stage.SHADOW,
    (Stage.PUBLISHED, "canary"): Stage.CANARY,
    (Stage.PUBLISHED, "promote"): Stage.LIVE,
    (Stage.SHADOW, "canary"): Stage.CANARY,
    (Stage.SHADOW, "promote"): Stage.LIVE,
    (Stage.SHADOW, "pause"): Stage.PAUSED,
    (Stage.SHADOW, "abort"): Stage.ABORTED,
    (Stage.SHADOW, "alarm"): Stage.ROLLED_BACK,
    (Stage.CANARY, "widen"): Stage.CANARY,
    (Stage.CANARY, "promote"): Stage.LIVE,
    (Stage.CANARY, "pause"): Stage.PAUSED,
    (Stage.CANARY, "abort"): Stage.ABORTED,
    (Stage.CANARY, "alarm"): Stage.ROLLED_BACK,
    (Stage.PAUSED, "resume"): None,
    (Stage.PAUSED, "promote"): Stage.LIVE,
    (Stage.PAUSED, "abort"): Stage.ABORTED,
    (Stage.PAUSED, "alarm"): Stage.ROLLED_BACK,
    (Stage.LIVE, "abort"): Stage.ROLLED_BACK,
}
UNDER_WAY = frozenset({Stage.PUBLISHED, Stage.SHADOW, Stage.CANARY, Stage.PAUSED})
BACK = frozenset({Stage.ROLLED_BACK, Stage.ABORTED})
WORDS = ("pause", "resume", "promote", "abort")  # an operator's


class Guard(Section):
    """When the candidate does worse in one respect: than the baseline (`ratio_max`) or than a limit (`limit_share`)."""

    mark: str
    ratio_max: float = Field(1.0, ge=1, le=100)  # how much more often than the baseline it may be marked
    limit_share: float | None = Field(None, gt=0, lt=1)  # of calls; instead of the comparison

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mark not in MARKS and self.mark not in SHADOW_MARKS:
            raise ValueError(f"mark {self.mark!r}; allowed: {', '.join((*MARKS, *SHADOW_MARKS))}")
        if self.mark in SHADOW_MARKS and self.limit_share is None:
            raise ValueError(f"mark {self.mark!r} has no baseline to be compared with; give it a limit, such as 20 %")
        return self


# What a candidate may change on purpose (what it denies, how long people listen) may be half as frequent again.
GUARDS = (
    Guard(mark="lost"),
    Guard(mark="failed"),
    Guard(mark="late"),
    Guard(mark="slow", ratio_max=1.5),
    Guard(mark="denied", ratio_max=1.5),
    Guard(mark="hung_up", ratio_max=1.5),
    Guard(mark="faulted", limit_share=0.01),
)


class Step(Section):
    """A share of new calls, and how much the candidate may do in them."""

    share: float = Field(gt=0, lt=1)
    autonomy: Level = "act"


class Swap(Section):
    """Running calls go over too."""

    deadline_ms: int = Field(10_000, ge=0, le=3_600_000)
    at_deadline: Literal["force", "keep"] = "keep"


class Plan(Section):
    """What an operator asked for. Without `promote` the last step lasts until one says so."""

    shadow: bool = False
    shadow_calls_min: int = Field(20, ge=1, le=1_000_000)
    shadow_share: float = Field(1.0, gt=0, le=1)  # of live calls
    steps: tuple[Step, ...] = Field((), max_length=STEPS_MAX)
    promote: bool = False
    autonomy: Level = "act"  # once it is live
    calls_min: int = Field(30, ge=1, le=1_000_000)  # of the candidate, over, before a step is left
    step_ms: int = Field(60_000, ge=0, le=604_800_000)  # a step lasts so long at least
    guards: tuple[Guard, ...] = Field(GUARDS, max_length=20)
    alpha_share: float = Field(0.01, gt=0, le=0.5)  # of rollouts of good candidates that may be rolled back
    live: Swap | None = None
    direction: Literal["", "inbound", "outbound"] = ""  # "" = both
    numbers: str = Field("", max_length=64)  # the remote party's, as a pattern: +49*; "" = all

    @model_validator(mode="after")
    def _widens(self) -> Self:
        shares = [step.share for step in self.steps]
        if shares != sorted(set(shares)):
            raise ValueError(f"shares {', '.join(f'{share:.4g}' for share in shares)} do not grow from step to step")
        return self


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChangeFeed(_Fact):
    """What was counted in one step. Pairs are (baseline, candidate)."""

    step: int
    share: float
    calls: tuple[int, int] = (0, 0)
    ended: tuple[int, int] = (0, 0)
    marks: dict[str, tuple[int, int]] = {}


class ShadowTally(_Fact):
    """What shadows have found so far, in calls that they have left."""

    calls: int = 0
    diverged: int = 0
    faulted: int = 0


class Note(_Fact):
    """One move."""

    at_unix_ms: int
    stage: Stage
    step: int
    why: str


class Rollout(_Fact):
    """One rollout, whole."""

    policy: str
    number: int  # of this policy's rollouts
    baseline: str
    candidate: str
    plan: Plan
    stage: Stage = Stage.PUBLISHED
    step: int = -1  # of the plan's; -1 = none yet
    before: Stage | None = None  # the stage that is paused
    since_unix_ms: int = 0
    tallies: tuple[ChangeFeed, ...] = ()
    shadowed: ShadowTally = ShadowTally()
    history: tuple[Note, ...] = ()
    reason: str = ""  # why it went back

    @property
    def name(self) -> str:
        """The rollout's own: front-desk-3."""
        return f"{self.policy}-{self.number}"

    @property
    def under_way(self) -> bool:
        """It has not come to an end."""
        return self.stage in UNDER_WAY

    @property
    def present(self) -> Step | None:
        """The step that new calls are drawn by."""
        return self.plan.steps[self.step] if self.stage is Stage.CANARY and self.step >= 0 else None

    def version_of(self, step: int) -> str:
        """The candidate as it leads calls in a step; behind the last one, once it is live."""
        level = self.plan.steps[step].autonomy if 0 <= step < len(self.plan.steps) else self.plan.autonomy
        return version_at(self.candidate, level)

    def versions(self) -> tuple[str, ...]:
        """Every name under which the candidate may lead calls."""
        return tuple(dict.fromkeys(self.version_of(step) for step in range(len(self.plan.steps) + 1)))


# --- moves ------------------------------------------------------------------------------------------------------------


def moved(rollout: Rollout, word: str, now_unix_ms: int, why: str) -> Rollout:
    """The rollout after a word.

    Raises:
        IllegalMove: its stage does not know the word.
    """
    if (rollout.stage, word) not in MOVES:
        known = [each for stage, each in MOVES if stage is rollout.stage and each in WORDS]
        can = f"; it can: {', '.join(known)}" if known else ""
        raise IllegalMove(f"rollout {rollout.name} is {rollout.stage}: it cannot {word}{can}")
    stage = MOVES[rollout.stage, word] or rollout.before or Stage.CANARY
    step, tallies = rollout.step, rollout.tallies
    if word in ("canary", "widen"):
        step += 1
        tallies = (*tallies, ChangeFeed(step=step, share=rollout.plan.steps[step].share))
    return rollout.model_copy(
        update={
            "stage": stage,
            "step": step,
            "tallies": tallies,
            "before": rollout.stage if word == "pause" else None,
            "since_unix_ms": now_unix_ms,
            "reason": why if stage in BACK else rollout.reason,
            "history": (*rollout.history, Note(at_unix_ms=now_unix_ms, stage=stage, step=step, why=why))[-HISTORY_MAX:],
        }
    )


def begun(rollout: Rollout, now_unix_ms: int, why: str = "started") -> Rollout:
    """Its first move: into shadow, into the first step, or live at once."""
    plan = rollout.plan
    word = "shadow" if plan.shadow else "canary" if plan.steps else "promote"
    return moved(rollout, word, now_unix_ms, why)


def ticked(rollout: Rollout, now_unix_ms: int) -> Rollout:
    """Go back where a guard says so, or on where the stage has seen enough; else as it was."""
    if not rollout.under_way:
        return rollout
    why = alarm(rollout)
    if why:
        return moved(rollout, "alarm", now_unix_ms, why)
    if rollout.stage is Stage.SHADOW and rollout.shadowed.calls >= rollout.plan.shadow_calls_min:
        why = f"{rollout.shadowed.calls} calls shadowed, {rollout.shadowed.diverged} diverged"
        if rollout.plan.steps:
            return moved(rollout, "canary", now_unix_ms, why)
        return moved(rollout, "promote", now_unix_ms, why) if rollout.plan.promote else rollout
    if rollout.stage is Stage.CANARY:
        tally = rollout.tallies[-1]
        if tally.ended[1] < rollout.plan.calls_min or now_unix_ms - rollout.since_unix_ms < rollout.plan.step_ms:
            return rollout
        why = f"{tally.ended[1]} calls at {tally.share:.4g} of all, no guard objects"
        if rollout.step + 1 < len(rollout.plan.steps):
            return moved(rollout, "widen", now_unix_ms, why)
        return moved(rollout, "promote", now_unix_ms, why) if rollout.plan.promote else rollout
    return rollout


# --- arms -------------------------------------------------------------------------------------------------------------


def place_of(rollout: Rollout, call: str) -> float:
    """Where a call falls in 0..1 for this rollout: stable over processes, machines and steps."""
    digest = hashlib.sha256(f"{rollout.name}/{rollout.candidate}/{call}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def concerned(rollout: Rollout, direction: str, number: str) -> bool:
    """Whether a call is one of those that the rollout is for; `number` is the remote party's."""
    plan = rollout.plan
    if plan.direction and direction != plan.direction:
        return False
    return not plan.numbers or fnmatchcase(number, plan.numbers)


def arm_of(rollout: Rollout, call: str, direction: str, number: str) -> int | None:
    """1 = the candidate leads this new call, 0 = the baseline does and is compared; None = it is not in the rollout."""
    step = rollout.present
    if step is None or not concerned(rollout, direction, number):
        return None
    return int(place_of(rollout, call) < step.share)


# --- counting and guarding --------------------------------------------------------------------------------------------


def counted(rollout: Rollout, step: int, arm: int, calls: int, ended: int, marks: Mapping[str, int]) -> Rollout:
    """With so many more calls, ended calls and marked calls of one arm, all assigned in `step`."""

    def more(pair: tuple[int, int], by: int) -> tuple[int, int]:
        return (pair[0] + by, pair[1]) if arm == 0 else (pair[0], pair[1] + by)

    def added(tally: ChangeFeed) -> ChangeFeed:
        if tally.step != step:
            return tally
        pairs = {name: tally.marks.get(name, (0, 0)) for name in MARKS if name in marks or name in tally.marks}
        after = {name: more(pair, marks.get(name, 0)) for name, pair in pairs.items()}
        changed = {"calls": more(tally.calls, calls), "ended": more(tally.ended, ended), "marks": after}
        return tally.model_copy(update=changed)

    return rollout.model_copy(update={"tallies": tuple(map(added, rollout.tallies))})


def shadowed(rollout: Rollout, calls: int, marks: Mapping[str, int]) -> Rollout:
    """With so many more calls that shadows have left, and how many of them were marked."""
    told = rollout.shadowed
    return rollout.model_copy(
        update={
            "shadowed": ShadowTally(
                calls=told.calls + calls,
                diverged=told.diverged + marks.get("diverged", 0),
                faulted=told.faulted + marks.get("faulted", 0),
            )
        }
    )


def needed(plan: Plan) -> float:
    """The log e-value at which a guard rolls back. The permitted false alarms are shared out among the guards
    (Bonferroni), so `alpha_share` holds for all together."""
    return sequential.needed(plan.alpha_share / max(1, len(plan.guards)))


def evidence(rollout: Rollout, guard: Guard) -> float:
    """The log e-value of one guard, over all steps so far."""
    if guard.mark in SHADOW_MARKS:
        assert guard.limit_share is not None
        return sequential.excess(getattr(rollout.shadowed, guard.mark), rollout.shadowed.calls, guard.limit_share)
    marked = [(each.share, *each.marks.get(guard.mark, (0, 0))) for each in rollout.tallies]
    if guard.limit_share is None:
        return sequential.ratio([(share, candidate, base) for share, base, candidate in marked], guard.ratio_max)
    mine = sum(candidate for _, _, candidate in marked)
    ended = max(mine, sum(each.ended[1] for each in rollout.tallies))
    return sequential.excess(mine, ended, guard.limit_share)


def alarm(rollout: Rollout) -> str:
    """Why the rollout must go back, with the numbers; "" = no guard objects."""
    least = needed(rollout.plan)
    for guard in rollout.plan.guards:
        found = evidence(rollout, guard)
        if found >= least:
            return f"{guard.mark}: {_numbers(rollout, guard)}; evidence e^{found:.1f}, e^{least:.1f} rolls back"
    return ""


def _numbers(rollout: Rollout, guard: Guard) -> str:
    if guard.mark in SHADOW_MARKS:
        told = rollout.shadowed
        return (
            f"{getattr(told, guard.mark)} of {told.calls} calls, at most {guard.limit_share:.4g} of them allowed"
            f" ({SHADOW_MARKS[guard.mark]})"
        )
    both = [each.marks.get(guard.mark, (0, 0)) for each in rollout.tallies]
    base, mine = (sum(pair[arm] for pair in both) for arm in (0, 1))
    calls = [sum(each.calls[arm] for each in rollout.tallies) for arm in (0, 1)]
    than = f"{guard.limit_share:.4g} of them" if guard.limit_share is not None else f"{guard.ratio_max:.4g} times that"
    return (
        f"{mine} of {calls[1]} calls of the candidate, {base} of {calls[0]} of the baseline, at most {than} allowed"
        f" ({MARKS[guard.mark]})"
    )
