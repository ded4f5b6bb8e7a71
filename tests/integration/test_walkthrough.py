"""The walk-through of examples/, as far as it needs no cluster: its commands, as its README names them, in order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WALKTHROUGH = Path(__file__).parents[2] / "examples" / "walkthrough"
OFFHOOK = str(Path(sys.executable).with_name("offhook"))


def commands() -> list[str]:
    readme = (WALKTHROUGH / "README.md").read_text().partition("## 6. ")[0]
    return [line for block in re.findall(r"```\n(.*?)```", readme, re.DOTALL) for line in block.strip().splitlines()]


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
    said = {command.split()[1]: text for command, text in walked.items() if " " in command}
    assert "front-desk" in said["policy"] or "readiness" in said["policy"]
    diff = next(text for command, text in walked.items() if "diff" in command)
    assert diff.strip() == "gate.actions.book_callback.readiness_share: not set -> 80%"
    stricter = next(text for command, text in walked.items() if "backtest stricter" in command)
    assert "acts lost" in stricter and "readiness: needs at least 80%" in stricter
    assert re.search(r"book_callback +grant +deny +readiness", stricter)
    same = next(text for command, text in walked.items() if "backtest front-desk" in command)
    assert "200 of 200 calls would have gone as they did" in same
    page = (Path(walked["folder"]) / "report.html").read_text()
    assert "acts lost" in page and "<script" not in page


def test_the_report_for_programs_has_the_same(walked: dict[str, str]) -> None:
    words = [OFFHOOK, "backtest", "stricter", "--journal", "calls.sqlite", "--json"]
    done = subprocess.run(words, cwd=walked["folder"], capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(done.stdout)
    assert (report["policy"], report["calls"], report["unreadable"]) == ("front-desk", 200, [])
    # An act that was denied may have been proposed again, and is lost once.
    assert 0 < report["counts"]["act_lost"] <= report["flips"][0]["times"]
    ranks = [each["rank"] for each in report["differences"]]
    assert ranks == sorted(ranks, reverse=True)
