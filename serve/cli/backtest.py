"""`offhook backtest`: recorded calls led again by a candidate bundle, in parallel, and what would have differed.

Finds the calls, hands them out in batches, gathers what comes back. A batch runs in a worker process with a limit of
time: Ray tasks where there are many (Ray joins the cluster that is named, or starts here), child processes of this one
where there are few. Workers read the journal themselves. How a call is led again is `policies/replay/backtest.py`'s
matter, how it is told `views/backtest_report.py`'s.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as LateError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import typer
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.core.policy import recorded_policy
from offhook.policies.core.records import Record

from ..bundles.policy_files import load
from ..client import running
from ..config.settings import read as read_settings
from ..views import terminal
from .cli_options import AsJson, StateDir, writable

BATCH_CALLS = 25  # in one task: a fifth of a second of work, so that the last ones do not wait for one long batch
BATCH_S = 60.0  # a batch that takes longer holds an agent that hangs
RAY_FROM_CALLS = 2_000  # fewer are done before Ray has started
RECORDS_AT_ONCE = 20_000
CALLS_MAX = 100_000
_SPAN = re.compile(r"^(\d+)\s*(s|min|h|d)$")
_SPAN_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The bundle on trial, as workers take it."""

    policy: dict[str, Any]
    bundle: str
    recorded_agents: bool
    same_ms: int
    every_policy: bool = False  # also calls that a policy of another name led


def backtest(
    folder: Annotated[Path, typer.Argument(help="the candidate: a policy bundle", metavar="DIR")],
    journal: Annotated[
        str | None, typer.Option(help="a journal: an SQLite file, or redis://...; default: of the offhook here")
    ] = None,
    calls: Annotated[list[str] | None, typer.Option("--calls", help="only these; may be given several times")] = None,
    since: Annotated[str | None, typer.Option(help="only calls begun within the last: 90 min, 24 h, 7 d")] = None,
    limit: Annotated[int, typer.Option(min=1, max=CALLS_MAX, help="the newest so many")] = 10_000,
    recorded_agents: Annotated[
        bool, typer.Option("--recorded-agents", help="take what agents proposed then; run none of the candidate's")
    ] = False,
    every_policy: Annotated[
        bool, typer.Option("--every-policy", help="also calls that were led by a policy of another name")
    ] = False,
    same: Annotated[int, typer.Option(min=0, max=5_000, help="ms by which the same decision may move")] = 400,
    html: Annotated[Path | None, typer.Option(help="write the report as a page", metavar="FILE")] = None,
    ray: Annotated[bool | None, typer.Option("--ray/--no-ray", help="in Ray tasks; default: if there are many")] = None,
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; default: Ray starts here")] = None,
    state_dir: StateDir = None,
    json: AsJson = False,
) -> None:
    """Lead recorded calls again by another policy, and show which decisions would have differed."""
    from ..views import backtest_report

    writable("--html", html)
    bundle = load(folder)
    candidate = Candidate(bundle.plain(), str(bundle.path), recorded_agents, same, every_policy)
    journals = [journal] if journal else journals_of(state_dir)
    wanted = [(each, call) for each in journals for call in chosen(each, calls, since, limit)][:limit]
    if not wanted:
        raise CallerFault(f"no recorded calls to try in {', '.join(journals)}")
    began = time.monotonic()
    use_ray = len(wanted) >= RAY_FROM_CALLS if ray is None else ray
    run = in_ray(candidate, wanted, address) if use_ray else in_processes(candidate, wanted)
    told = [each for batch in run for each in batch]
    others = Counter(str(each["led_by"]) for each in told if "led_by" in each)
    told = [each for each in told if "led_by" not in each]
    led_by = ", ".join(f"{name} ({count})" for name, count in others.most_common())
    if not told:
        raise CallerFault(
            f"no recorded call was led by the policy {bundle.name}; they were by {led_by}: --every-policy"
        )
    if others:
        terminal.progress(f"left out, as other policies led them: {led_by}; with them: --every-policy")
    report = backtest_report.summary(told, bundle.name, bundle.version, time.monotonic() - began)
    if html is not None:
        html.write_text(backtest_report.page(report), encoding="utf-8")
    if json:
        terminal.line_of_json(report)
    else:
        terminal.out().print(backtest_report.text(report))


# --- which calls ------------------------------------------------------------------------------------------------------


def journals_of(state_dir: Path | None) -> list[str]:
    """The journals of the installation here, whether it runs or not.

    Raises:
        CallerFault: it has none yet.
    """
    settings = read_settings(state_dir=str(state_dir) if state_dir else None)
    if settings.journal:
        return [settings.journal]
    found = sorted(map(str, settings.state_path.glob("journal-*.sqlite")))
    if not found:
        raise CallerFault(
            f"{settings.state_dir}: no journal there; name one with --journal PATH ({running.HOW_TO_START})"
        )
    return found


