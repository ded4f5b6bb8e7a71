"""What differs between two ways of leading the same call: the kinds of difference, their rank, their times.

Plain values for reports and nothing that folds a call: that is `backtest.py`'s matter, and `actors/shadows/shadow.py`'s
on live calls; both speak of differences in these words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..core import commands as cmd
from ..core import events as ev
from ..core.effects import SPEECH, effect_key, effect_name, effect_words
from ..core.events import Event
from ..core.proposals import Kind, Verdict

# How much a difference matters to the people on the line; reports begin with the highest. What cannot be taken back
# comes first, then what ends the call, what was decided, what was said, and last how the floor changed hands.
RANK: Mapping[str, float] = {
    "fault": 1.0,  # the policy on trial raised: nothing else of it can be trusted
    "act_gained": 0.9,
    "act_lost": 0.85,
    "ending_gained": 0.8,
    "ending_lost": 0.75,
    "act_flipped": 0.7,  # a verdict on an act, whether or not it was carried out
    "speech_flipped": 0.5,  # a verdict on something to say
    "said_otherwise": 0.45,
    "said_gained": 0.4,
    "said_lost": 0.4,
    "floor": 0.3,  # held, cut or resumed where it was not before
}
ON_ITS_WAY_MS = 20_000  # from the verdict on an act until it leaves: what is told first is heard out, and journaled
TIMES = ("reply", "hold", "decide", "silence")  # see `Meter`

_LABEL = re.compile(r"[^a-z_]+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that came out otherwise. `before` and `after` are words for what was and what would be ("" = none).

    For a verdict, `rule` is the first that tells the two answers apart, with what it needed and what was, on the side
    where it failed. Keys that begin with `pii_` hold what was said.
    """

    kind: str
    at_ms: int
    what: str
    before: str
    after: str
    agent: str = ""
    rule: str = ""
    required: str = ""
    actual: str = ""
    pii_before: str = ""
    pii_after: str = ""

    @property
    def rank(self) -> float:
        return RANK[self.kind]

    def plain(self) -> dict[str, Any]:
        """For JSON: what is empty is left out."""
        return {
            name: value for name, value in asdict(self).items() if value not in ("",) or name in ("before", "after")
        }


def flipped(before: Verdict, after: Verdict) -> Difference | None:
    """The difference between two verdicts on the same thing; None where the answers agree."""
    if before.answer is after.answer:
        return None
    failed_before = {result.rule: result for result in before.rules if not result.ok}
    failed_after = {result.rule: result for result in after.rules if not result.ok}
    only = [result for rule, result in failed_after.items() if rule not in failed_before]
    only += [result for rule, result in failed_before.items() if rule not in failed_after]
    result = next(iter(only or (*failed_after.values(), *failed_before.values())), None)
    return Difference(
        kind="speech_flipped" if after.kind is Kind.SAY else "act_flipped",
        at_ms=after.at_ms,
        what=f"say:{after.what}" if after.kind is Kind.SAY else after.what,
        before=str(before.answer),
        after=str(after.answer),
        agent=after.agent,
        rule=result.rule if result is not None else "",
        required=result.required if result is not None else "",
        actual=result.actual if result is not None else "",
    )


def label(verdict: Verdict) -> tuple[str, ...]:
    """What makes two verdicts be about the same thing: who wanted what, at which kind of moment; not its number."""
    return (verdict.agent, str(verdict.kind), verdict.what, verdict.moment, wish(verdict.proposal))


def wish(proposal: str) -> str:
    """A proposal's id without the revision in it: "objection:41:price" and "objection:44:price" are the same wish."""
    return _LABEL.sub("#", proposal)


class Pairs:
    """Verdicts of two ways of leading a call, paired as they come, each with the nearest of the same label."""

    def __init__(self, before: Iterable[Verdict], within_ms: int) -> None:
        self._within_ms = within_ms
        self._waiting: dict[tuple[str, ...], list[Verdict]] = {}
        for verdict in before:
            self._waiting.setdefault(label(verdict), []).append(verdict)
        self.paired = 0

    def meet(self, verdict: Verdict) -> Difference | None:
        """The difference that a verdict of the policy on trial makes where it has a counterpart; None = none."""
        waiting = self._waiting.get(label(verdict), ())
        near = [each for each in waiting if abs(each.at_ms - verdict.at_ms) <= self._within_ms]
        if not near:
            return None
        before = min(near, key=lambda each: abs(each.at_ms - verdict.at_ms))
        self._waiting[label(verdict)].remove(before)
        self.paired += 1
        return flipped(before, verdict)


