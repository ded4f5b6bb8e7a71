"""What must hold in a call's journal whatever was done to the system: every fact, decision and act is accounted for.

Each check is one function over the `Evidence` of one call; what it finds wrong is a `Violation`, what it has seen is
counted in an `Account`. Nothing is asked of anybody here. What the caller's side says is held against the journal in
`line_checks.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from offhook.actors.journals.journal import Kept, unexplained
from offhook.policies.conversation.machine import Decision
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.proposals import Answer
from offhook.policies.core.records import EVENT, End, Record
from offhook.policies.replay.replay import replay
from offhook.policies.simulation.violations import Violation

# Each of them may cut one act short between its begin and its answer; it is then begun again under its key.
NODE_FAULTS = frozenset({"supervisor_kill", "supervisor_stop", "both_kill", "node_kill", "raylet_kill"})


@dataclass(frozen=True, slots=True)
class Struck:
    """One fault as it was carried out. Times are ms of the run's own clock."""

    at_ms: int
    fault: str
    target: str
    call: str = ""  # whose process it was; "" = it concerns every call
    lasts_ms: int = 0
    missed: str = ""  # why there was nothing to strike; "" = it was carried out


@dataclass(slots=True)
class Evidence:
    """All that is known of one call afterwards.

    `records` is its journal, `line` the softphone's record (`CallRecord.plain`), `marks` those that the softphone was
    sent, `began_ms` when its stream opened, on the clock of `struck`. `acts` is what the tools' register has of the
    call: [action, key, how often it was begun]; `kept` is what the journal has noted of it. None = not known.
    """

    call: str
    records: list[Record]
    line: dict[str, Any]
    marks: Sequence[tuple[int, str]] = ()
    began_ms: int = 0
    struck: Sequence[Struck] = ()
    acts: Sequence[Sequence[Any]] | None = None
    kept: Kept | None = None

    def events(self, kind: type[ev.Event]) -> list[Any]:
        """The journal's events of one kind, decoded, in order."""
        return [record.event() for record in self.records if record.holds(kind)]

    @property
    def outcome(self) -> str:
        """How the journal says that it has ended; "" = it does not say."""
        ends = (record.told(End) for record in reversed(self.records))
        return next((end.outcome for end in ends if end is not None), "")

    def struck_by(self, faults: Iterable[str]) -> int:
        """How often one of these faults was carried out on what this call needs."""
        names = set(faults)
        return sum(s.fault in names and s.call in ("", self.call) and not s.missed for s in self.struck)


@dataclass(slots=True)
class Account:
    """How much was accounted for, and what became of it."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def wrong(self, check: str, at_ms: int, message: str) -> None:
        """Something that must never be."""
        self.violations.append(Violation(check, at_ms, message))


Check = Callable[[Evidence, Account], None]


def check_journal(evidence: Evidence) -> Account:
    """All checks of this file."""
    account = Account()
    if not evidence.records:
        account.wrong("every call has a journal", 0, "no record at all")
        return account
    for check in CHECKS:
        check(evidence, account)
    return account


def numbers(evidence: Evidence, account: Account) -> None:
    """Every record is there, but for those that compaction has dropped, and those of which a record says why not."""
    records, kept = evidence.records, evidence.kept
    account.counts["records"] += len(records)
    if kept is None:
        last = records[-1]
        kept = Kept(evidence.call, last.epoch, last.seq, 0, True)
    account.counts["records dropped by compaction"] += kept.dropped
    if missing := unexplained(records, kept):
        account.wrong("every record is there", records[-1].at_ms, f"{missing} of {kept.seq} records are missing")


def owners(evidence: Evidence, account: Account) -> None:
    """One owner at a time: epochs only rise, each new one is told of, and the call's clock never runs back."""
    records = evidence.records
    for one, two in pairwise(records):
        if two.epoch < one.epoch:
            account.wrong("one live epoch", two.at_ms, f"seq {two.seq} at epoch {two.epoch} after epoch {one.epoch}")
    moments = [record.at_ms for record in records if record.kind == EVENT]
    for before_ms, at_ms in pairwise(moments):
        if at_ms < before_ms:
            account.wrong("the call's clock never runs back", at_ms, f"an event at {at_ms} ms after {before_ms} ms")
    told = [event.epoch for event in evidence.events(ev.OwnerChanged)]
    if len(set(told)) != len(told):
        account.wrong("one live epoch", 0, f"an owner came twice: {told}")
    led = {record.epoch for record in records if record.kind == EVENT}
    for epoch in sorted(led - set(told) - {records[0].epoch}):
        account.wrong("one live epoch", 0, f"epoch {epoch} leads the call, and no event says since when")
    account.counts["takeovers"] += len(told)


