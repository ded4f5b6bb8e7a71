"""Commands about calls: list, show, explain, replay, hang up, and place a scripted one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import httpx
import typer
from offhook.cluster.operations import ClusterOperations
from offhook.policies.core.errors import CallerFault
from rich.markup import escape

from ..client import running
from ..contracts.bodies import JournalEntry
from ..views import terminal
from .cli_options import ApiUrl, AsJson, By, CallId, StateDir, api_of, signed, writable
from .cli_options import show as answer

if TYPE_CHECKING:  # what only some commands need (the rules, numpy) is loaded by them: the others answer sooner
    from offhook.policies.core.records import Record
    from offhook.policies.replay.replay import Replay

    from ..callers.scenario import Script
    from ..callers.softphone import CallRecord
    from ..views.call_summary import CallSummary
    from ..views.timeline import Timeline

LOOK_S = 0.15  # between two looks at the journal of a call under way
SETTLE_S = 5.0  # after the call, until its last record is in the journal


def calls(
    live: Annotated[bool, typer.Option("--live", help="only those that go on")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="the newest so many")] = 100,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """List calls, newest first."""
    wanted: dict[str, Any] = {"limit": limit, **({"live": "true"} if live else {})}
    body = api_of(state_dir, api).get("/v1/calls", **wanted)
    answer(body, json, lambda: terminal.calls(body["calls"], time.time()))


def show(call: CallId, state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """Show all that a call knows: floor, stage, evidence, concerns, owner."""
    asked = api_of(state_dir, api)
    state = asked.get(f"/v1/calls/{asked.call_id(call)}")
    answer(state, json, lambda: terminal.call(state))


def explain(
    call: CallId,
    all_rules: Annotated[bool, typer.Option("--all", help="also the rules that were met")] = False,
    said: Annotated[bool, typer.Option("--said", help="also what the caller and the agent said")] = False,
    would: Annotated[
        str | None, typer.Option(help="an action that nobody proposed: what would it have needed?", metavar="ACTION")
    ] = None,
    at: Annotated[int | None, typer.Option(help="with --would: the moment, in ms; default: the end")] = None,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Say why each thing was done or not: every verdict with the numbers, how answers were read, what was owed."""
    asked = api_of(state_dir, api)
    call_id = asked.call_id(call)
    entries = asked.journal(call_id)
    if would is not None:
        from offhook.policies.replay.explain import lines

        supposed = _needed(entries, call_id, would, at)
        answer(supposed, json, lambda: "\n".join(escape(line) for line in lines(supposed)))
        return
    from ..views import account_view

    rows = account_view.rows(as_records(entries, call_id), said)
    answer(account_view.plain(call_id, rows), json, lambda: account_view.text(rows, all_rules))


