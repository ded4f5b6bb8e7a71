"""How the other commands find a running offhook: its state file, and its API; and how they end it.

`offhook up` writes the file when it is ready and removes it when it stops. A file whose process is gone is stale and
means that nothing runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

import httpx
from offhook.actors.contracts.operations import operation_of
from offhook.actors.contracts.operations import read as read_as
from offhook.policies.core.errors import Bug, CallerFault, WorldFault
from offhook.policies.core.principal import Principal

from ..contracts.bodies import JournalEntry
from ..contracts.errors import NotRunning, StopFault
from . import login

P = ParamSpec("P")
T = TypeVar("T")

PROBLEM = "application/problem+json"  # RFC 9457; not from problems.py, which loads the whole web server
ASK_WITHIN_S = 30.0  # a call may ring for a while before it is placed
DRAIN_LOOK_S = 0.5  # between two looks for calls that are live: who waits for minutes does not notice it
HOW_TO_START = "start it with: offhook up --policy DIR"


@dataclass(frozen=True, slots=True)
class Running:
    """What one running installation tells about itself; the ready line of `offhook up` is this, as JSON."""

    api: str
    media: str
    console: str
    policy: str  # the default's name
    policy_version: str
    pid: int  # of `offhook up`
    pid_born: int  # when that process started, in clock ticks since boot: a reused pid has another
    ray: str  # the address of the cluster
    ray_started_here: bool
    state_dir: str

    def alive(self) -> bool:
        """Whether the process that wrote this still runs."""
        return born(self.pid) == self.pid_born != 0


def born(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 = there is none. Source: proc_pid_stat(5), field 22."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        after_name = stat.rpartition(")")[2].split()
        return 0 if after_name[0] == "Z" else int(after_name[19])
    except (OSError, IndexError, ValueError):
        return 0


def write(file: Path, running: Running) -> None:
    """Tell the others; whoever reads at this moment gets the old file or the new one, never half of it."""
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(running), indent=1) + "\n")
    draft.replace(file)


def read(file: Path) -> Running | None:
    """What the state file says; None where there is none that can be read."""
    try:
        return Running(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def forget(file: Path, pid: int) -> None:
    """Remove the state file where it is that process's."""
    running = read(file)
    if running is not None and running.pid == pid:
        with contextlib.suppress(OSError):
            file.unlink()


def find(file: Path) -> Running:
    """The installation that runs.

    Raises:
        NotRunning: none does.
    """
    running = read(file)
    if running is None:
        raise NotRunning(f"no offhook runs here (no {file}); {HOW_TO_START}")
    if not running.alive():
        raise NotRunning(f"offhook ran here as process {running.pid}, which is gone; {HOW_TO_START}")
    return running


def end(running: Running, within_s: float) -> None:
    """Ask the installation to end, and wait until it has.

    Raises:
        StopFault: it has not; the message says what to do.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while running.alive():
        if time.monotonic() > deadline:
            raise StopFault(
                f"process {running.pid} still runs after {within_s:g} s; end it with: kill -9 {running.pid}"
            )
        time.sleep(0.05)


def drain(
    api: Api, within_s: float, progress: Callable[[str], None], rest: Callable[[float], None] = time.sleep
) -> int:
    """Have no node take new calls, and wait until the live ones have ended; returns how many have not.

    The nodes may take calls again afterwards: a cluster outlives an installation, and would refuse the next one's.

    Args:
        within_s: how long to wait at most.
        progress: told whenever the number of live calls has changed.
        rest: waits for so many seconds.
    """
    nodes = [row["node"] for row in api.get("/v1/nodes")["nodes"]]
    told = -1
    until = time.monotonic() + within_s
    try:
        for node in nodes:
            api.post(f"/v1/nodes/{node}/drain", {})
        while (live := int(api.get("/v1/calls", live="true", limit=1)["total"])) and time.monotonic() < until:
            if live != told:
                progress(f"no new calls; still live: {live}")
                told = live
            rest(DRAIN_LOOK_S)
        return live
    finally:
        for node in nodes:
            api.delete(f"/v1/nodes/{node}/drain")


class Api:
    """A running installation's API. Problems that it answers become errors again."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=ASK_WITHIN_S, headers=login.headers())

    def ask(self, declared: Callable[Concatenate[Any, P], Awaitable[T]], *given: P.args, **named: P.kwargs) -> T:
        """Have an operation carried out that has an address, as in `api.ask(ClusterOperations.rollout, "sales")`.

        Raises:
            CallerFault, WorldFault: as the operation does. NotRunning.
        """
        operation = operation_of(declared)
        address = operation.address
        if address is None:
            raise Bug(f"operation {operation.name} has no address; its declaration gives it one")
        arguments = operation.given(*given, **named)
        parameters = operation.signature.parameters
        in_path = {name: str(value) for name, value in arguments.items() if f"{{{name}}}" in address.path}
        path = address.path.format_map({name: quote(value, safe="") for name, value in in_path.items()})
        rest = {name: value for name, value in arguments.items() if name not in in_path}
        for name in rest:
            if parameters[name].annotation is Principal:
                rest[name] = read_as(Principal, rest[name], name).text
        body = next((rest.pop(name) for name in tuple(rest) if is_dataclass(parameters[name].annotation)), None)
        return operation.answer(self._ask(address.method, path, params=rest, json=body))

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return dict(self._ask("GET", path, params=parameters))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(self._ask("POST", path, json=body))

    def delete(self, path: str, **parameters: Any) -> dict[str, Any]:
        return dict(self._ask("DELETE", path, params=parameters) or {})

    def call_id(self, written: str) -> str:
        """The whole id of a call, from its beginning; `last` = the newest one.

        Raises:
            CallerFault: no call, or more than one, begins like that.
        """
        calls = [row["call_id"] for row in self.get("/v1/calls", limit=1_000)["calls"]]
        if written == "last":
            if not calls:
                raise CallerFault("there was no call yet")
            return str(calls[0])
        if written in calls:
            return written
        found = [call for call in calls if call.startswith(written)]
        if len(found) > 1:
            raise CallerFault(f"{written!r} is the beginning of {len(found)} calls: {', '.join(found[:5])}")
        return str(found[0]) if found else written  # the journal may know a call that the list has forgotten

    def journal(self, call: str) -> list[JournalEntry]:
        """All records of a call."""
        records: list[JournalEntry] = []
        after_seq: int | None = -1
        while after_seq is not None:
            page = self.get(f"/v1/calls/{call}/journal", after_seq=after_seq, limit=5_000)
            records += page["records"]
            after_seq = page["next_after_seq"]
        return records

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise NotRunning(f"{self.url} does not answer: {error}; {HOW_TO_START}") from error
        if answer.is_success:
            return answer.json() if answer.content else None
        if answer.headers.get("content-type", "").startswith(PROBLEM):
            body = answer.json()
            raise (WorldFault if answer.status_code >= 500 else CallerFault)(f"{body['title']}: {body['detail']}")
        raise WorldFault(f"{self.url}{path} answered {answer.status_code} {answer.reason_phrase}")
