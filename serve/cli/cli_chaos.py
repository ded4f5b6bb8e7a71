"""`offhook chaos`: strike a running offhook, or one started for it, and account for every call afterwards."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from offhook.policies.core.errors import CallerFault

from ..client import running
from ..config.settings import read as read_settings
from ..contracts.errors import ScriptFault, StartFault
from ..views import terminal
from .cli_options import AsJson, StateDir, examples, show, texts

if TYPE_CHECKING:
    from ..callers.scenario import Script
    from ..chaos.run import Run
    from ..client.running import Running

ANSWER_S = 20.0


def chaos(
    seed: Annotated[int, typer.Option(help="the same seed, the same faults at the same moments")] = 1,
    seconds: Annotated[float, typer.Option(min=10, help="how long calls are placed and faults strike")] = 60.0,
    calls: Annotated[int, typer.Option(min=1, help="at a time")] = 4,
    fault: Annotated[
        list[str] | None, typer.Option(help="only this one (again for more); default: all but store_kill")
    ] = None,
    per_minute: Annotated[float, typer.Option(help="about so many faults")] = 12.0,
    gap_ms_max: Annotated[int, typer.Option(help="a silence inside of the agent's speech that needs no fault")] = 200,
    scripts: Annotated[Path | None, typer.Option(help="a folder of callers' scripts")] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="start an offhook with this policy, strike that, and stop it")
    ] = None,
    recognizer: Annotated[str | None, typer.Option(help="with --policy: moonshine or none")] = None,
    synthesizer: Annotated[
        str | None, typer.Option("--synthesizer", "--voice", help="with --policy: piper, clip or tone")
    ] = None,
    journal: Annotated[str | None, typer.Option(help="where the journal's Redis is, to pause it")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="really harm the offhook that runs here")] = False,
    state_dir: StateDir = None,
    json: AsJson = False,
) -> None:
    """Kill, stop, cut and block parts of an offhook under scripted calls, then account for everything.

    Exit code 1: something is not accounted for; the report ends with the command that repeats the run.
    """
    here = None if policy else _running_here(state_dir, yes)
    from ..chaos.run import Run  # here: it imports Ray, which reads its environment then

    run = Run(seed, seconds, calls, tuple(fault) if fault else Run().faults, per_minute, gap_ms_max)
    callers = _scripts(scripts)
    tell = (lambda _what: None) if json else terminal.progress
    if here is not None:
        _join(here)
        report = asyncio.run(_report(run, here, callers, journal or "", tell))
    else:
        words = tuple(str(Path(word).resolve()) for word in texts(policy) or ())
        with _started(words, recognizer, synthesizer, journal, calls) as ready:
            report = asyncio.run(_report(run, ready, callers, journal or "", tell, owns_ray=ready.ray_started_here))
    show(report, json, lambda: text(report))
    if report["violations"]:
        raise typer.Exit(1)


def _running_here(state_dir: Path | None, yes: bool) -> Running:
    here = running.find(read_settings(state_dir=str(state_dir) if state_dir else None).state_file)
    if not yes:
        raise CallerFault(f"chaos harms the offhook that runs here (process {here.pid}), and its calls: add --yes")
    if here.ray_started_here:  # such a cluster has this user's token (~/.ray/auth_token), and wants to see it
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    return here


def _scripts(folder: Path | None) -> list[Script]:
    from ..callers.scenario import load

    found = folder or examples("chaos", "chaos's callers")
    files = sorted(found.glob("*.yaml"))
    if not files:
        raise ScriptFault(f"{found}: no scripts (*.yaml) in it")
    return [load(file) for file in files]


@contextmanager
def _started(
    policies: tuple[str, ...], recognizer: str | None, synthesizer: str | None, journal: str | None, calls: int
) -> Iterator[Running]:
    """An offhook of our own, for as long as it takes."""
    from ..installation.app import Installation

    home = Path(tempfile.mkdtemp(prefix="offhook-chaos-"))
    settings = read_settings(
        port=0,
        media_port=0,
        metrics_port=0,
        spares=max(3, calls // 2),
        policies=policies,
        recognizer=recognizer,
        synthesizer=synthesizer,
        journal=journal,
        state_dir=str(home / "state"),
    )
    installation = Installation(replace(settings, runtime_dir=str(home / "run")), terminal.progress)
    try:
        yield installation.start()
    finally:
        installation.stop()
        shutil.rmtree(home, ignore_errors=True)


def _join(here: Running) -> None:
    """Join its Ray cluster, to reach its supervisors.

    Raises:
        StartFault: it cannot be joined.
    """
    import ray
    from offhook.actors.refs.handles import NAMESPACE

    logging.getLogger("ray").setLevel(logging.ERROR)
    os.chdir(here.state_dir)  # Ray puts the working directory on its workers' path
    try:
        ray.init(here.ray, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise StartFault(f"Ray at {here.ray!r} cannot be joined: {error}") from error


async def _report(
    run: Run, here: Running, scripts: Sequence[Script], redis_url: str, tell: Any, *, owns_ray: bool = False
) -> dict[str, Any]:
    import httpx

    from ..chaos.run import Chaos, Installation

    async with httpx.AsyncClient(base_url=here.api, timeout=ANSWER_S) as api:
        redis = redis_url if "://" in redis_url and not redis_url.startswith("sqlite") else ""
        return await Chaos(run, Installation(api, redis, owns_ray), scripts, tell).report()


def text(report: dict[str, Any]) -> str:
    """The report for a terminal or a file: plain lines."""
    lines = [f"{report['calls']} calls, {len(report['struck'])} faults (seed {report['seed']})", ""]
    for struck in report["struck"]:
        what = f"not done: {struck['missed']}" if struck["missed"] else struck["target"]
        lines.append(f"  {struck['at_ms'] / 1_000:7.1f} s  {struck['fault']:16} {what}")
    lines += ["", *(f"  {count:9,}  {what}" for what, count in report["counts"].items()), ""]
    for violation in report["violations"]:
        moment = f"{violation['call']} at {violation['at_ms']} ms"
        lines.append(f"  NOT HELD  {violation['checker']}: {violation['message']} ({moment})")
    found = len(report["violations"])
    lines.append(f"{found} violations; again: {report['repeat']}" if found else "everything is accounted for")
    return "\n".join(lines)
