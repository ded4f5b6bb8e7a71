"""What a supervisor is started with, and where it keeps its files.

Nothing is read from the environment here: `serve/config/settings.py` does that, and hands a map over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import CallerFault

from ..journals.stores import check_url
from .call_pool import Sizes
from .http_tool import offered
from .watch import HUNG_MS

SOCKET_PATH_MAX = 107  # bytes of a Unix socket's path (unix(7))
PORT_MAX = 65_535
NAME_ROOM = 32  # of them for the longest socket name: call-12345678-12345.sock


@dataclass(frozen=True, slots=True)
class Options:
    """One node's limits. `state_dir` must exist on every node and be short: sockets live in it."""

    state_dir: str
    spares: int = 2
    slots_max: int = 250
    starting_max: int = 2
    ring_ms: int = 10_000  # how long a new call rings for a spare
    hung_ms: int = HUNG_MS
    takeover_ms: int = 8_000  # how long a call whose process died waits for a spare; 10 s of its audio are kept
    prices: Mapping[str, Any] = field(default_factory=dict)  # for what calls cost; see policies/fleet/cost.py
    tools: Mapping[str, Any] = field(default_factory=dict, repr=False)  # action -> an HTTP tool (see http_tool.py)
    metrics_host: str = "127.0.0.1"  # where the node's metrics are shown (see process/exporter.py)
    metrics_port: int = 0  # 0 = any that is free
    journal: str = ""  # a URL (see stores.py), or a file name in state_dir; "" = a file for each node, named after it

    @classmethod
    def from_map(cls, raw: Mapping[str, Any]) -> Options:
        """Raises:
        CallerFault: an unknown name, or a value out of its range.
        """
        known = {item.name for item in fields(cls)}
        if unknown := set(raw) - known:
            raise CallerFault(f"supervisor options {', '.join(sorted(unknown))}: known are {', '.join(sorted(known))}")
        options = cls(**raw)
        for name in ("spares", "slots_max", "starting_max", "ring_ms", "hung_ms", "takeover_ms"):
            if int(getattr(options, name)) < (0 if name == "spares" else 1):
                raise CallerFault(f"supervisor option {name} is {getattr(options, name)}: too small")
        if not 0 <= int(options.metrics_port) <= PORT_MAX:
            raise CallerFault(f"supervisor option metrics_port is {options.metrics_port}: not between 0 and {PORT_MAX}")
        if len(options.state_dir.encode()) > SOCKET_PATH_MAX - NAME_ROOM - 10:
            raise CallerFault(
                f"state_dir {options.state_dir!r} is too long for the sockets in it:"
                f" at most {SOCKET_PATH_MAX - NAME_ROOM - 10} bytes"
            )
        check_url(options.journal)
        offered(options.tools)
        return options

    def as_map(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def sizes(self) -> Sizes:
        """The pool's."""
        return Sizes(self.spares, self.slots_max, self.starting_max)

    def places(self, node: str) -> Places:
        """Where this node's supervisor keeps its files; the folders are made."""
        return Places(Path(self.state_dir), node[:8], self.journal)


class Places:
    """Files of one node's supervisor. Several nodes may share a `state_dir` (tests do): names carry the node."""

    def __init__(self, root: Path, node: str, journal: str = "") -> None:
        run = root / f"r-{node}"
        run.mkdir(parents=True, exist_ok=True)
        run.chmod(0o700)  # who can open a socket here still needs a token
        self.endpoint = f"unix:{run / 'supervisor.sock'}"
        self.roster = run / "roster.json"
        self.memory = run / "memory.json"
        self.journal = journal if "://" in journal else root / (journal or f"journal-{node}.sqlite")
        self.tools = root / f"tools-{node}.sqlite"
