"""The demo: an offhook of its own, scripted callers side by side, a live timeline, and a table from the journal.

Nothing is staged: callers come in over the carrier's protocol on real sockets, are heard by the real recognizer and
answered by the real voice, and what is shown is read from the journal over the API.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import yaml
from offhook.policies.agents.base import fixed

from ..callers import scenario
from ..callers.redirect import Resume
from ..callers.scenario import Script
from ..callers.softphone import CallRecord, place
from ..carriers import registry
from ..client.running import Running
from ..config.settings import Settings
from ..config.settings import read as read_settings
from ..contracts.errors import ScriptFault
from ..views.call_summary import CallSummary
from ..views.journal_view import record
from ..views.timeline import Timeline
from .cli_options import examples, writable

POLL_S = 0.15  # a journal is read this often: below what an eye notices, 7 requests a second and call
STAGGER_S = 1.2  # between two calls: five greetings at once would be one noise to whoever watches
SETTLE_S = 5.0  # after a call: until its last record is in the journal
CALL_S_MAX = 180.0
CALLS_MAX = 50

Progress = Callable[[str], None]


class Captions:
    """What the agent of one call says and does, for its caller's script; read from the call's journal."""

    def __init__(self, summary: CallSummary) -> None:
        self._summary = summary

    def utterances(self) -> Sequence[str]:
        """See `softphone.Captions`."""
        return self._summary.utterances

    def acts(self) -> Mapping[str, str]:
        """See `softphone.Captions`."""
        return self._summary.tools


def find_scripts(folder: Path | None) -> list[Script]:
    """The callers: of `folder`, else of the repository that this runs from.

    Raises:
        ScriptFault: there are none, or one cannot be used.
    """
    folder = folder or examples("calls", "the demo's callers")
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ScriptFault(f"{folder}: no scripts (*.yaml) in it")
    return [scenario.load(file) for file in files]


def run_demo(
    calls: int = 0,
    json_path: Path | None = None,
    scripts: Path | None = None,
    policy: Path | None = None,
    progress: Progress = print,
) -> int:
    """Start offhook, let the callers call, show what happens, stop it. Returns the number of failed expectations.

    Args:
        calls: how many callers; 0 = each script once, more than there are scripts = some call again.
        json_path: where the figures go as JSON too.
        scripts: a folder of scripts; policies are looked for beside it.
        policy: a folder of policies.

    Raises:
        ScriptFault, PolicyError, CallerFault: what was handed in cannot be used.
        StartFault: offhook did not come up.
    """
    from ..installation.app import Installation  # Ray is imported only where it is started

    began_s = time.monotonic()
    json_path = json_path and json_path.resolve()  # starting Ray changes the working directory
    writable("--json", json_path)
    found = find_scripts(scripts)
    chosen = [found[n % len(found)] for n in range(min(calls, CALLS_MAX) or len(found))]
    folder = policy or Path(found[0].path).resolve().parent.parent / "policies"
    if not folder.is_dir():
        raise ScriptFault(f"{folder}: the callers' policies are not beside their scripts; name them with --policy DIR")
    home = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
    installation = Installation(_settings(home, folder, len(chosen)), progress)
    try:
        ready = installation.start()
        progress(f"ready after {time.monotonic() - began_s:.0f} s; warming the voice")
        _warm_voice(folder, [script.policy or ready.policy for script in chosen])
        results = asyncio.run(_calls(ready, chosen))
    finally:
        installation.stop()
        shutil.rmtree(home, ignore_errors=True)
    total_s = round(time.monotonic() - began_s, 1)
    figures = {"seconds": total_s, "calls": results, **_overall(results)}
    if json_path is not None:
        json_path.write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    failures = sum(len(result["failures"]) for result in results)
    progress(f"{len(results)} calls, {failures} failed expectations, {total_s:.0f} s from start to finish")
    return failures


def _settings(home: Path, policies: Path, spares: int) -> Settings:
    settings = read_settings(
        port=0,
        media_port=0,
        metrics_port=0,
        spares=spares,
        policies=(str(policies),),
        recognizer="moonshine",
        synthesizer="piper",
        state_dir=str(home / "state"),
    )
    return replace(settings, runtime_dir=str(home / "run"))


def _warm_voice(folder: Path, policies: Sequence[str]) -> None:
    """Have the policies' fixed lines made before the first call, as a long-running installation has them."""
    from ray import serve

    texts: list[str] = []
    for name in dict.fromkeys(policies):
        file = folder / name / "policy.yaml"
        if not file.is_file():
            continue
        body = yaml.safe_load(file.read_text())
        for agent in body.get("agents", {}).values():
            texts += [fixed(line) for line in agent.get("lines", {}).values()]
        texts += [body.get("answering", {}).get("message", ""), *body.get("silence", {}).get("lines", {}).values()]
    handle = serve.get_app_handle("offhook-synthesizer")
    handle.warm.remote([text for text in texts if text]).result(timeout_s=90)


