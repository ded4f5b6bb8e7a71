"""Commands about rollouts: start one, look at it, give it orders, follow what its shadows find."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from offhook.actors.contracts.operations import wrong
from offhook.cluster.operations import ClusterOperations, RolloutRequest, RolloutStatus
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.rollout import GUARDS, MARKS, SHADOW_MARKS, Plan
from offhook.policies.gate.autonomy import LADDER
from pydantic import ValidationError

from ..bundles.policy_files import load
from ..client.running import Api
from ..views import rollout_view, terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, is_folder, show

rollout_cli = typer.Typer(help="From one version of a policy to the next, step by step.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a rollout, or its policy for the newest one", metavar="NAME")]
FOLLOW_S = 1.0  # between two looks: the director ticks as often
_GUARD = re.compile(r"^([a-z_]+)(?:=(\d+(?:\.\d+)?)(\s*%)?)?$")


@rollout_cli.command("start")
def start(
    version: Annotated[
        str, typer.Argument(help="the published version that shall lead, or its bundle's folder", metavar="VERSION")
    ],
    shadow: Annotated[bool, typer.Option("--shadow", help="first let it decide on live calls and do nothing")] = False,
    shadow_calls: Annotated[int, typer.Option(min=1, help="calls that are shadowed before it goes on")] = 20,
    canary: Annotated[
        str, typer.Option(help="shares of new calls in %, step by step; 100 at the end = live without asking")
    ] = "1,5,25,100",
    calls: Annotated[int, typer.Option(min=1, help="calls of the candidate before a step is left")] = 30,
    step: Annotated[str, typer.Option(help="how long a step lasts at least: 90 s, 10 min")] = "60 s",
    guard: Annotated[
        list[str] | None,
        typer.Option(
            help="instead of the usual guards: MARK, MARK=1.5 (times the baseline), MARK=20% (of calls), or none; "
            f"marks: {', '.join((*MARKS, *SHADOW_MARKS))}"
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(help="share of good candidates that may be rolled back by mistake")] = 0.01,
    autonomy: Annotated[
        str, typer.Option(help=f"of tools and transfers, step by step, the last for the rest: {', '.join(LADDER)}")
    ] = "act",
    direction: Annotated[str, typer.Option(help="inbound or outbound; default: both")] = "",
    numbers: Annotated[str, typer.Option(help="only calls with these remote numbers, a pattern: '+49*'")] = "",
    live: Annotated[bool, typer.Option("--live", help="in the end running calls go over too")] = False,
    deadline: Annotated[str, typer.Option(help="with --live: how long a call may wait for a safe point")] = "10 s",
    at_deadline: Annotated[str, typer.Option(help="with --live: then force it, or keep its version")] = "keep",
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Roll a published version out, from the one that leads its policy now."""
    if is_folder(version):
        version = load(Path(version)).version
    plan: dict[str, Any] = {
        "shadow": shadow,
        "shadow_calls_min": shadow_calls,
        **steps_of(canary, autonomy),
        "calls_min": calls,
        "step": step,
        "alpha_share": alpha,
        "direction": direction,
        "numbers": numbers,
    }
    if guard:
        plan["guards"] = guards_of(guard)
    if live:
        plan["live"] = {"deadline": deadline, "at_deadline": at_deadline}
    try:
        request = RolloutRequest(version, Plan.model_validate(plan))
    except ValidationError as error:
        raise CallerFault(f"plan: {wrong(error)}") from None
    told = api_of(state_dir, api).ask(ClusterOperations.rollout_start, request)
    show(told, json, lambda: rollout_view.status(told))


