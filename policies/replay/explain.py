"""Explain: why something was permitted or not, and what would have been needed, as plain values for terminal and JSON.

A verdict already holds every compared rule; here it is only laid out. For a moment at which nothing was proposed,
`needed` puts the question to the same rules, with a proposal that is fresh at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.errors import CallerFault
from ..core.policy import Policy
from ..core.proposals import Kind, Proposal, Purpose, RuleResult, Verdict
from ..core.state import CallState
from ..gate import rules
from ..gate.case import case_of

# Every policy knows these, beside the tools that it names.
ACTIONS = {"handoff": Kind.HANDOFF, "transfer": Kind.TRANSFER, "hangup": Kind.HANGUP, "timer": Kind.TIMER}


def explain(verdict: Verdict) -> dict[str, Any]:
    """A verdict, with what failed first: {id, at_ms, what, answer, because, failed: [...], held: [...], ...}."""
    return {
        "id": verdict.id,
        "proposal": verdict.proposal,
        "at_ms": verdict.at_ms,
        "revision": verdict.revision,
        "turn": verdict.turn,
        "stage": verdict.stage,
        "moment": verdict.moment,
        "agent": verdict.agent,
        "kind": str(verdict.kind),
        "what": verdict.what,
        "answer": str(verdict.answer),
        "because": verdict.reason or "every rule holds",
        "failed": [_rule(result) for result in verdict.rules if not result.ok],
        "held": [_rule(result) for result in verdict.rules if result.ok],
    }


def needed(
    state: CallState, policy: Policy, action: str, arguments: Mapping[str, str] | None = None, topic: str = ""
) -> dict[str, Any]:
    """What `action` would have needed at this moment, had it been proposed then.

    `action` is named as in the policy's `gate.actions`: a tool, "say:<purpose>", "transfer", "handoff", "hangup" or
    "timer". Arguments that are left out are taken from the slots of the same name.

    Raises:
        CallerFault: "say:" with a purpose that there is not.
    """
    proposal = _supposed(state, policy, action, arguments or {}, topic)
    results = rules.compare(case_of(state, policy, proposal))
    failed = [_rule(result) for result in results if not result.ok]
    return {
        "action": action,
        "at_ms": state.now_ms,
        "revision": state.revision,
        "turn": state.turn,
        "stage": str(state.stage),
        "would": "deny" if failed else "grant",
        "failed": failed,
        "held": [_rule(result) for result in results if result.ok],
    }


def lines(explained: Mapping[str, Any]) -> list[str]:
    """What `explain` or `needed` says, for a terminal: a heading, then one line a rule, failures first."""
    who = f"{explained['agent']} " if "agent" in explained else ""
    what = explained.get("what", explained.get("action", ""))
    answer = explained.get("answer", explained.get("would", ""))
    head = f"{explained['at_ms'] / 1000:9.3f} s  {who}{what}: {answer}"
    if explained.get("moment"):
        head += f" ({explained['moment']}, turn {explained['turn']}, revision {explained['revision']})"
    return [
        head,
        *(f"    no   {_line(rule)}" for rule in explained["failed"]),
        *(f"    yes  {_line(rule)}" for rule in explained["held"]),
    ]


def tally(verdicts: Iterable[Verdict]) -> dict[str, dict[str, int]]:
    """For each thing that was proposed: how often it was granted, denied (by which rule first), and so on."""
    found: dict[str, dict[str, int]] = {}
    for verdict in verdicts:
        name = verdict.what if verdict.kind is not Kind.SAY else f"say:{verdict.what}"
        counts = found.setdefault(name, {})
        first = next((result.rule for result in verdict.rules if not result.ok), "")
        key = f"{verdict.answer}:{first}" if first else str(verdict.answer)
        counts[key] = counts.get(key, 0) + 1
    return found


def _supposed(state: CallState, policy: Policy, action: str, arguments: Mapping[str, str], topic: str) -> Proposal:
    """A proposal of this action that is fresh at this moment."""
    head, _, purpose = action.partition(":")
    kind = Kind.SAY if head == "say" else ACTIONS.get(action, Kind.TOOL)
    if kind is Kind.SAY and purpose not in {str(one) for one in Purpose}:
        raise CallerFault(f"{action!r}: say:<purpose>, with one of {', '.join(str(one) for one in Purpose)}")
    given = dict(arguments)
    if kind is Kind.TOOL:
        needs = policy.gate.actions.get(action)
        names = {*needs.slots, *needs.confirmed_slots} if needs is not None else set()
        given = {slot.name: slot.value for slot in state.slots if slot.name in names} | given
    return Proposal(
        id="supposed",
        agent="supposed",
        kind=kind,
        turn=state.turn,
        basis=state.revision,
        text="..." if kind is Kind.SAY else "",
        purpose=Purpose(purpose) if kind is Kind.SAY else Purpose.ANSWER,
        topic=topic,
        action=action if kind is Kind.TOOL else "",
        arguments=tuple(sorted(given.items())),
    )


def _rule(result: RuleResult) -> dict[str, Any]:
    return {"rule": result.rule, "required": result.required, "actual": result.actual, "ok": result.ok}


def _line(rule: Mapping[str, Any]) -> str:
    return f"{rule['rule']:<16} needs {rule['required']}, {'is' if rule['ok'] else 'but is'} {rule['actual']}"