def end(evidence: Evidence, account: Account) -> None:
    """A call has one end, and it is its last record."""
    ends, last = [record for record in evidence.records if record.kind == End.KIND], evidence.records[-1]
    if len(ends) != 1 or last.kind != End.KIND:
        message = f"{len(ends)} ends; the last record is {last.kind!r}, seq {last.seq}"
        account.wrong("every call ends once", last.at_ms, message)
    elif not evidence.outcome:
        account.wrong("every call ends once", last.at_ms, "without an outcome")
    else:
        account.counts[f"outcome {evidence.outcome[:40]}"] += 1


def decisions(evidence: Evidence, account: Account) -> None:
    """Replay decides the same over all owners; grants end once, nothing goes without one; final words stand."""
    watch = _Followed(account)
    try:
        found = replay(evidence.records, watch=watch)
    except OffhookError as fault:
        account.wrong("replay gives the same decisions", 0, str(fault))
        return
    if found.divergence is not None:
        account.wrong("replay gives the same decisions", found.divergence.at_ms, str(found.divergence))
    account.counts["events"] += found.events
    account.counts["decisions"] += found.commands
    account.counts["verdicts"] += len(found.verdicts)
    account.counts["grants that ended with the call"] += len(watch.live)


class _Followed:
    """Follows every grant of one call from the verdict to its end, and every segment of the caller's words."""

    def __init__(self, account: Account) -> None:
        self.live: set[str] = set()
        self._account = account
        self._over: set[str] = set()
        self._granted: set[str] = set()  # verdicts
        self._final: set[int] = set()  # segments

    def __call__(self, event: ev.Event, decision: Decision) -> None:
        self._grants(event, decision)
        for segment in decision.state.hearing.segments:
            if segment.final and segment.id not in self._final:
                self._final.add(segment.id)
                self._account.counts["final words"] += 1
            elif not segment.final and segment.id in self._final:
                self._account.wrong("final words stand", event.at_ms, f"segment {segment.id} is partial again")

    def _grants(self, event: ev.Event, decision: Decision) -> None:
        for command in decision.commands:
            if isinstance(command, cmd.RecordVerdict) and command.verdict.answer is Answer.GRANT:
                self._granted.add(command.verdict.id)
        grants = {grant.id: grant for grant in decision.state.authority.grants}
        for command in decision.commands:
            if isinstance(command, (cmd.Say, cmd.Perform, cmd.TransferCall)):
                grant = grants.get(command.grant)
                if grant is None or grant.verdict not in self._granted:
                    what = type(command).__name__
                    self._account.wrong("nothing without a grant", event.at_ms, f"{what} under {command.grant}")
        for grant_id in grants.keys() & self._over:
            self._account.wrong("every grant ends once", event.at_ms, f"{grant_id} is live again after its end")
        ended = self.live - grants.keys()
        self._account.counts["grants"] += len(grants.keys() - self.live)
        self._account.counts["grants that ended"] += len(ended)
        self._over |= ended
        self.live = set(grants)


