"""Policies of simulated calls, drawn by chance: the stock agents under short limits, so that every limit is met, with
thresholds, needs and rights that vary as policies do.

What is drawn here is what a policy may say. Which callers it meets is `run.py`'s matter.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, cast

from ..agents import load
from ..core.policy import (
    ActionRules,
    AgentSpec,
    AnsweringMachine,
    Concerns,
    Gate,
    Limits,
    Policy,
    Presence,
    SilenceLadder,
)
from . import extras
from .world import Proposer

STOCK = ("qualification", "objection", "booking", "closing")
TRANSFER_TO = "+15550123"
PRICE = "nine dollars a month"

_LINES: Mapping[str, dict[str, str]] = {
    "qualification": {
        "ask_company": "What kind of company is it that you run?",
        "offer": "We have a trial for {price: nine dollars a month}. Would you like to start it?",
    },
    "objection": {
        "price": "It is {price: nine dollars a month}. Is that all right?",
        "timing": "There is no rush at all.",
    },
}


def drawn_policy(chance: random.Random) -> Policy:
    """A policy that nobody has seen before."""
    agents = {name: _stock(name, chance) for name in STOCK}
    extra = extras.specs(chance.random(), chance.random())
    return Policy(
        name="simulated",
        agents={**agents, **extra},
        gate=_gate(chance, "reader" in extra),
        concerns=Concerns(answers_max=chance.choice((1, 3))),
        answering=AnsweringMachine(
            enabled=chance.random() < 0.1, default=chance.choice(("human", "machine")), message="Please call us back."
        ),
        limits=Limits(
            ring_ms=5_000,
            call_ms=chance.choice((20_000, 60_000, 90_000, 240_000)),
            warning_ms=chance.choice((0, 8_000)),
            grace_ms=4_000,
            line_lost_ms=chance.choice((2_000, 5_000)),
            transfer_ms=6_000,
        ),
        silence=SilenceLadder(alone_ms=40_000),
        presence=Presence(
            hold_ms=25_000,
            menu_ms=12_000,
            talk_ms=30_000,
            check_ms=8_000,
            quiet_ms=15_000,
            music_after_ms=6_000,
            watch_ms=5_000,
        ),
    )


def stock_agents(policy: Policy) -> dict[str, Proposer]:
    """The policy's agents, in this process."""
    return {name: cast(Proposer, load(spec.code)(name, spec)) for name, spec in policy.agents.items()}  # they are plain


def _stock(name: str, chance: random.Random) -> AgentSpec:
    options: dict[str, dict[str, Any]] = {
        "qualification": {"questions": chance.choice(("company", ""))},
        "closing": {"transfer_to": TRANSFER_TO if chance.random() < 0.8 else ""},
    }
    return AgentSpec(
        code=f"offhook.policies.agents.{name}:{name.capitalize()}",
        lines=_LINES.get(name, {}),
        options=options.get(name, {}),
    )


def _gate(chance: random.Random, read: bool) -> Gate:
    """`read` = an agent reads the caller's answers."""
    readers = ("reader",) if read else ()
    return Gate(
        actions=_actions(chance),
        readers=readers,
        reader="required" if read and chance.random() < 0.4 else "if_present",
        reading_ms=chance.choice((200, 600)),
        approval_ms=chance.choice((4_000, 12_000)),
        owed_ms=chance.choice((4_000, 10_000)),
        budget_cents=chance.choice((500.0, 500.0, 30.0)),
    )


def _actions(chance: random.Random) -> dict[str, ActionRules]:
    def seldom(value: Any, share: float = 0.15) -> Any:
        return value if chance.random() < share else None

    approve = {"autonomy": "approve"} if chance.random() < 0.25 else {}
    found: dict[str, dict[str, Any]] = {
        "book_meeting": {
            "confirmed_slots": ("time",),
            "no_open_concern": chance.choice((("*",), ("price",))),
            "irreversible": True,
            "times_max": 3,
            "told": chance.choice(((), (), ("offer", "read_back"), ("price", "read_back"))),
            "undo": chance.choice(("", "cancel_meeting")),
            "called": "the meeting on {time}",
            "readiness_share": seldom(0.5),
            "evidence_age_ms": seldom(8_000),
            "stages": seldom(("offering", "booking", "closing")),
            **approve,
        },
        "cancel_meeting": {"consent": True, "called": "the meeting on {time}"},
        "send_details": {
            "times_max": chance.choice((1, 2)),
            "cost_cents": chance.choice((0.0, 20.0)),
            "cooldown_ms": seldom(5_000),
            "slots": seldom(("time",)),
            "autonomy": chance.choice(("act", "act", "act", "suggest")),
        },
        "transfer": dict(chance.choice(({}, approve))),
        "say:offer": {"times_max": chance.choice((1, 2, 3))},
        "say:question": {"cooldown_ms": seldom(1_500)},
    }
    return {
        name: ActionRules.model_validate({field: value for field, value in needs.items() if value is not None})
        for name, needs in found.items()
    }
