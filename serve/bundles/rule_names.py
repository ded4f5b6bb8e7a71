"""Names in a policy's rules of actions that nothing can ever answer to: a `told` that nobody tells, a concern that is
none, a purpose that there is not. Such a rule keeps an act from ever being granted, or keeps nothing at all.

What an agent tells it names in its code, its options or its lines; the code is read and never run. Slots that nobody
fills are found by leading calls (`actors/shadows/rehearsal.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Purpose
from offhook.policies.gate.agreement import READ_BACK
from offhook.policies.plug_ins.finder import nearest

from ..config.field_faults import line_of
from ..config.yaml_lines import Place

OWN_TERMS = ("price", "time", "number", "name")  # an offer's amount, and slots that fill without a question
ANY = "*"
STOCK = "offhook."
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def faults(file: Path, places: dict[Place, int], policy: Policy, code: Iterable[Path]) -> Iterator[str]:
    """Each name that nothing answers to, with file, line and the one that was meant.

    Args:
        code: the bundle's own files, and those of the installed modules that its agents are in.
    """
    purposes = [str(purpose) for purpose in Purpose]
    rules = policy.gate.actions.values()
    slots = [slot for each in rules for slot in (*each.slots, *each.confirmed_slots)]
    known = list(dict.fromkeys((READ_BACK, *OWN_TERMS, *slots, *purposes)))
    named = {name for spec in policy.agents.values() for name in _of_spec(spec)} | _constants(code)
    closed = all(_is_read_whole(spec) for spec in policy.agents.values())
    topics = policy.concerns.topics
    for action, needs in policy.gate.actions.items():
        place: Place = ("gate", "actions", action)
        where = f"gate.actions.{action}"
        say, colon, rest = action.partition(":")
        if say == "say" and colon and (purpose := rest.partition(":")[0]) not in purposes:
            yield f"{file}:{line_of(places, place)}: {where}: nothing is said for the purpose {purpose!r}" + _meant(
                purpose, purposes
            )
        for at, name in enumerate(needs.told):
            if name not in known and name not in named and (closed or nearest(name, known)):
                line = line_of(places, (*place, "told", at))
                yield f"{file}:{line}: {where}.told: nobody can tell {name!r}{_meant(name, known)}"
        for at, topic in enumerate(needs.no_open_concern):
            if topic not in (ANY, *topics):
                line = line_of(places, (*place, "no_open_concern", at))
                yield f"{file}:{line}: {where}.no_open_concern: {topic!r} is no concern{_meant(topic, (ANY, *topics))}"


def _meant(name: str, known: Iterable[str]) -> str:
    return f"{nearest(name, known)}; allowed: {', '.join(known)}"


def _is_read_whole(spec: AgentSpec) -> bool:
    """An agent of the bundle or of the stock: all of its code is here to be read."""
    source = spec.code.rpartition(":")[0]
    return source.endswith(".py") or source.startswith(STOCK)


def _of_spec(spec: AgentSpec) -> Iterator[str]:
    yield from (str(value) for value in spec.options.values())
    for text in (*spec.lines.values(), *spec.prompts.values()):
        yield from _PLACEHOLDER.findall(text)


def _constants(code: Iterable[Path]) -> set[str]:
    """Every text in the code that may be a term's name."""
    found: set[str] = set()
    for file in code:
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.keyword) and node.arg:  # dict(price=...)
                found.add(node.arg)
    return found