def utterances(evidence: Evidence, account: Account) -> None:
    """Everything that the agent was told to say was heard, or cut, or is lost with a reason."""
    fate = _fates(evidence)
    ended = evidence.outcome
    for utterance, (at_ms, what) in fate.items():
        if what:
            account.counts[f"utterances {what}"] += 1
        elif ended:
            account.counts["utterances lost with the line"] += 1
        else:
            account.wrong("every utterance is accounted for", at_ms, f"{utterance} was to be said; then nothing")


def _fates(evidence: Evidence) -> dict[str, tuple[int, str]]:
    """Utterance -> when it was to be said, and what became of it ("" = the journal does not say)."""
    fate: dict[str, tuple[int, str]] = {}
    for record in evidence.records:
        for command in record.commands():
            if isinstance(command, cmd.Say):
                fate[command.utterance] = (record.at_ms, "")
            elif isinstance(command, cmd.CutSpeech) and command.utterance in fate:
                fate[command.utterance] = (fate[command.utterance][0], "cut")
        event = record.event() if record.holds(ev.PlaybackEnded, ev.PlaybackFailed) else None
        if isinstance(event, (ev.PlaybackEnded, ev.PlaybackFailed)) and event.utterance in fate:
            what = "heard to the end" if isinstance(event, ev.PlaybackEnded) else "failed, with the reason"
            fate[event.utterance] = (fate[event.utterance][0], what)
    return fate


def actions(evidence: Evidence, account: Account) -> None:
    """No action was under way twice under one key, none was begun without a reason, and each was answered once.

    A further grant after a failure is a retry, and has its key (`policies/gate/gate.py`,
    `actors/journals/register.py`): it may begin the act again.
    """
    orders: dict[str, cmd.Perform] = {}  # by grant
    latest: dict[str, str] = {}  # key -> the grant that has ordered it last
    failed: set[str] = set()  # grants
    answered: Counter[str] = Counter()  # grants
    for record in evidence.records:
        event = record.event() if record.holds(ev.ActionFinished) else None
        if isinstance(event, ev.ActionFinished):
            answered[event.grant] += 1
            if not event.ok:
                failed.add(event.grant)
        for command in record.commands():
            if isinstance(command, cmd.Perform):
                if command.grant in orders or (command.key in latest and latest[command.key] not in failed):
                    account.wrong("no act twice", record.at_ms, f"{command.action} is ordered twice: {command.key}")
                orders[command.grant] = command
                latest[command.key] = command.grant
    for grant, times in answered.items():
        if times > 1:
            account.wrong("no act twice", 0, f"grant {grant} was answered {times} times")
    account.counts["actions ordered"] += len(orders)
    account.counts["actions answered"] += len(orders.keys() & answered.keys())
    account.counts["actions tried again after a failure"] += len(orders) - len(latest)
    if evidence.acts is not None:
        _register(evidence, orders, account)
    else:
        account.counts["calls whose tools' register could not be asked"] += 1


def _register(evidence: Evidence, orders: Mapping[str, cmd.Perform], account: Account) -> None:
    """What the tools' register has against what was ordered: one begin for each grant, one more for each fault."""
    grants = Counter(order.key for order in orders.values())
    faults = evidence.struck_by(NODE_FAULTS)
    acts = evidence.acts or ()
    for action, key, tries in acts:
        account.counts["actions in the tools' register"] += 1
        if key not in grants:
            account.wrong("no act without an order", 0, f"the register has {action}, key {key}: nobody ordered it")
        elif tries > grants[key] + faults:
            why = f"begun {tries} times for {grants[key]} grants, and {faults} faults could cut one short"
            account.wrong("no act twice", 0, f"{action} was {why}: {key}")
    begun = {key for _action, key, _tries in acts}
    for finished in evidence.events(ev.ActionFinished):
        order = orders.get(finished.grant)
        if finished.ok and order is not None and order.key not in begun:
            message = f"{order.key} is said to be done and is not there"
            account.wrong("every act is in the register", finished.at_ms, message)


CHECKS: tuple[Check, ...] = (numbers, owners, end, decisions, utterances, actions)
