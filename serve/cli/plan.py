"""`offhook plan`: how many nodes a traffic needs, what callers find, and what a minute costs.

Reads the trace and the prices, has the fleet played in virtual time (`policies/simulation/fleet.py`), and hands the
answer to `views/plan_view.py`. Nothing has to run for it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from offhook.policies.fleet import capacity
from offhook.policies.fleet.admission_rules import Admission
from offhook.policies.fleet.capacity import Goals, Lead
from offhook.policies.simulation.fleet import Fleet, Interval, Outcome, play
from offhook.policies.simulation.racks import LagModel

from ..config.tables import read_prices
from ..views import plan_view
from . import arrivals
from .arrivals import TraceFault
from .cli_options import AsJson, show, writable

SAMPLES = 120  # columns of the drawing: more cannot be seen in a terminal


def plan(
    trace: Annotated[Path, typer.Option("--arrivals", help="CSV: at_s,calls[,holding_s]", metavar="FILE")],
    slots: Annotated[int, typer.Option(min=1, max=100_000, help="calls that one node carries")] = 100,
    blocking: Annotated[float, typer.Option(min=1e-6, max=0.5, help="share of callers that may be refused")] = 0.001,
    lost: Annotated[int, typer.Option(min=0, max=1_000, help="nodes that may fail together")] = 1,
    node_start: Annotated[float, typer.Option(min=0, max=3_600, help="seconds until a new node takes calls")] = 90.0,
    spare_start: Annotated[float, typer.Option(min=0, max=600, help="seconds until a new process is warm")] = 2.0,
    ring: Annotated[float, typer.Option(min=0, max=60, help="seconds that a caller rings for a slot")] = 5.0,
    holding: Annotated[float, typer.Option(min=0.1, max=86_400, help="seconds a call, where the file is silent")] = 180,
    nodes_max: Annotated[int, typer.Option(min=1, max=100_000, help="the fleet's limit")] = 1_000,
    fixed: Annotated[int, typer.Option(min=0, max=100_000, help="no scaling: so many nodes")] = 0,
    failures: Annotated[float, typer.Option(min=0, max=60, help="failures of a node, an hour")] = 0.0,
    cpu_ms: Annotated[float, typer.Option(min=0, max=1_000, help="CPU ms of a call, a second; for the lag")] = 7.0,
    cores: Annotated[float, typer.Option(min=0, max=1_024, help="of a node; 0: 2 and more, by --slots")] = 0.0,
    prices: Annotated[Path | None, typer.Option(help="YAML: the price table", metavar="FILE")] = None,
    seed: Annotated[int, typer.Option(help="of the chance; the same seed gives the same answer")] = 1,
    draw: Annotated[Path | None, typer.Option(help="also draw it: .svg or .html", metavar="FILE")] = None,
    json: AsJson = False,
) -> None:
    """Say how many nodes a traffic needs, what blocking its callers meet, and what a minute costs."""
    if draw is not None and draw.suffix not in plan_view.SUFFIXES:
        raise TraceFault(f"--draw {draw}: allowed endings: {', '.join(plan_view.SUFFIXES)}")
    writable("--draw", draw)
    intervals = arrivals.read(trace, holding)
    fleet = Fleet(
        goals=Goals(slots_per_node=slots, blocking_share=blocking, nodes_lost=lost, nodes_max=nodes_max),
        lead=Lead(spare_start, node_start),
        admission=Admission(ring_ms=round(ring * 1_000)),
        prices=read_prices(prices),
        # 100 calls at 7 ms are 0.7 cores: two leave room for speech engines and the gateway
        lag=LagModel(cpu_ms, cores or max(2.0, slots * cpu_ms / 500.0)),
        lost_per_node_hour=failures,
        nodes_fixed=fixed,
        sample_s=max(1.0, _length_s(intervals) / SAMPLES),
        seed=seed,
    )
    answer = answered(fleet, intervals, trace.name)
    if draw is not None:
        draw.write_text(plan_view.page(answer) if draw.suffix == ".html" else plan_view.svg(answer), encoding="utf-8")
        answer["drawn"] = str(draw)
    show(answer, json, lambda: plan_view.text(answer))


def answered(fleet: Fleet, intervals: tuple[Interval, ...], name: str) -> dict[str, Any]:
    """The answer as plain values; shares are 0 to 1, money is cents, times are seconds."""
    goals, outcome = fleet.goals, play(fleet, intervals)
    peak = max(intervals, key=lambda each: each.calls / each.span_s * each.holding_s)
    peak_load = peak.calls / peak.span_s * peak.holding_s
    fixed_slots = capacity.servers_for(peak_load, goals.blocking_share)
    fixed_nodes = -(-fixed_slots // goals.slots_per_node) + goals.nodes_lost
    worst = outcome.blocking_worst
    fixed = play(replace(fleet, nodes_fixed=fixed_nodes), intervals) if not fleet.nodes_fixed else outcome
    return {
        "trace": name,
        "lasted_s": outcome.lasted_s,
        "calls": outcome.asked,
        "goal": {"blocking": goals.blocking_share, "slots_per_node": goals.slots_per_node},
        "nodes": {"peak": outcome.nodes_peak, "mean": round(outcome.nodes_mean, 2), "scaled": not fleet.nodes_fixed},
        "blocking": {
            "share": outcome.blocking_share,
            "blocked": outcome.blocked,
            "worst_share": worst.blocked / worst.asked if worst and worst.asked else 0.0,
            "worst_at_s": worst.at_s if worst and worst.blocked else None,
            "rang": outcome.rang,
            "rang_s_mean": outcome.rang_s / outcome.rang if outcome.rang else 0.0,
        },
        "live_peak": outcome.live_peak,
        "peak_erlangs": round(peak_load, 2),
        "spare_hours": round(outcome.spare_s / 3_600.0, 2),
        "node_hours": round(outcome.node_s / 3_600.0, 2),
        "failures": {"cut": outcome.cut, "dropped": outcome.dropped},
        "lag_ms_max": round(outcome.lag_ms_max, 2),
        "cents_per_minute": round(outcome.cents_per_minute, 4),
        "cents": round(outcome.cents, 2),
        "without_scaling": _fixed(fixed_nodes if not fleet.nodes_fixed else fleet.nodes_fixed, fixed),
        "samples": [{field: getattr(each, field) for field in each.__slots__} for each in outcome.samples],
    }


def _fixed(nodes: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "blocking": outcome.blocking_share,
        "cents_per_minute": round(outcome.cents_per_minute, 4),
    }


def _length_s(intervals: tuple[Interval, ...]) -> float:
    return intervals[-1].at_s + intervals[-1].span_s - intervals[0].at_s
