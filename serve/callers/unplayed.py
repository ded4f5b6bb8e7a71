"""What of a script was not played when the far end was gone before the script was over. How scripts are carried out is
`softphone.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .scenario import Converse, Expect, Listen, Step

LEFT = frozenset({"performing", "withdrawing", "done", "failed"})  # how an act stands that a tool was told of


def unplayed(steps: Sequence[Step], has_said: Callable[[str | None], bool], acts: Mapping[str, str]) -> Step | None:
    """The first step that the script is not itself without; None where all that is left is to wait or to hang up.

    Args:
        steps: those that were not over, the one under way first.
        has_said: whether the agent has said something that matches; None = anything.
        acts: how the newest act of each tool stands.
    """
    for at, step in enumerate(steps):
        if step.kind == "hang_up":
            return None
        if not (step.kind == "pause_ms" or (at == 0 and _was_said(step, has_said)) or _holds(step, acts)):
            return step
    return None


def _was_said(step: Step, has_said: Callable[[str | None], bool]) -> bool:
    """The agent has said what this step waits for, and has hung up instead of being silent after it."""
    part = step.part
    if isinstance(part, Converse):
        return has_said(part.until)
    return isinstance(part, Listen) and has_said(part.says)


def _holds(step: Step, acts: Mapping[str, str]) -> bool:
    """It expects something of an act that is so."""
    part = step.part
    if not isinstance(part, Expect):
        return False
    if part.done is not None:
        return acts.get(part.done) == "done"
    return part.not_done is not None and acts.get(part.not_done, "") not in LEFT