def chosen(journal: str, calls: Sequence[str] | None, since: str | None, limit: int) -> list[str]:
    """The ids of the calls to try, newest first.

    Raises:
        CallerFault: the journal is not there, a call is not in it, or `since` is no span of time.
    """
    from_unix_ms = (time.time() - span_s(since)) * 1_000 if since else 0.0
    if "://" not in journal and not Path(journal).is_file():
        raise CallerFault(f"{journal}: no such journal")

    async def ask() -> list[str]:
        from offhook.actors.journals.stores import open_journal

        store = open_journal(journal)
        try:
            kept = await store.calls(CALLS_MAX)
        finally:
            await store.close()
        known = [each.call for each in kept if each.begun_unix_ms >= from_unix_ms]
        if calls is None or not calls:
            return known[:limit]
        if unknown := set(calls) - set(known):
            raise CallerFault(f"{journal}: no call {', '.join(sorted(unknown))} in it")
        return list(calls)

    return asyncio.run(ask())


def span_s(text: str) -> int:
    """ "24 h" -> 86400.

    Raises:
        CallerFault: not a whole number with a unit.
    """
    found = _SPAN.match(text.strip())
    if found is None:
        raise CallerFault(f"--since {text!r}: a number and a unit, one of {', '.join(_SPAN_S)}; for example 24 h")
    return int(found[1]) * _SPAN_S[found[2]]


# --- running ----------------------------------------------------------------------------------------------------------


def try_batch(candidate: Candidate, journal: str, calls: Sequence[str]) -> list[dict[str, Any]]:
    """One batch, in a worker process: read the calls, lead them again."""
    from offhook.actors.shadows.trial import try_calls

    policy = recorded_policy(candidate.policy)
    journals = asyncio.run(_read(journal, calls))
    options: dict[str, Any] = {"recorded_agents": candidate.recorded_agents, "same_ms": candidate.same_ms}
    options["every_policy"] = candidate.every_policy
    return try_calls(policy, candidate.bundle, journals, **options)


async def _read(journal: str, calls: Sequence[str]) -> list[list[Record]]:
    from offhook.actors.journals.journal import read_intact
    from offhook.actors.journals.stores import open_journal

    store = open_journal(journal)
    found = []
    try:
        for call in calls:
            records: list[Record] = []
            while True:
                page, damage = await read_intact(store, call, records[-1].seq if records else -1, RECORDS_AT_ONCE)
                records += page
                if damage is not None or len(page) < RECORDS_AT_ONCE:
                    break
            found.append(records)
    finally:
        await store.close()
    return found


def batches(wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """(journal, calls), at most BATCH_CALLS each."""
    journals = dict.fromkeys(journal for journal, _ in wanted)
    for journal in journals:
        calls = [call for where, call in wanted if where == journal]
        for start in range(0, len(calls), BATCH_CALLS):
            yield journal, calls[start : start + BATCH_CALLS]


def in_processes(candidate: Candidate, wanted: Sequence[tuple[str, str]]) -> Iterator[list[dict[str, Any]]]:
    """Batch by batch in child processes of this one.

    Raises:
        PolicyError: the candidate's agents cannot be loaded, hang, or take their process down.
    """
    parts = list(batches(wanted))
    workers = max(1, min(len(parts), os.cpu_count() or 1))
    # Not forked: a fork would take this process's threads' locks along in whatever state they are.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        futures = [pool.submit(try_batch, candidate, *part) for part in parts]
        for future in futures:
            yield future.result(BATCH_S * max(1, len(parts) / workers))
    except LateError:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise PolicyError(
            f"the candidate's agents hang: a batch of {BATCH_CALLS} calls took over {BATCH_S:g} s"
        ) from None
    except BrokenProcessPool:
        raise PolicyError("the candidate's agents ended the process that tried them") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_ray(
    candidate: Candidate, wanted: Sequence[tuple[str, str]], address: str | None
) -> Iterator[list[dict[str, Any]]]:
    """Batch by batch in Ray tasks: on the cluster at `address`, which must reach the journal, or on a Ray started here.

    Raises:
        PolicyError: as `in_processes`.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayTaskError, WorkerCrashedError

    from ..config.settings import prepare_ray_environment

    prepare_ray_environment()
    ray.init(address or "local", log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    try:
        task = ray.remote(max_retries=0)(try_batch)
        left = [task.remote(candidate, *part) for part in batches(wanted)]
        while left:
            done, left = ray.wait(left, num_returns=1, timeout=BATCH_S)
            if not done:
                raise PolicyError(f"the candidate's agents hang: no batch was done within {BATCH_S:g} s")
            yield ray.get(done[0], timeout=BATCH_S)
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, CallerFault) else error from None
    except (WorkerCrashedError, GetTimeoutError):
        raise PolicyError("the candidate's agents ended the process that tried them") from None
    finally:
        ray.shutdown()