def replay_call(
    call: CallId,
    policy: Annotated[Path | None, typer.Option(help="decide by this bundle instead of the call's own")] = None,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Fold a call's journal again, and compare every command with what was decided then."""
    from offhook.policies.replay.replay import replay

    from ..bundles.policy_files import load

    asked = api_of(state_dir, api)
    call_id = asked.call_id(call)
    records = as_records(asked.journal(call_id), call_id)
    found = replay(records, load(policy).policy if policy else None)
    body = {
        "call_id": call_id,
        "same": found.same,
        "events": found.events,
        "commands": found.commands,
        "compared": found.compared,
        "ended": found.ended,
        "divergence": asdict(found.divergence) if found.divergence else None,
        "uncompared": found.uncompared,
    }
    answer(body, json, lambda: _replayed(found))
    if not found.same:
        raise typer.Exit(1)


def hangup(
    call: CallId,
    reason: Annotated[str, typer.Option(help="kept in the journal")] = "hung up by an operator",
    by: By = None,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """End a call."""
    asked = api_of(state_dir, api)
    call_id = asked.call_id(call)
    state = asked.get(f"/v1/calls/{call_id}")
    if not state.get("live"):
        answer({"call_id": call_id, **_ending(state)}, json, lambda: f"call {call_id} {escape(_ended(state))}")
        return
    asked.delete(f"/v1/calls/{call_id}", reason=reason, by=signed(by))
    answer({"call_id": call_id}, json, lambda: f"call {call_id} was asked to end")


def approve(
    call: CallId,
    proposal: Annotated[
        str | None, typer.Argument(help="which, as `offhook show` names it; default: the only one", metavar="PROPOSAL")
    ] = None,
    no: Annotated[bool, typer.Option("--no", help="refuse it")] = False,
    by: By = None,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Approve, or refuse, what waits for a person in a call; the gate checks it once more against that moment."""
    asked = api_of(state_dir, api)
    call_id = asked.call_id(call)
    waiting = asked.get(f"/v1/calls/{call_id}").get("approvals") or []
    names = [str(each["proposal"]) for each in waiting]
    if not names:
        raise CallerFault(f"nothing waits for a person in call {call_id}")
    if proposal is None and len(names) == 1:
        proposal = names[0]
    if proposal not in names:
        told = "; ".join(f"{each['proposal']} ({each['action']})" for each in waiting)
        what = f"no proposal {proposal!r} waits" if proposal else "say which of them"
        raise CallerFault(f"{what} in call {call_id}; what waits for a person there: {told}")
    signature = signed(by)
    body = asked.post(
        f"/v1/calls/{call_id}/proposals/{quote(str(proposal), safe='')}", {"approved": not no, "operator": signature}
    )
    answer(body, json, lambda: f"{escape(str(proposal))} {'refused' if no else 'approved'}, signed {escape(signature)}")


def place_script(
    script: Annotated[Path, typer.Argument(help="a caller's script (YAML)", metavar="SCRIPT")],
    policy: Annotated[str | None, typer.Option(help="the name of a published policy; default: the script's")] = None,
    wav: Annotated[Path | None, typer.Option(help="keep what the caller heard (last), as a WAV file")] = None,
    times: Annotated[int, typer.Option(min=1, max=1_000, help="call so often, one call after the other")] = 1,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Call a running offhook as a scripted caller, with recorded speech."""
    from ..callers.scenario import load

    writable("--wav", wav)
    caller = load(script)
    asked = api_of(state_dir, api)
    name = policy or _published(asked, caller.policy)
    wanted = {"from": caller.number, "direction": caller.direction} | ({"policy": name} if name else {})
    failed: dict[str, str] = {}
    for _ in range(times):
        placed = asked.post("/v1/calls", wanted)
        record = asyncio.run(_place(caller, asked.url, placed, json))
        if record.failures:
            failed[placed["call_id"]] = record.failures[0]
        body = {"call_id": placed["call_id"], **record.plain()}
        answer(body, json, partial(terminal.record, body))
    if wav is not None:
        wav.write_bytes(record.wav("heard"))
    if failed:
        for call_id, why in failed.items():
            typer.echo(f"call {call_id} was not as the script is: {why}", err=True)
        raise typer.Exit(1)


def _ending(state: dict[str, Any]) -> dict[str, Any]:
    """How a call ended, as far as its state tells: outcome, by whom or what, when (Unix time in ms; 0 = not known)."""
    ended_ms = int(state.get("ended_unix_ms") or 0)
    if not ended_ms and state.get("ended_at_ms") and state.get("created_unix_ms"):
        ended_ms = int(state["created_unix_ms"]) + int(state["ended_at_ms"])
    by = str((state.get("progress") or {}).get("ended_by", ""))
    return {"outcome": state.get("outcome", ""), "ended_by": by, "ended_unix_ms": ended_ms}


def _ended(state: dict[str, Any]) -> str:
    ending = _ending(state)
    when = terminal.clock(ending["ended_unix_ms"])
    by = f" by {ending['ended_by']}" if ending["ended_by"] else ""
    return f"had ended already, at {when}: {ending['outcome'] or 'outcome not known'}{by}"


def as_records(entries: list[JournalEntry], call: str) -> list[Record]:
    """The API's journal entries as the records that they were."""
    from ..views import journal_view

    return [journal_view.record(call, each) for each in entries]


async def _place(caller: Script, url: str, placed: dict[str, Any], quiet: bool) -> CallRecord:
    """Carry the script out, and show the call's timeline meanwhile."""
    from ..callers.redirect import Resume
    from ..callers.softphone import place
    from ..carriers import registry
    from ..config.settings import read as read_settings
    from ..views.call_summary import CallSummary
    from ..views.timeline import Timeline
    from .demo import Captions

    summary = CallSummary(caller.caller)
    show_lines = None if quiet else Timeline([summary])
    async with httpx.AsyncClient(base_url=url, timeout=10) as api:
        with show_lines or contextlib.nullcontext():
            watching = asyncio.create_task(_watch(api, placed["call_id"], summary, show_lines))
            try:
                carrier = registry.named(placed["carrier"], read_settings().carrier_choices)
                resume = Resume.of(carrier, url, placed["call_id"])
                record = await place(caller, placed["media_url"], carrier, captions=Captions(summary), resume=resume)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(watching, SETTLE_S)
                return record
            finally:
                watching.cancel()


async def _watch(api: httpx.AsyncClient, call: str, summary: CallSummary, timeline: Timeline | None) -> None:
    """Read the call's journal as it grows, to its end; an API that does not answer is asked again."""
    from ..views.journal_view import record

    while not summary.over:
        with contextlib.suppress(httpx.HTTPError):
            answered = await api.get(f"/v1/calls/{call}/journal", params={"after_seq": summary.seq})
            for entry in answered.json()["records"] if answered.is_success else ():
                for line in summary.fold(record(call, entry)):
                    if timeline is not None:
                        timeline.show(summary, line)
            if timeline is not None:
                timeline.refresh()
        await asyncio.sleep(LOOK_S)


def _published(asked: running.Api, name: str) -> str:
    """The script's policy where it is published; a script may be tried against another one too."""
    known = [each.name for each in asked.ask(ClusterOperations.policies).policies]
    return name if name in known else ""


def _needed(entries: list[JournalEntry], call: str, action: str, at_ms: int | None) -> dict[str, Any]:
    from offhook.policies.core.policy import recorded_policy
    from offhook.policies.core.records import EVENT, Start
    from offhook.policies.replay.explain import ACTIONS, needed
    from offhook.policies.replay.replay import replay

    records = as_records(entries, call)
    start = next((start for record in records if (start := record.told(Start)) is not None), None)
    if start is None:
        raise CallerFault(f"the journal of call {call} has no beginning")
    seqs = [record.seq for record in records if record.kind == EVENT and (at_ms is None or record.at_ms <= at_ms)]
    if not seqs:
        raise CallerFault(f"call {call} had no event up to {at_ms} ms")
    policy = recorded_policy(start.policy)
    known = sorted({*policy.gate.actions, *ACTIONS})
    if action not in known and not action.startswith("say:"):
        raise CallerFault(
            f"policy {policy.name} knows no action {action!r}; it knows {', '.join(known)}, say:<purpose>"
        )
    return needed(replay(records, until_seq=seqs[-1]).state, policy, action)


def _replayed(found: Replay) -> str:
    told = f"{found.events} events, {found.commands} commands"
    if found.divergence is None and found.uncompared:
        return f"[yellow]not compared[/yellow]: {found.uncompared}; {found.compared} of {told} were the same"
    if found.divergence is None:
        return f"[green]the same[/green], byte for byte: {told}"
    return f"[red]differs[/red] after {told}: {escape(str(found.divergence))}"