async def _calls(ready: Running, scripts: Sequence[Script]) -> list[dict[str, Any]]:
    names = [script.caller for script in scripts]
    stories = [
        CallSummary(name if names.count(name) == 1 else f"{name} {names[: n + 1].count(name)}")
        for n, name in enumerate(names)
    ]
    async with httpx.AsyncClient(base_url=ready.api, timeout=20) as api:
        with Timeline(stories) as timeline:
            calls = [
                _call(api, script, summary, timeline, n * STAGGER_S)
                for n, (script, summary) in enumerate(zip(scripts, stories, strict=True))
            ]
            results = await asyncio.gather(*calls)
        timeline.table(results)
    return results


async def _call(
    api: httpx.AsyncClient, script: Script, summary: CallSummary, timeline: Timeline, after_s: float
) -> dict[str, Any]:
    """One caller's call, from the request to the last record."""
    await asyncio.sleep(after_s)
    request = {"policy": script.policy or None, "from": script.number, "to": "", "direction": script.direction}
    answer = await api.post("/v1/calls", json=request)
    if answer.is_error:
        failure = f"the call was not taken: {answer.status_code} {answer.text[:300]}"
        return _result(script, summary, None, "", [failure])
    placed: Mapping[str, str] = answer.json()
    watch = asyncio.create_task(_watch(api, placed["call_id"], summary, timeline))
    carrier = registry.named(placed["carrier"], read_settings().carrier_choices)
    resume = Resume.of(carrier, str(api.base_url), placed["call_id"])
    captions = Captions(summary)
    record = await place(script, placed["media_url"], carrier, captions=captions, call_s_max=CALL_S_MAX, resume=resume)
    failures = list(record.failures)
    try:
        await asyncio.wait_for(watch, SETTLE_S)
    except TimeoutError:
        failures.append(f"the journal has no end of this call {SETTLE_S:g} s after it")
    return _result(script, summary, record, placed["call_id"], failures)


async def _watch(api: httpx.AsyncClient, call: str, summary: CallSummary, timeline: Timeline) -> None:
    """Read the journal as it grows, until the call's last record."""
    while not summary.over:
        answer = await api.get(f"/v1/calls/{call}/journal", params={"after_seq": summary.seq})
        if answer.is_success:
            for entry in answer.json()["records"]:
                for line in summary.fold(record(call, entry)):
                    timeline.show(summary, line)
            timeline.refresh()
        await asyncio.sleep(POLL_S)


def _result(
    script: Script, summary: CallSummary, record: CallRecord | None, call: str, failures: list[str]
) -> dict[str, Any]:
    line = record.plain() if record is not None else {}
    about = {"call_id": call, "script": script.name, "about": script.about, "failures": failures}
    return {**summary.summary(), **about, "line": line}


def _overall(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over all calls."""
    holds = [hold["hold_ms"] for result in results for hold in result["holds"]]
    replies = [ms for result in results for ms in result["replies_ms"]]
    return {
        "hold_ms_median": statistics.median(holds) if holds else None,
        "reply_ms_median": statistics.median(replies) if replies else None,
        "gaps": sum(len(result["line"].get("gaps", ())) for result in results),
    }
