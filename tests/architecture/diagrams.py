"""Draws the state machines of ARCHITECTURE.md from the tables in the code.

python tests/architecture/diagrams.py --write
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from offhook.actors.call import lifecycle as call_lifecycle
from offhook.actors.call.swap_lifecycle import SWAP_MOVES, SwapStage
from offhook.policies.conversation.silence import LADDER
from offhook.policies.evidence.concerns import LIFECYCLE
from offhook.policies.fleet.node_lifecycle import NODE_MOVES, NodeStage
from offhook.policies.fleet.rollout import MOVES, Stage
from offhook.policies.speech.floor import FLOOR

DOCUMENT = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
S = TypeVar("S", bound=StrEnum)
M = TypeVar("M", bound=StrEnum)
BEGIN, END = "<!-- diagrams:begin -->", "<!-- diagrams:end -->"


def drawn() -> str:
    """All diagrams, as the document holds them between its marks."""
    call = _lifecycle("A call's runtime (`actors/call/lifecycle.py`)", call_lifecycle.MOVES, call_lifecycle.Stage.EARLY)
    swap = _lifecycle("A swap of a call's policy (`actors/call/swap_lifecycle.py`)", SWAP_MOVES, SwapStage.SETTLED)
    node = _lifecycle("A node (`policies/fleet/node_lifecycle.py`)", NODE_MOVES, NodeStage.SERVING)
    return "\n\n".join((_floor(), _concerns(), _silence(), call, swap, node, _rollout()))


def _lifecycle(title: str, moves: Mapping[tuple[S, M], S], first: S) -> str:
    """Moves that leave the stage as it is are legal and not drawn."""
    arrows: dict[tuple[S, S], list[str]] = {}
    for (before, move), after in moves.items():
        if after is not before:
            arrows.setdefault((before, after), []).append(str(move))
    rows = [f"    {_name(before)} --> {_name(after)}: {', '.join(by)}" for (before, after), by in arrows.items()]
    return _mermaid(title, [f"    [*] --> {_name(first)}", *rows])


def _floor() -> str:
    rows = [f"    {before} --> {after}: {move}" for (before, move), after in FLOOR.items()]
    return _mermaid("The floor (`policies/speech/floor.py`)", ["    [*] --> nobody", *rows])


def _concerns() -> str:
    rows = [f"    {before or '[*]'} --> {after}: {cause}" for (before, cause), after in LIFECYCLE.items()]
    return _mermaid("A concern (`policies/evidence/concerns.py`)", rows)


def _silence() -> str:
    heading = [
        "**Silence** (`policies/conversation/silence.py`): what came before it, and the rungs climbed while it lasts",
        "",
    ]
    table = ["| after | rungs |", "|---|---|"]
    for after, rungs in LADDER.items():
        table.append(f"| {after} | " + " → ".join(f"{rung.name} *({rung.mood})*" for rung in rungs) + " |")
    return "\n".join(heading + table)


def _rollout() -> str:
    rows = ["    [*] --> published"]
    for (before, word), after in MOVES.items():
        afters = [after] if after is not None else [stage for stage in Stage if (stage, "pause") in MOVES]
        rows += [f"    {_name(before)} --> {_name(each)}: {word}" for each in afters]
    return _mermaid("A rollout (`policies/fleet/rollout.py`)", rows)


def _name(stage: StrEnum) -> str:
    return str(stage).replace(",", "").replace(" ", "_")


def _mermaid(title: str, rows: list[str]) -> str:
    return "\n".join([f"**{title}**", "", "```mermaid", "stateDiagram-v2", *rows, "```"])


def in_document() -> str:
    """What the document holds now."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Put the diagrams into the document."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{drawn()}\n{END}{after}")


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("say --write to write the diagrams into ARCHITECTURE.md")
    write()