@rollout_cli.command("status")
def status(
    name: Annotated[str | None, typer.Argument(help="default: list all", metavar="NAME")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="one line whenever something changes, until it is over")
    ] = False,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Show where a rollout stands, its counts, and how near its guards are to rolling it back."""
    asked = api_of(state_dir, api)
    if name is None:
        body = asked.ask(ClusterOperations.rollouts)
        show(body, json, lambda: rollout_view.rows(body.rollouts))
        return
    told = asked.ask(ClusterOperations.rollout, name)
    if follow:
        _follow(asked, told, json)
        return
    show(told, json, lambda: rollout_view.status(told))


def _follow(asked: Api, told: RolloutStatus, json: bool) -> None:
    """A line for every change, until the rollout is over; then why it ended as it did."""
    shown = ""
    while True:
        line = rollout_view.line(told)
        if line != shown:
            shown = line
            show(told, json, lambda line=line: line)  # type: ignore[misc]
        if told.stage not in rollout_view.GOING_ON:
            return
        time.sleep(FOLLOW_S)
        told = asked.ask(ClusterOperations.rollout, told.name)


@rollout_cli.command("report")
def report(
    name: Name,
    rows: Annotated[int, typer.Option(min=0, max=1_000, help="also the newest differences")] = 0,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Show what its shadows have found on live calls, in the form of a backtest's report."""
    from ..views import backtest_report

    asked = api_of(state_dir, api)
    body = asked.get(f"/v1/rollouts/{name}/report")
    if rows:
        body["newest"] = asked.get(f"/v1/rollouts/{name}/divergence", limit=1_000)["rows"][-rows:]
    show(body, json, lambda: backtest_report.text(body))
    if rows and not json:
        terminal.out().print(rollout_view.differences(body["newest"]))


def _order(word: Literal["pause", "resume", "promote", "abort"], help: str) -> None:
    @rollout_cli.command(word, help=help)
    def order(name: Name, state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
        asked = api_of(state_dir, api)
        told = asked.ask(ClusterOperations.rollout_order, name, word)
        show(told, json, lambda: rollout_view.status(told))


_order("pause", "Give its candidate no more new calls; those that go on are still guarded.")
_order("resume", "Go on where it was paused.")
_order("promote", "Let the candidate lead all new calls now.")
_order("abort", "Go back to the version that led before; running calls too. Also for one that is live.")


def steps_of(canary: str, autonomy: str) -> dict[str, Any]:
    """ "1,5,100" and "suggest,act" -> {steps, promote, autonomy}. Shares are in %; 100 = live, without asking.

    Raises:
        CallerFault: not numbers, or not a level.
    """
    try:
        shares = [float(each.strip().removesuffix("%")) for each in canary.split(",") if each.strip()]
    except ValueError:
        raise CallerFault(f"--canary {canary!r}: shares in %, with commas, for example 1,5,25,100") from None
    levels = [each.strip() for each in autonomy.split(",") if each.strip()]
    if wrong := [each for each in levels if each not in LADDER]:
        raise CallerFault(f"--autonomy {wrong[0]!r}: one of {', '.join(LADDER)}, with commas")
    if not levels or len(levels) > len(shares) + 1:
        raise CallerFault(f"--autonomy {autonomy!r}: 1 to {len(shares) + 1} levels for {len(shares)} shares")
    if wrong_shares := [share for share in shares if not 0 < share <= 100] or [s for s in shares[:-1] if s == 100]:
        raise CallerFault(f"--canary {wrong_shares[0]:g}: shares lie above 0 and below 100, the last may be 100")
    promote = bool(shares) and shares[-1] == 100
    steps = shares[:-1] if promote else shares
    level = [levels[min(number, len(levels) - 1)] for number in range(len(steps) + 1)]
    return {
        "steps": [{"share": share / 100, "autonomy": level[number]} for number, share in enumerate(steps)],
        "promote": promote,
        "autonomy": level[-1],
    }


def guards_of(written: list[str]) -> list[dict[str, Any]]:
    """What `--guard` says; a mark alone has its usual bound, `none` = no guards.

    Raises:
        CallerFault: not a mark, or no bound.
    """
    if written == ["none"]:
        return []
    usual = {guard.mark: guard.model_dump(mode="json") for guard in GUARDS}
    guards = []
    for each in written:
        found = _GUARD.match(each.strip())
        if found is None or (found[1] not in MARKS and found[1] not in SHADOW_MARKS):
            known = ", ".join((*MARKS, *SHADOW_MARKS))
            raise CallerFault(f"--guard {each!r}: MARK, MARK=1.5 or MARK=20%; marks: {known}")
        mark, number, percent = found.groups()
        if number is None:
            guards.append(usual.get(mark, {"mark": mark}))
        elif percent:
            guards.append({"mark": mark, "limit_share": float(number) / 100})
        else:
            guards.append({"mark": mark, "ratio_max": float(number)})
    return guards
