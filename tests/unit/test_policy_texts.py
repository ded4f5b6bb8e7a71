"""A bundle's prompts become part of the policy, its clips are looked at before a call plays them."""

from __future__ import annotations

from pathlib import Path

import pytest
from offhook.actors.contracts.setup import Engines
from offhook.actors.node.catalog import Catalog
from offhook.policies.agents.base import Agent
from offhook.policies.core.errors import PolicyError
from offhook.serve.bundles import policy_files
from offhook.serve.bundles.policy_texts import PROMPT_BYTES_MAX
from offhook.serve.callers.clips import stock_clips

POLICY = """\
name: trial
agents:
  talker:
    code: offhook.policies.agents.closing:Closing
    prompts:
      system: prompts/system.txt
      short: Be brief.
"""


def bundle(folder: Path, text: str = POLICY, prompt: bytes = b"You are kind.\n") -> Path:
    (folder / "prompts").mkdir(parents=True)
    (folder / "policy.yaml").write_text(text)
    (folder / "prompts" / "system.txt").write_bytes(prompt)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        policy_files.load(folder)
    return str(caught.value)


def test_a_prompts_text_is_in_the_policy_and_in_the_agents_hands(tmp_path: Path) -> None:
    found = policy_files.load(bundle(tmp_path / "a"))
    spec = found.policy.agents["talker"]
    assert spec.prompts == {"system": "You are kind.\n", "short": "Be brief."}
    assert Agent("talker", spec).prompts == spec.prompts
    other = policy_files.load(bundle(tmp_path / "b", prompt=b"You are stern.\n"))
    assert other.version != found.version


@pytest.mark.parametrize(
    ("text", "prompt", "words"),
    [
        (
            POLICY.replace("system.txt", "none.txt"),
            b"",
            "policy.yaml:6: agents.talker.prompts.system: there is no file",
        ),
        (POLICY.replace("prompts/system", "prompts/../../x"), b"", "lies outside of the bundle"),
        (POLICY, b"\xff", "'prompts/system.txt' is not UTF-8 at byte 0"),
        (POLICY, b"x" * (PROMPT_BYTES_MAX + 1), f"over {PROMPT_BYTES_MAX} bytes"),
        (POLICY.replace("Be brief.", "5"), b"", "prompts.short"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, text: str, prompt: bytes, words: str
) -> None:
    assert words in refusal(bundle(tmp_path / "a", text, prompt))


def test_clips_that_no_call_could_play_are_named(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a")
    stock_clips(folder / "clips")
    policy_files.load(folder)
    (folder / "clips" / "hello.wav").write_bytes(b"RIFF")
    (folder / "clips" / f"{'0' * 16}.wav").write_bytes(b"no sound")
    found = refusal(folder)
    assert "hello.wav: a clip is named default.wav, or 16 hex digits" in found
    assert f"{'0' * 16}.wav" in found
    (folder / "clips" / "default.wav").unlink()
    assert "no default.wav" in refusal(folder)


def test_calls_of_a_version_play_its_own_clips(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "a")
    catalog = Catalog(tmp_path / "memory.json")
    catalog.publish("v1", policy_files.load(folder).plain(), str(folder))
    catalog.engines = Engines(synthesizer="clip", clips="/elsewhere")
    assert catalog.engines_for("v1").clips == "/elsewhere"
    stock_clips(folder / "clips")
    assert catalog.engines_for("v1").clips == str(folder / "clips")
    assert catalog.engines_for("another").clips == "/elsewhere"
    catalog.engines = Engines(synthesizer="tone")
    assert catalog.engines_for("v1").clips == ""
