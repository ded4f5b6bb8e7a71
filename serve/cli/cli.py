"""The command line. Each command reads its options, asks somebody, and shows the answer; nothing is decided here.

Exit codes: 0 done, 1 something outside failed (nothing runs, a port is taken), 2 what was asked for is wrong,
70 a fault of offhook. Standard output has what was asked for, standard error everything else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from offhook.policies.core.errors import Bug, CallerFault, OffhookError
from rich.markup import escape

from ..client import running
from ..config.settings import Settings, prepare_ray_environment
from ..config.settings import read as read_settings
from ..config.settings import unknown as unknown_settings
from ..contracts.errors import StartFault
from ..views import terminal
from . import cli_calls, cli_nodes
from .backtest import backtest
from .cli_chaos import chaos
from .cli_cost import cost
from .cli_metrics import metrics
from .cli_options import AsJson, StateDir, show, texts
from .cli_policies import policy_cli
from .cli_rollouts import rollout_cli
from .plan import plan

cli = typer.Typer(
    name="offhook",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.add_typer(policy_cli, name="policy")
cli.add_typer(rollout_cli, name="rollout")

STOP_WITHIN_S = 60.0
DETACH_WITHIN_S = 180.0


def _tell_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"offhook {metadata.version('offhook')}\n")
        raise typer.Exit()


@cli.callback()
def offhook(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="say which version this is")
    ] = False,
) -> None:
    """Supervises live phone conversations on a Ray cluster."""


def main() -> None:
    """The program."""
    prepare_ray_environment()
    try:
        cli()
    except Bug as error:
        _fail(f"a fault of offhook: {error}", 70)
    except OffhookError as error:
        _fail(str(error), 2 if isinstance(error, CallerFault) else 1)


# --- the house --------------------------------------------------------------------------------------------------------


@cli.command()
def up(
    port: Annotated[int | None, typer.Option(help="of the API and the console")] = None,
    media_port: Annotated[int | None, typer.Option(help="where carriers bring audio")] = None,
    host: Annotated[str | None, typer.Option(help="the address to listen on; 0.0.0.0 = all")] = None,
    spares: Annotated[int | None, typer.Option(help="warm call actors kept beyond the live calls")] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="a policy bundle, or a folder of them; the first leads by default")
    ] = None,
    recognizer: Annotated[str | None, typer.Option(help="moonshine or another one, deployed or none")] = None,
    synthesizer: Annotated[
        str | None, typer.Option("--synthesizer", "--voice", help="piper or another one, deployed, clip or tone")
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="recordings for --synthesizer clip")] = None,
    address: Annotated[str | None, typer.Option(help="of a Ray cluster to join (auto); else Ray starts here")] = None,
    cpus: Annotated[int | None, typer.Option(help="for a Ray that starts here; default: as found")] = None,
    journal: Annotated[str | None, typer.Option(help="redis://HOST:PORT/DB for a cluster; else SQLite")] = None,
    tools: Annotated[Path | None, typer.Option(help="a YAML file: which actions HTTP tools carry out")] = None,
    state_dir: StateDir = None,
    detach: Annotated[bool, typer.Option("--detach", help="return when ready, and run on in the background")] = False,
    json: AsJson = False,
) -> None:
    """Start offhook; when it is ready, print one line of JSON and stay until SIGINT or SIGTERM."""
    chosen: dict[str, Any] = {
        "port": port,
        "media_port": media_port,
        "host": host,
        "spares": spares,
        "policies": texts(policy),
        "recognizer": recognizer,
        "synthesizer": synthesizer,
        "clips": str(clips) if clips else None,
        "address": address,
        "cpus": cpus,
        "journal": journal,
        "tools": str(tools) if tools else None,
        "state_dir": str(state_dir) if state_dir else None,
    }
    settings = read_settings(**chosen)
    for strange in unknown_settings(os.environ):
        _progress(f"not a setting: {strange}")
    if detach:
        _detach(settings)
        return
    from ..installation.app import Installation

    stop = threading.Event()
    installation = Installation(settings, (lambda _what: None) if json else _progress)
    with _on_signal(lambda *_: sys.exit(130)):
        ready = installation.start()
        try:
            with _on_signal(lambda *_: stop.set()):  # once more: Ray has set handlers of its own meanwhile
                terminal.line_of_json(_told(ready))
                if not json:
                    _progress(f"ready: console at {ready.console}; end with Ctrl-C or: offhook down")
                stop.wait()
        finally:
            installation.stop()


@cli.command()
def down(
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="take no new calls, and give the live ones so long to end")
    ] = 0.0,
    state_dir: StateDir = None,
    json: AsJson = False,
) -> None:
    """End the offhook that runs here, and all that it started; calls that are live then get a goodbye."""
    file = read_settings(state_dir=str(state_dir) if state_dir else None).state_file
    here = running.find(file)
    if drain:
        left = running.drain(running.Api(here.api), drain, (lambda _what: None) if json else _progress)
        if left:
            _progress(f"not ended within {drain:g} s and ended now: {left}")
    running.end(here, STOP_WITHIN_S)
    running.forget(file, here.pid)
    show({"stopped": here.pid}, json, lambda: f"offhook (process {here.pid}) has ended")


@cli.command()
def demo(
    calls: Annotated[int, typer.Option(min=0, max=50, help="how many callers; 0 = each script once")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="keep the figures as JSON", metavar="FILE")] = None,
    scripts: Annotated[Path | None, typer.Option(help="a folder of callers' scripts")] = None,
    policy: Annotated[Path | None, typer.Option(help="a folder of policies")] = None,
) -> None:
    """Start an offhook, have scripted callers call it with recorded speech, show what happens, and stop it."""
    from .demo import run_demo

    with _on_signal(lambda *_: sys.exit(130)):
        failures = run_demo(calls, json, scripts, policy, _progress)
    if failures:
        raise typer.Exit(1)


@cli.command()
def simulate(
    calls: Annotated[int, typer.Option(min=1, help="how many")] = 1_000,
    seed: Annotated[int, typer.Option(help="of the first; the next call has the next seed")] = 1,
    policy: Annotated[Path | None, typer.Option(help="with --journal: the bundle that leads the calls")] = None,
    journal: Annotated[Path | None, typer.Option(help="write the calls into this new journal", metavar="FILE")] = None,
    json: AsJson = False,
) -> None:
    """Play whole calls on virtual time, with generated callers and faults, and check what must never be."""
    if (policy is None) is not (journal is None):
        raise CallerFault("--policy and --journal go together: the bundle that leads, and where its calls are written")
    if policy is not None and journal is not None:
        from .simulated import record

        told = record(journal, policy, calls, seed)
        show(told, json, lambda: f"{told['calls']} calls led by {told['policy']} {told['version']} are in {journal}")
        return
    from offhook.policies.simulation.run import simulate as run

    report = run(calls=calls, seed=seed)
    body = {
        "calls": report.calls,
        "events": report.events,
        "talk_s": report.lasted_ms // 1_000,
        "outcomes": dict(report.outcomes.most_common()),
        "violations": report.lines(),
    }
    show(body, json, lambda: terminal.simulated(body))
    if report.failures:
        raise typer.Exit(1)


for _name, _command in (
    ("plan", plan),
    ("backtest", backtest),
    ("chaos", chaos),
    ("call", cli_calls.place_script),
    ("calls", cli_calls.calls),
    ("show", cli_calls.show),
    ("explain", cli_calls.explain),
    ("replay", cli_calls.replay_call),
    ("hangup", cli_calls.hangup),
    ("approve", cli_calls.approve),
    ("cost", cost),
    ("metrics", metrics),
    ("nodes", cli_nodes.nodes),
    ("drain", cli_nodes.drain),
):
    cli.command(_name)(_command)


# --- pieces ----------------------------------------------------------------------------------------------------------


def _told(ready: running.Running) -> dict[str, Any]:
    """The ready line."""
    names = ("api", "media", "console", "policy", "policy_version", "pid", "ray", "state_dir")
    return {name: getattr(ready, name) for name in names}


@contextmanager
def _on_signal(act: Callable[..., None]) -> Iterator[None]:
    """What to do when somebody wants the program to end."""
    before = {number: signal.signal(number, act) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(what: str) -> None:
    terminal.progress(what)


def _fail(message: str, code: int) -> None:
    console = terminal.err()
    for line in message.splitlines():
        console.print(f"[red]offhook:[/red] {escape(line)}")
    sys.exit(code)


def _detach(settings: Settings) -> None:
    """Run `offhook up` as a process of its own, and hand its ready line on."""
    settings.state_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = settings.state_path / "up.log"
    words = [word for word in sys.argv[1:] if word != "--detach"]
    # -P: the working directory must not become importable in Ray's workers.
    command = [sys.executable, "-P", "-m", "offhook.serve.cli.cli", *words, *([] if "--json" in words else ["--json"])]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
    assert process.stdout is not None
    timer = threading.Timer(DETACH_WITHIN_S, process.terminate)
    timer.start()
    line = process.stdout.readline().decode().strip()
    timer.cancel()
    if not line:
        process.wait()
        said = log.read_text(errors="replace").strip().replace("offhook: ", "")
        raise (CallerFault if process.returncode == 2 else StartFault)(said or "offhook ended before it was ready")
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