@dataclass(slots=True)
class Meter:
    """The times of one way of leading a call, all in ms, from its events and effects.

    reply: end of the caller's speech -> the agent is heard. hold: onset -> hold. decide: onset of an overlap -> cut or
    resume. silence: nobody is heard, from the end of the agent's speech to the next sound of either.
    """

    times: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in TIMES})
    _caller_ended_ms: int = 0
    _quiet_since_ms: int = 0
    _onset_ms: int = 0

    def see(self, event: Event, effects: Iterable[Any]) -> None:
        """One event and the commands that followed it; others than effects change nothing."""
        at_ms = event.at_ms
        if isinstance(event, ev.SpeechStarted):
            self._onset_ms = event.onset_ms
            self._sound(event.onset_ms)
        elif isinstance(event, ev.SpeechEnded):
            self._caller_ended_ms = event.ended_ms
        elif isinstance(event, ev.PlaybackStarted):
            self._sound(at_ms)
            if self._caller_ended_ms:
                self.times["reply"].append(at_ms - self._caller_ended_ms)
                self._caller_ended_ms = 0
        elif isinstance(event, ev.PlaybackEnded):
            self._quiet_since_ms = at_ms
        for command in effects:
            if isinstance(command, cmd.HoldSpeech) and isinstance(event, ev.SpeechStarted):
                self.times["hold"].append(at_ms - event.onset_ms)
            elif isinstance(command, (cmd.CutSpeech, cmd.ResumeSpeech)) and self._onset_ms:
                self.times["decide"].append(at_ms - self._onset_ms)
                self._onset_ms = 0

    def _sound(self, at_ms: int) -> None:
        if self._quiet_since_ms:
            self.times["silence"].append(max(0, at_ms - self._quiet_since_ms))
            self._quiet_since_ms = 0


def quantile(values: list[int], share: float) -> int:
    """The value below which `share` of them lie (nearest rank); 0 where there are none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compared(missing: list[tuple[int, Any]], extra: list[tuple[int, Any, str]]) -> list[Difference]:
    """Effects that were lost (at_ms, command) and gained (at_ms, command, its utterance's name on the other side), as
    differences; one that took the other's place makes a single one."""
    found: list[Difference] = []
    lost = list(missing)
    for at_ms, command, twin in extra:
        instead = next((each for each in lost if _instead(each[1], command, twin)), None)
        if instead is not None:
            lost.remove(instead)
        found.append(_difference(instead, (at_ms, command)))
    found += [_difference(each, None) for each in lost]
    return found


def explained(found: Iterable[Difference]) -> list[Difference]:
    """In order of time; an act that was lost or gained gets the rule of the verdict before it."""
    flips: dict[str, Difference] = {}
    told = []
    for each in sorted(found, key=lambda each: (each.at_ms, each.kind != "act_flipped")):
        flip = flips.get(each.what)
        if each.kind == "act_flipped":
            flips[each.what] = each
        elif each.kind in ("act_lost", "act_gained") and flip is not None and each.at_ms - flip.at_ms <= ON_ITS_WAY_MS:
            each = replace(each, rule=flip.rule, required=flip.required, actual=flip.actual)
        told.append(each)
    return told


def _instead(before: Any, after: Any, twin: str) -> bool:
    """The one was done in place of the other."""
    if isinstance(after, cmd.Say):
        return isinstance(before, cmd.Say)
    if isinstance(after, SPEECH):
        return isinstance(before, SPEECH) and not isinstance(before, cmd.Say) and before.utterance == twin
    return type(before) is type(after)


def _difference(before: tuple[int, Any] | None, after: tuple[int, Any] | None) -> Difference:
    sides = [each for each in (before, after) if each is not None]
    at_ms, one = min(each[0] for each in sides), sides[-1][1]
    old, new = (effect_words(each[1]) if each is not None else "" for each in (before, after))
    if before is not None and after is not None and effect_key(before[1], "") == effect_key(after[1], ""):
        apart_ms = after[0] - before[0]
        new = f"{new}, {abs(apart_ms)} ms {'later' if apart_ms > 0 else 'earlier'}"
    if isinstance(one, cmd.Say):
        kind = "said_otherwise" if before and after else "said_gained" if after else "said_lost"
        texts = [each[1].text if each is not None else "" for each in (before, after)]
        return Difference(kind, at_ms, f"say:{one.purpose}", old, new, pii_before=texts[0], pii_after=texts[1])
    if isinstance(one, SPEECH):
        return Difference("floor", at_ms, "overlap", old, new)
    if before is not None and after is not None:
        return Difference("ending_gained", at_ms, effect_name(one), old, new)
    family = "act" if isinstance(one, cmd.Perform) else "ending"
    return Difference(f"{family}_{'gained' if after else 'lost'}", at_ms, effect_name(one), old, new)
