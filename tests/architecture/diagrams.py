"""Draws the state machines of ARCHITECTURE.md from the tables in the code.

python tests/architecture/diagrams.py --write
"""

from __future__ import annotations

import sys
from pathlib import Path

from offhook.policies.conversation.silence import LADDER
from offhook.policies.evidence.concerns import LIFECYCLE
from offhook.policies.fleet.rollout import MOVES, Stage
from offhook.policies.speech.floor import FLOOR

DOCUMENT = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
BEGIN, END = "<!-- diagrams:begin -->", "<!-- diagrams:end -->"


def drawn() -> str:
    """All diagrams, as the document holds them between its marks."""
    return "\n\n".join((_floor(), _concerns(), _silence(), _rollout()))


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


def _name(stage: Stage) -> str:
    return str(stage).replace(" ", "_")


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
