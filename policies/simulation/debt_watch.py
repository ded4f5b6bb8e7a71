"""Checked from outside: nothing owed is lost.

What came of an act, a timer that fired, keys pressed over words, words that were read only when the agent had begun to
answer, a sentence cut off by noise, an operator's no: each is owed something. It is paid by what is said of it, by a
round on it, or by a verdict that writes it off, within the policy's `gate.owed_ms` of a free floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core import events as ev
from ..core.commands import ArmTimer, CutSpeech, DisarmTimer, InviteAgents, Publish, RecordVerdict, Say
from ..core.proposals import Kind, Moment, Purpose
from .account import Account, Said
from .meaning import Meant
from .outcomes import claim_in
from .violations import Report

DEBT = "no debt unpaid"

SLACK_MS = 5_000  # a turn's patience and its unread words, a round, and a sentence: the floor is free in all of these
_MOST = 0.6  # of words in which no value is named
_ROUND = "round."
_FILLS_TIME = frozenset({Purpose.REASSURANCE, Purpose.NOTICE})  # said by the clock, in answer to nothing
_ANSWERS_NOTHING = frozenset({Meant.TOKEN, Meant.NOISE})


@dataclass(slots=True)
class _Owed:
    """One thing that the caller is owed."""

    kind: str
    what: str
    since_ms: int
    free_ms: int  # the account's, when it was due
    told: Callable[[Said], bool] | None = None  # which words pay it, once heard; None = a round or any answer does
    complained: bool = False


class Debts:
    """Watches what one call owes its caller."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        self._owed: list[_Owed] = []
        self._withdrawn_ms = -1  # when an act was last taken back
        self._deadlines: dict[str, int] = {}  # of timers that are armed
        account.on(ev.ActionFinished, self._finished)
        account.on(ev.TimerFired, self._timer)
        account.on(ev.DigitPressed, self._key)
        account.on(ev.WordsHeard, self._words)
        account.on(ev.PolicyChanged, self._other_policy)
        account.on(ev.LineClosed, self._over)
        account.on(CutSpeech, self._cut)
        account.on(Publish, self._published)
        account.on(RecordVerdict, self._judged)
        account.on(InviteAgents, self._asked)
        account.on(Say, self._say)
        account.on(ev.PlaybackStopped, self._heard)
        account.on(ev.PlaybackEnded, self._heard)
        account.on(ArmTimer, self._armed)
        account.on(DisarmTimer, self._disarmed)
        account.after(self._look)

    # --- what is owed -----------------------------------------------------------------------------------------------

    def _owe(self, kind: str, what: str, told: Callable[[Said], bool] | None = None) -> None:
        account = self._account
        self._owed.append(_Owed(kind, what, account.now_ms, account.free_ms, told))

    def _finished(self, event: ev.ActionFinished) -> None:
        act = self._account.acts.get(event.grant)
        if act is None or act.over_ms != event.at_ms or self._account.ending:
            return
        if act.ordered_ms < 0 and self._withdrawn_ms >= act.awaited_ms:
            return  # it was taken back before it had left, and that is what is owed
        self._owe("result", event.grant, self._a_claim() if act.irreversible else None)

    def _a_claim(self, *, or_another: bool = False) -> Callable[[Said], bool]:
        """Words, said from now on, that tell what came of an act (or that ask about another, where it was changed)."""
        policy, since_ms = self._account.world.policy, self._account.now_ms

        def told(said: Said) -> bool:
            asks = or_another and said.command.purpose is Purpose.CONFIRMATION
            return said.asked_ms >= since_ms and (asks or claim_in(said.text, policy) is not None)

        return told

    def _armed(self, command: ArmTimer) -> None:
        self._deadlines[command.timer] = command.deadline_ms

    def _disarmed(self, command: DisarmTimer) -> None:
        self._deadlines.pop(command.timer, None)

    def _timer(self, event: ev.TimerFired) -> None:
        """A round that was asked for, unless it was called off or put off since."""
        if event.timer.startswith(_ROUND) and self._deadlines.get(event.timer) == event.deadline_ms:
            del self._deadlines[event.timer]
            self._owe("timer", event.timer.removeprefix(_ROUND))

    def _key(self, _event: ev.DigitPressed) -> None:
        """A key pressed over words, whoever says them, is answered after them."""
        account = self._account
        if account.open and not account.ending and not account.quiet:
            self._owed = [owed for owed in self._owed if owed.kind != "key"]  # a further key: the entry goes on
            self._owe("key", "")

    def _words(self, event: ev.WordsHeard) -> None:
        """Words of a talkspurt that was over before the agent spoke, and of which nobody had read anything by then."""
        turn = self._account.of_segment(event.segment)
        now = self._account.utterances[-1] if self._account.utterances else None
        if turn is None or now is None or turn.meant in _ANSWERS_NOTHING or turn.first_ms != event.at_ms:
            return
        passed = any(later.first_ms >= 0 for later in self._account.after_it(turn))  # what came after it is read
        if turn.uttered.ends_ms < now.asked_ms and not passed and not self._account.ending and event.text:
            self._owe("reply", turn.meant)

    def _cut(self, command: CutSpeech) -> None:
        """A sentence that gave way to nothing but noise."""
        said = self._account.said.get(command.utterance)
        if said is None or said.started_ms < 0 or said.command.purpose in _FILLS_TIME:
            return
        since = [turn for turn in self._account.turns if turn.uttered.ends_ms >= said.started_ms]
        if since and all(turn.meant is Meant.NOISE for turn in since) and not self._account.ending:
            self._owe("sentence", said.id)

    def _published(self, command: Publish) -> None:
        if command.topic == "approval" and command.body["what"] in ("refused", "expired"):
            self._owe("unapproved", str(command.body["proposal"]))

    # --- what pays it -----------------------------------------------------------------------------------------------

    def _judged(self, command: RecordVerdict) -> None:
        verdict = command.verdict
        if verdict.moment == Moment.WITHDRAWAL and verdict.kind is Kind.TOOL and not self._account.ending:
            self._withdrawn_ms = self._account.now_ms
            self._owe("withdrawal", "", self._a_claim(or_another=True))
        elif verdict.moment == Moment.OWED:
            kind, _, what = verdict.proposal.removeprefix("owed:").partition(":")
            kinds = (kind, "withdrawal") if kind == "result" else (kind,)
            self._pay(lambda owed: owed.kind in kinds and owed.what in (what, ""))

    def _asked(self, _command: InviteAgents) -> None:
        self._pay(lambda owed: owed.told is None and owed.kind != "unapproved")

    def _say(self, command: Say) -> None:
        if command.purpose not in _FILLS_TIME:
            self._pay(lambda owed: owed.told is None)

    def _heard(self, event: ev.PlaybackEnded | ev.PlaybackStopped) -> None:
        said = self._account.said[event.utterance]
        found = claim_in(said.text, self._account.world.policy)
        words = (said.ends_of(found[1]) if found is not None else 0) or round(len(said.words) * _MOST)
        if said.heard_words(event.at_ms) >= words:
            self._pay(lambda owed: owed.told is not None and owed.told(said))

    def _pay(self, pays: Callable[[_Owed], bool]) -> None:
        if self._owed:
            self._owed = [owed for owed in self._owed if not pays(owed)]

    def _other_policy(self, _event: ev.PolicyChanged) -> None:
        """Whoever leads from here on owes what was owed: its time begins anew."""
        for owed in self._owed:
            owed.free_ms = self._account.free_ms

    def _over(self, _event: Any) -> None:
        self._owed = []

    def _look(self) -> None:
        if not self._owed:
            return
        account = self._account
        if account.ending or not account.open:
            return
        bound_ms = account.world.policy.gate.owed_ms + SLACK_MS
        for owed in self._owed:
            if account.free_ms - owed.free_ms > bound_ms and not owed.complained:
                owed.complained = True
                what = f"{owed.kind} {owed.what}".strip()
                self._report(DEBT, f"{what} is owed since {owed.since_ms} ms, the floor free for it")
