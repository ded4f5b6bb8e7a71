"""One call told from its journal: lines as they happen, and figures when it is over. Nothing but records goes in.

Fold the records of `GET /v1/calls/{id}/journal` in order; what is shown, and how, is `timeline.py`'s matter. Times are
ms on the call's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core.commands import HangUp, HoldSpeech, Perform, Publish, Say
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.events import PlaybackStarted, SpeechEnded, SpeechStarted
from offhook.policies.core.proposals import Answer, Kind, Moment, Verdict
from offhook.policies.core.records import COMMANDS, HOLD, End, Measure, Record
from offhook.policies.replay.account import Teller, answer_of, what_of

ACTS = (Kind.TOOL, Kind.TRANSFER, Kind.HANGUP, Kind.HANDOFF)
OUTSIDE = (Kind.TOOL, Kind.TRANSFER)  # what leaves only when it was judged for the last time, at "execution"


@dataclass(frozen=True, slots=True)
class Line:
    """Something worth showing; `kind` is one of `timeline.MARKS`."""

    at_ms: int
    kind: str
    text: str
    good: bool | None = None  # granted or denied; None = neither


@dataclass(slots=True)
class CallSummary:
    """A call so far. `now` fields are for a live view, the lists for the figures."""

    caller: str
    floor: str = "nobody"
    stage: str = "opening"
    readiness: float = 0.0
    words: str = ""  # the caller's, of the segment read last
    saying: str = ""  # the agent's utterance under way
    outcome: str = ""
    over: bool = False
    utterances: list[str] = field(default_factory=list)  # all that the agent has begun to say
    verdicts: list[Verdict] = field(default_factory=list)
    holds: list[dict[str, Any]] = field(default_factory=list)  # {utterance, onset_ms, hold_ms, clear_us, then}
    replies_ms: list[int] = field(default_factory=list)  # end of the caller's turn -> the agent is heard
    cuts: list[dict[str, Any]] = field(default_factory=list)  # {utterance, said, heard}
    heard: list[str] = field(default_factory=list)  # the caller's final words
    silences: list[str] = field(default_factory=list)  # rungs climbed
    answers: list[dict[str, Any]] = field(default_factory=list)  # to what was read back: {at_ms, says, why}
    debts: list[dict[str, Any]] = field(default_factory=list)  # {at_ms, words, ended}; ended "" = still owed
    tools: dict[str, str] = field(default_factory=dict)  # how each tool's newest act stands: "performing", "done", ...
    seq: int = 0  # of the last record folded
    _onset_ms: int = 0
    _ended_ms: int = 0  # of the caller's last talkspurt
    _reply_due: bool = False  # the caller's turn is over, and nothing has been heard since
    _teller: Teller = field(default_factory=Teller)
    _begun: set[str] = field(default_factory=set)  # utterances of which something was heard

    def fold(self, record: Record) -> list[Line]:
        """One record; the lines that it is worth."""
        self.seq = max(self.seq, record.seq)
        at_ms = record.at_ms
        lines: list[Line] = []
        try:
            if (event := record.event()) is not None:
                self._event(event)
            elif record.kind == COMMANDS:
                for command in record.commands():
                    lines += self._command(at_ms, command)
            elif (verdict := record.verdict()) is not None:
                lines += self._verdict(verdict)
            elif (measure := record.told(Measure)) is not None:
                self._measure(measure)
            elif (end := record.told(End)) is not None:
                self.over = True
                self.outcome = end.outcome or self.outcome
                lines.append(Line(at_ms, "end", self.outcome or "over"))
        except OffhookError as error:  # a record of another version is passed over, and said
            lines.append(Line(at_ms, "end", f"a record could not be read: {error}", good=False))
        return lines

    # --- records ----------------------------------------------------------------------------------------------------

    def _event(self, event: Any) -> None:
        match event:
            case SpeechStarted():
                self._onset_ms = event.onset_ms
            case SpeechEnded():
                self._ended_ms = event.ended_ms
            case PlaybackStarted():
                self._begun.add(event.utterance)
                if self._reply_due:
                    self.replies_ms.append(event.at_ms - self._ended_ms)
                    self._reply_due = False

    def _command(self, at_ms: int, command: Any) -> list[Line]:
        match command:
            case Say():
                self.utterances.append(command.text)
                self.saying = command.text
                return [Line(at_ms, "says", command.text)]
            case HoldSpeech():
                hold = {"utterance": command.utterance, "onset_ms": self._onset_ms, "hold_ms": at_ms - self._onset_ms}
                self.holds.append({**hold, "clear_us": 0, "then": ""})
                return [Line(at_ms, "overlap", f"held {at_ms - self._onset_ms} ms after the onset")]
            case Perform():
                arguments = ", ".join(f"{name}={value}" for name, value in command.arguments)
                return [Line(at_ms, "action", f"{command.action}({arguments})", good=True)]
            case HangUp():
                return [Line(at_ms, "action", f"hang up: {command.reason}")]
            case Publish():
                tell = _TOLD.get(command.topic)
                return tell(self, at_ms, command.body) if tell is not None else []
        return []

    def _verdict(self, verdict: Verdict) -> list[Line]:
        self.verdicts.append(verdict)
        good = {Answer.GRANT: True, Answer.DENY: False}.get(verdict.answer)
        why = f": {verdict.reason}" if verdict.reason else ""
        when = (
            f" ({verdict.moment})"
            if verdict.kind in OUTSIDE and verdict.moment in (Moment.FLOOR, Moment.EXECUTION)
            else ""
        )
        return [
            Line(
                verdict.at_ms, "verdict", f"{answer_of(verdict)} {what_of(verdict)} by {verdict.agent}{when}{why}", good
            )
        ]

    def _measure(self, measure: Measure) -> None:
        if measure.what == HOLD and self.holds:
            self.holds[-1]["clear_us"] = measure.us

    # --- notices ----------------------------------------------------------------------------------------------------

    def _on_floor(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self.floor = str(body.get("holder", ""))
        return [Line(at_ms, "floor", self.floor)]

    def _on_words(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self.words = str(body.get("pii_text", ""))
        if body.get("final") and self.words:
            self.heard.append(self.words)
        return [Line(at_ms, "words", self.words + ("" if body.get("final") else " ..."))]

    def _on_speech(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        what = body.get("what")
        if what == "cut" and body.get("utterance") in self._begun:  # what was overtaken before it began was not cut
            utterance, heard = str(body.get("utterance", "")), str(body.get("pii_heard", ""))
            self.saying = ""
            if self.cuts and self.cuts[-1]["utterance"] == utterance:  # told again, with where the sound had really got
                again = self.cuts[-1]["heard"] == heard
                self.cuts[-1]["heard"] = heard
                return [] if again else [Line(at_ms, "cut", heard)]
            self.cuts.append({"utterance": utterance, "said": body.get("pii_text", ""), "heard": heard})
            return [Line(at_ms, "cut", heard)]
        if what in ("ended", "failed", "cut"):
            self.saying = ""
        return []

    def _on_overlap(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        what = str(body.get("what", ""))
        if what == "held":
            return []  # the command told it, with its time
        if self.holds and not self.holds[-1]["then"]:
            self.holds[-1]["then"] = what
        return [Line(at_ms, "overlap", f"{what} (p of a take {body.get('take', 0)})")]

    def _on_signal(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self.readiness = float(body.get("readiness", self.readiness))
        topic = f" about {body['topic']}" if body.get("topic") else ""
        unsure = " (provisional)" if body.get("provisional") else ""
        return [Line(at_ms, "signal", f"{body.get('sign', '')}{topic}{unsure}, readiness {self.readiness:.0%}")]

    def _on_stage(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self.stage = str(body.get("stage", self.stage))
        return [Line(at_ms, "stage", f"{body.get('before', '')} -> {self.stage}")]

    def _on_turn(self, _at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self._reply_due = body.get("why") == "ended" and self._ended_ms > 0
        return []

    def _on_silence(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        if not body.get("rung"):
            return []
        self.silences.append(str(body["rung"]))
        self._reply_due = False  # what is said now breaks a silence, it answers nothing
        return [Line(at_ms, "silence", f"{body['rung']} after {body.get('waited_ms', 0)} ms ({body.get('mood', '')})")]

    def _on_answering(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        found = str(body.get("decided") or body.get("phase", ""))
        why = f" ({body['reason']})" if body.get("reason") else ""
        return [Line(at_ms, "stage", f"who picked up: {found}{why}")]

    def _on_concern(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        return [Line(at_ms, "signal", f"concern about {body.get('topic', '')}: {body.get('standing') or 'taken back'}")]

    def _on_answer(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        if not body.get("confirms"):
            return []  # nothing rests on how clean an answer to a plain question is
        says = str(body.get("says", ""))
        self.answers.append({"at_ms": at_ms, "says": says, "why": str(body.get("why", ""))})
        return [Line(at_ms, "answer", self._teller.tell("answer", body)[1], says == "yes")]

    def _on_action(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        what = str(body.get("what", ""))
        self.tools[str(body.get("action", ""))] = what
        words = self._teller.tell("action", body)[1]
        return [Line(at_ms, "action", words)] if what != "performing" else []  # the command told it, with its arguments

    def _on_debt(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        words, of = self._teller.tell("debt", body)[1], [body.get("kind", ""), body.get("of", "")]
        if body.get("what") == "owed":
            self.debts.append({"at_ms": at_ms, "of": of, "words": words, "ended": ""})
        for debt in self.debts:
            if debt["of"] == of and not debt["ended"] and body.get("what") != "owed":
                debt.update(words=words, ended=str(body.get("what", "")))
        return [Line(at_ms, "debt", words)]

    def _on_agent(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        words = self._teller.tell("agent", body)[1].partition("\n")[0]
        return [Line(at_ms, "failure", words, good=False)] if words else []

    def _on_call(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        self.outcome = str(body.get("outcome") or self.outcome)
        words = self._teller.tell("call", body)[1]
        return [Line(at_ms, "person", words)] if words else []

    def _on_approval(self, at_ms: int, body: Mapping[str, Any]) -> list[Line]:
        words = self._teller.tell("approval", body)[1]
        return [Line(at_ms, "person", words)] if words else []

    # --- figures ----------------------------------------------------------------------------------------------------

    def acts(self) -> list[dict[str, Any]]:
        """What was done or refused beside speaking, with the reason; the same refusal in a row counts once.

        A tool or a transfer is done by its grant at "execution". Where none came, the grant before it was a promise.
        """
        found: list[dict[str, Any]] = []
        left = {v.proposal for v in self.verdicts if v.moment == Moment.EXECUTION and v.answer is Answer.GRANT}
        for verdict in self.verdicts:
            promise = verdict.kind in OUTSIDE and verdict.answer is Answer.GRANT and verdict.moment != Moment.EXECUTION
            if verdict.kind not in ACTS or (promise and verdict.proposal in left):
                continue
            act = {
                "what": what_of(verdict),
                "answer": "announced" if promise else answer_of(verdict),
                "why": verdict.reason,
            }
            same = (act["what"], act["answer"], act["why"].partition(":")[0])
            if not found or (found[-1]["what"], found[-1]["answer"], found[-1]["why"].partition(":")[0]) != same:
                found.append({"at_ms": verdict.at_ms, **act, "agent": verdict.agent})
        return found

    def summary(self) -> dict[str, Any]:
        """Plain values, all of them from the journal."""
        return {
            "caller": self.caller,
            "outcome": self.outcome,
            "acts": self.acts(),
            "holds": self.holds,
            "replies_ms": self.replies_ms,
            "cuts": self.cuts,
            "silences": self.silences,
            "answers": self.answers,
            "debts": self.debts,
            "heard": self.heard,
            "said": self.utterances,
            "denied": sum(verdict.answer is Answer.DENY for verdict in self.verdicts),
            "granted": sum(verdict.answer is Answer.GRANT for verdict in self.verdicts),
        }


_TOLD: dict[str, Callable[[CallSummary, int, Mapping[str, Any]], list[Line]]] = {
    "floor": CallSummary._on_floor,
    "words": CallSummary._on_words,
    "speech": CallSummary._on_speech,
    "overlap": CallSummary._on_overlap,
    "signal": CallSummary._on_signal,
    "concern": CallSummary._on_concern,
    "stage": CallSummary._on_stage,
    "turn": CallSummary._on_turn,
    "silence": CallSummary._on_silence,
    "answering": CallSummary._on_answering,
    "answer": CallSummary._on_answer,
    "action": CallSummary._on_action,
    "debt": CallSummary._on_debt,
    "agent": CallSummary._on_agent,
    "call": CallSummary._on_call,
    "approval": CallSummary._on_approval,
}
