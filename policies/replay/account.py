"""Account: what happened in a call and why, told from its journal in plain words, in order.

Beside the verdicts (`explain.py` lays those out) a journal holds how each answer was read, the way of every act, and
what was owed to the caller. Here that becomes rows for a terminal, a document, a live view; layout and colours are
theirs. What people said stands only in rows of the kinds "caller" and "agent".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..conversation.limits import REQUESTED
from ..core.codec import decode
from ..core.commands import Publish, RecordVerdict, Say
from ..core.errors import CallerFault
from ..core.principal import Principal
from ..core.proposals import Kind, Moment, Verdict
from ..core.records import COMMANDS, Rows, record_of

SAID = frozenset({"caller", "agent", "error"})  # kinds of rows that hold what people said, or may quote it


class Row(NamedTuple):
    """One thing that happened: a verdict, or something in words."""

    seq: int  # of the journal's record
    at_ms: int
    # "verdict", "answer", "reading", "act", "debt", "person" (an order of one), "failure" of an agent, "error" (its own
    # words), "caller", "agent", "unreadable"
    kind: str
    words: str = ""
    verdict: Verdict | None = None


def account(records: Iterable[Rows]) -> list[Row]:
    """The rows of one call, from its records in order.

    A command of another version that this one cannot read becomes a row that says so.
    """
    rows: list[Row] = []
    teller = Teller()
    for record in map(record_of, records):
        seq, at_ms = record.seq, record.at_ms
        for encoded in record.body if record.kind == COMMANDS else ():
            try:
                command = decode(encoded)
            except CallerFault as fault:
                rows.append(Row(seq, at_ms, "unreadable", str(fault)))
                continue
            if isinstance(command, RecordVerdict):
                rows.append(Row(seq, at_ms, "verdict", verdict=command.verdict))
            elif isinstance(command, Say):
                rows.append(Row(seq, at_ms, "agent", command.text))
            elif isinstance(command, Publish):
                kind_of_row, words = teller.tell(command.topic, command.body)
                if words:
                    rows.append(Row(seq, at_ms, kind_of_row, words))
                if kind_of_row == "failure" and command.body.get("pii_message"):
                    rows.append(Row(seq, at_ms, "error", str(command.body["pii_message"])))
    return rows


class Teller:
    """Puts notices into words. It remembers the act of each grant and proposal: later notices name these alone."""

    def __init__(self) -> None:
        self._acts: dict[str, str] = {}

    def tell(self, topic: str, body: Mapping[str, Any]) -> tuple[str, str]:
        """(kind of row, words); no words = nothing that an account tells."""
        if topic == "words":
            return "caller", str(body.get("pii_text", "")) if body.get("final") else ""
        if topic == "answer":
            return "answer", _answer(body)
        if topic == "reading":
            return "reading", f"{body.get('reader')} reads the answer to {body.get('utterance')} as {body.get('says')}"
        if topic == "action":
            action = str(body.get("action", ""))
            self._acts[str(body.get("grant", ""))] = action
            words = _ACTS.get(str(body.get("what", "")), "")
            return "act", f"{action}: {words}" if words else ""
        if topic == "agent":
            return "failure", _failure(body) if body.get("what") == "lost" else ""
        if topic == "approval":
            return "person", self._approval(body)
        if topic == "call":
            return "person", f"ends the call, {body['reason']}" if _is_order(body) else ""
        return ("debt", self._debt(body)) if topic == "debt" else (topic, "")

    def _approval(self, body: Mapping[str, Any]) -> str:
        what, proposal = str(body.get("what", "")), str(body.get("proposal", ""))
        if what == "asked":
            self._acts[proposal] = str(body.get("action", ""))
        if what not in ("approved", "refused"):
            return ""
        return f"{self._acts.get(proposal, proposal)} {what} by {Principal.of(str(body.get('operator', '')))}"

    def _debt(self, body: Mapping[str, Any]) -> str:
        of = str(body.get("of", ""))
        words = _DEBTS.get(str(body.get("kind", "")), str(body.get("kind", ""))).format(
            of=of, act=self._acts.get(of, of)
        )
        why = f": {body['why']}" if body.get("why") else ""
        return f"{body.get('what', '')}: {words}{why}"


def what_of(verdict: Verdict) -> str:
    """What was proposed, in words: a tool's name as it is, everything else with its kind."""
    return _KINDS.get(verdict.kind, "{}").format(verdict.what)


def answer_of(verdict: Verdict) -> str:
    """The gate's answer in a word: what it denies of an act on its way is taken back, of a debt written off."""
    if verdict.moment == Moment.WITHDRAWAL:
        return "taken back"
    return "written off" if verdict.moment == Moment.OWED else str(verdict.answer)


# --- words ----------------------------------------------------------------------------------------------------------

_KINDS = {
    Kind.SAY: "say {}",
    Kind.HANGUP: "hang up ({})",
    Kind.TRANSFER: "transfer to {}",
    Kind.HANDOFF: "hand off to {}",
    Kind.TIMER: "timer {}",
}
_SAYS = {"yes": "yes, and nothing left over", "no": "no", "unclear": "unclear, which is no yes", "none": "no answer"}
_ACTS = {
    "announcing": "announced to the caller, not done yet",
    "journaling": "waits until the journal has all that led to it",
    "performing": "ordered",
    "transferring": "ordered",
    "withdrawing": "taken back; its order is called back",
    "withdrawn": "taken back before it had left, and not done",
    "done": "done",
    "failed": "failed",
}
_DEBTS = {
    "result": "what came of {act}",
    "timer": "the word for which the timer {of} was set",
    "key": "an answer to a key",
    "reply": "an answer to words that were final only later",
    "sentence": "the rest of {of}, which noise cut off",
    "unapproved": "that no operator allowed an act",
}


def _answer(body: Mapping[str, Any]) -> str:
    says, why = str(body.get("says", "")), str(body.get("why", ""))
    question = "the read-back" if body.get("confirms") else "the question"
    return f"{_SAYS.get(says, says)}{': ' + why if why else ''} (to {question} {body.get('utterance', '')})"


def _is_order(body: Mapping[str, Any]) -> bool:
    return body.get("what") == "ending" and body.get("outcome") == REQUESTED


def _failure(body: Mapping[str, Any]) -> str:
    """An agent that was lost, why, and the way to where its code raised, a line each."""
    head = f"agent {body.get('agent', '')} lost: {body.get('reason', '')}"
    return "\n".join((head, *(f"    {step}" for step in body.get("trace", ()))))
