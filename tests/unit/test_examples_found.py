"""Where commands find the repository's examples, and what they say elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from offhook.serve.cli import cli_chaos, cli_options, demo
from offhook.serve.contracts.errors import ScriptFault


def test_demo_and_chaos_find_the_repositorys_callers_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert {script.name for script in demo.find_scripts(None)} >= {"dana", "peter"}
    assert {script.name for script in cli_chaos._scripts(None)} >= {"patient"}


def test_elsewhere_they_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_options, "CHECKOUT", tmp_path)
    with pytest.raises(ScriptFault, match=r"checkout of it, or name a folder of scripts with --scripts DIR"):
        demo.find_scripts(None)
    with pytest.raises(ScriptFault, match=r"no scripts \(\*\.yaml\) in it"):
        cli_chaos._scripts(tmp_path)
