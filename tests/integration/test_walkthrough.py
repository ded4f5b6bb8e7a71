"""The walk-through of examples/, as far as it needs no cluster: its commands, as its README names them, in order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from offhook.serve.callers import scenario

WALKTHROUGH = Path(__file__).parents[2] / "examples" / "walkthrough"
OFFHOOK = str(Path(sys.executable).with_name("offhook"))


def commands() -> list[str]:
    readme = (WALKTHROUGH / "README.md").read_text().partition("## 6. ")[0]
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    return [line for language, block in blocks for line in block.strip().splitlines() if not language]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command printed."""
    folder = tmp_path_factory.mktemp("walk") / "walkthrough"
    shutil.copytree(WALKTHROUGH, folder)
    said: dict[str, str] = {"folder": str(folder)}
    for command in commands():
        words = [OFFHOOK, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        said[command] = done.stdout
    return said


def test_the_readme_names_all_steps() -> None:
    assert [" ".join(command.split()[1:3]) for command in commands()] == [
        "policy check", "simulate --calls", "policy diff", "backtest stricter", "backtest front-desk",
    ]  # fmt: skip


def test_every_command_says_what_the_readme_says(walked: dict[str, str]) -> None:
    check = next(text for command, text in walked.items() if "policy check" in command)
    assert check.startswith("front-desk ") and "good; 20 simulated calls" in check and "warning" not in check
    diff = next(text for command, text in walked.items() if "diff" in command)
    assert diff.strip() == "gate.actions.book_callback.readiness_share: not set -> 80%"
    stricter = next(text for command, text in walked.items() if "backtest stricter" in command)
    assert "acts lost" in stricter and "readiness: needs at least 80%" in stricter
    assert re.search(r"book_callback +grant +deny +readiness", stricter)
    same = next(text for command, text in walked.items() if "backtest front-desk" in command)
    assert "200 of 200 calls would have gone as they did" in same
    page = (Path(walked["folder"]) / "report.html").read_text()
    assert "acts lost" in page and "<script" not in page


def test_the_front_desks_own_tests_hold() -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(WALKTHROUGH)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=WALKTHROUGH.parents[1])
    assert done.returncode == 0, done.stdout


def test_the_readmes_test_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (WALKTHROUGH / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(WALKTHROUGH)
    names: dict[str, Any] = {}
    exec(code, names)
    names["test_a_call_back_is_booked"]()


@pytest.mark.parametrize("script", ["asks", "books"])
def test_its_callers_can_be_placed_from_where_they_lie(script: str) -> None:
    caller = scenario.load(WALKTHROUGH / "callers" / f"{script}.yaml")
    assert caller.policy == "front-desk" and caller.clips


def test_the_report_for_programs_has_the_same(walked: dict[str, str]) -> None:
    words = [OFFHOOK, "backtest", "stricter", "--journal", "calls.sqlite", "--json"]
    done = subprocess.run(words, cwd=walked["folder"], capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert (report["policy"], report["calls"], report["unreadable"]) == ("front-desk", 200, [])
    # An act that was denied may have been proposed again, and is lost once.
    assert 0 < report["counts"]["act_lost"] <= report["flips"][0]["times"]
    ranks = [each["rank"] for each in report["differences"]]
    assert ranks == sorted(ranks, reverse=True)


def test_calls_that_another_policy_led_are_named_and_left_out(walked: dict[str, str]) -> None:
    other = Path(walked["folder"]).parent / "other"
    subprocess.run([OFFHOOK, "policy", "init", str(other)], capture_output=True, timeout=60, check=True)
    words = [OFFHOOK, "backtest", str(other), "--journal", "calls.sqlite"]
    done = subprocess.run(words, cwd=walked["folder"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no recorded call was led by the policy other" in done.stderr and "front-desk (200)" in done.stderr
    done = subprocess.run(
        [*words, "--every-policy", "--json"],
        cwd=walked["folder"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["calls"] == 200
