"""`offhook plan`: traces and their errors, the answer, and its drawings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from offhook.serve.cli import arrivals, cli
from offhook.serve.cli.arrivals import TraceFault
from offhook.serve.views import plan_view

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "traffic" / "spike.csv"


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Plan = Callable[..., Done]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plan:
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["offhook", "plan", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


def test_a_trace_is_read() -> None:
    first, second = arrivals.parse("# why\nat_s,calls,holding_s\n0,12,100\n\n60,6,\n", "t.csv", 180)
    assert (first.at_s, first.span_s, first.calls, first.holding_s) == (0, 60, 12, 100)
    assert (second.span_s, second.holding_s) == (60, 180)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "t.csv: nothing; a trace has a header"),
        ("at_s,calls\n0,1\n", "t.csv: 1 rows; a trace has a header (at_s,calls,holding_s) and at least 2 rows"),
        ("at,calls\n0,1\n", "t.csv:1: column 'at' is not known; allowed: at_s, calls, holding_s"),
        ("at_s\n0\n", "t.csv:1: column 'calls' is missing; needed: at_s, calls"),
        ("at_s,at_s\n0,1\n", "t.csv:1: column 'at_s' is there twice"),
        ("at_s,calls\n0,1\n60,many\n", "t.csv:3: column calls: 'many'; allowed: a number of calls, 0 to 1000000000"),
        ("at_s,calls\n0,-1\n", "t.csv:2: column calls: '-1'; allowed"),
        ("at_s,calls\n0,nan\n", "t.csv:2: column calls: 'nan'; allowed"),
        (
            "at_s,calls,holding_s\n0,1,0\n",
            "t.csv:2: column holding_s: '0'; allowed: seconds, above 0 and at most 86400",
        ),
        ("at_s,calls\n0,1\n# a remark\n0,2\n", "t.csv:4: column at_s: 0 does not come after 0 (line 2)"),
        ("at_s,calls\n0,1,2\n", "t.csv:2: 3 cells, the header has 2: at_s, calls"),
        ('at_s,calls\n0,"1\n', "t.csv:2: not CSV"),
    ],
)
def test_errors_name_file_line_and_column(text: str, told: str) -> None:
    with pytest.raises(TraceFault) as fault:
        arrivals.parse(text, "t.csv", 180)
    assert str(fault.value).startswith(told)


def test_the_answer_for_a_program(plan: Plan) -> None:
    done = plan("--arrivals", str(EXAMPLE), "--slots", "50", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["nodes"]["peak"] > answer["nodes"]["mean"] > 3
    assert 0 < answer["blocking"]["share"] < 0.1
    assert 40 * 60 <= answer["blocking"]["worst_at_s"] <= 44 * 60, "the spike begins in minute 40"
    assert answer["without_scaling"]["blocking"] < 0.001
    assert 0.85 < answer["cents_per_minute"] < answer["without_scaling"]["cents_per_minute"]
    assert sum(each["asked"] for each in answer["samples"]) == answer["calls"]


def test_the_answer_for_a_person(plan: Plan) -> None:
    done = plan("--arrivals", str(EXAMPLE), "--slots", "50")
    for words in ("nodes", "blocking", "cents a minute of talk", "not scaled", "▁", "█"):
        assert words in done.stdout


def test_without_scaling_the_nodes_stay(plan: Plan) -> None:
    answer = json.loads(plan("--arrivals", str(EXAMPLE), "--fixed", "3", "--json").stdout)
    assert answer["nodes"]["peak"] == 3 and not answer["nodes"]["scaled"]
    assert answer["blocking"]["share"] > 0.1


@pytest.mark.parametrize("ending", ["svg", "html"])
def test_it_draws(plan: Plan, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"plan.{ending}"
    assert plan("--arrivals", str(EXAMPLE), "--draw", str(file), "--json").returncode == 0
    text = file.read_text()
    drawn = ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}polyline")) == len(plan_view.ROWS)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "nothing from outside"


def test_what_cannot_be_used_ends_with_2_and_says_why(plan: Plan, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("carrier_minute: 1.2\nnode_hour_cents: -3\ncoffee: 1\n")
    for words, told in (
        (("--arrivals", "nowhere.csv"), "nowhere.csv: No such file or directory"),
        (("--arrivals", str(EXAMPLE), "--draw", "p.png"), "allowed endings: .svg, .html"),
        (("--arrivals", str(EXAMPLE), "--prices", str(prices)), "prices.yaml:1: carrier_minute: 1.2 has no unit"),
        (
            ("--arrivals", str(EXAMPLE), "--prices", str(prices)),
            "prices.yaml:2: node_hour_cents: -3 cents; allowed: 0 cents at least (units: ",
        ),
        (
            ("--arrivals", str(EXAMPLE), "--prices", str(prices)),
            "prices.yaml:3: coffee: unknown field; allowed: cpu_hour, memory",
        ),
    ):
        done = plan(*words)
        assert done.returncode == 2
        assert told in done.stderr


def test_prices_count(plan: Plan, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("carrier_minute: 0 cents\nnode_hour: 0 cents\nrecognizer_minute: 2 cents\n")
    answer = json.loads(plan("--arrivals", str(EXAMPLE), "--prices", str(prices), "--json").stdout)
    assert answer["cents_per_minute"] == pytest.approx(2.0)


def test_a_sparkline_loses_no_peak_and_hides_nothing() -> None:
    values = [0.0] * 500
    values[123] = 9.0
    values[400] = 0.001
    line = plan_view.spark(values)
    assert len(line) == plan_view.WIDE
    assert line.count("█") == 1 and line.count("▁") == 1
    assert plan_view.spark([]) == ""
