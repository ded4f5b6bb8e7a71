"""Whether a bundle works: its agents are loaded and lead simulated calls, in a child process with limits.

What is wrong with the file itself `policy_files.py` finds without running anything. A bundle's code may be anything, so
it is run where it can do no harm: in a process of its own, with a limit of time and of memory, and with nothing of this
one's environment that holds a secret.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from offhook.policies.core.errors import OffhookError, PolicyError

from .policy_files import Bundle, load

if TYPE_CHECKING:  # it loads the simulation, which only the child process needs
    from offhook.actors.shadows.rehearsal import Rehearsed

REHEARSED_CALLS = 20
WITHIN_S = 30.0  # 20 simulated calls take under a second with the stock agents
MEMORY_BYTES = 2 << 30
FAULTS_MAX = 10  # that are told
GRACE_S = 5.0  # for a child that tells where it hangs
SAID_MAX = 4_000  # characters of what a child that failed has said


class RehearsalFault(PolicyError):
    """What simulated calls led by a bundle have shown to be wrong; `faulty` is the first such call, as a dialogue."""

    def __init__(self, message: str, faulty: str = "") -> None:
        super().__init__(message, faulty)
        self.message = message
        self.faulty = faulty

    def __str__(self) -> str:
        return self.message


def rehearse(
    bundle: Bundle,
    calls: int = REHEARSED_CALLS,
    seed: int = 1,
    within_s: float = WITHIN_S,
    tools: Collection[str] = (),
) -> Rehearsed:
    """Have the bundle lead simulated calls; see `actors/shadows/rehearsal.py` for what comes back.

    Args:
        tools: names of those that there are, () = not known.

    Raises:
        PolicyError: its agents cannot be loaded, hang, or end their process.
        RehearsalFault: an agent raises, with file, line and the way there; or a call did what none may.
    """
    words = [
        sys.executable,
        "-P",
        "-m",
        "offhook.serve.bundles.policy_check",
        str(bundle.path),
        str(calls),
        str(seed),
        f"{within_s:g}",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    where = f"{bundle.path}: {bundle.name}"
    try:
        done = subprocess.run(
            [*words, *sorted(tools)],
            capture_output=True,
            text=True,
            timeout=within_s + GRACE_S,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PolicyError(
            f"{where}: {calls} simulated calls were not over after {within_s:g} s: an agent hangs"
        ) from None
    if done.returncode:
        said = done.stderr.strip()[-SAID_MAX:] or f"its process ended with {done.returncode}"
        raise PolicyError(f"{where}: {said}")
    found: Rehearsed = json.loads(done.stdout.splitlines()[-1])
    if found["faults"]:
        told = "\n".join(f"{where}: {fault}" for fault in found["faults"][:FAULTS_MAX])
        raise RehearsalFault(told, found["faulty"])
    return found


def _child(folder: str, calls: str, seed: str, within_s: str, *tools: str) -> None:
    from pathlib import Path

    from offhook.actors.shadows.rehearsal import Asked
    from offhook.actors.shadows.rehearsal import rehearse as run

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    bundle = load(Path(folder))
    asked = Asked()

    def hangs() -> None:
        where = asked.told(str(bundle.path))
        sys.stderr.write(f"\n{calls} simulated calls were not over after {within_s} s: {where}\n")
        sys.stderr.flush()
        os._exit(1)

    clock = threading.Timer(float(within_s), hangs)
    clock.daemon = True
    clock.start()
    try:
        found = run(bundle.policy, str(bundle.path), int(calls), int(seed), tools, asked)
    except OffhookError as error:
        sys.exit(str(error))
    clock.cancel()
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    _child(*sys.argv[1:])
