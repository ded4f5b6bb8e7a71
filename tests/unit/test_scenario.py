"""Scripts: what is understood, and how faults are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from offhook.actors.audio.format import SILENCE
from offhook.serve.callers import scenario
from offhook.serve.contracts.errors import ScriptFault
from offhook.serve.engines import sound

CLIP = SILENCE * 330


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audio").mkdir()
    (tmp_path / "calls").mkdir()
    (tmp_path / "audio" / "hello.wav").write_bytes(sound.wav_bytes(CLIP))
    return tmp_path / "calls"


def load(folder: Path, text: str) -> scenario.Script:
    (folder / "dana.yaml").write_text(text)
    return scenario.load(folder / "dana.yaml")


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(ScriptFault) as caught:
        load(folder, text)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_a_whole_script(folder: Path) -> None:
    script = load(
        folder,
        """
caller: Dana
answers:
  - {says: "how many", clip: hello.wav}
steps:
  - say: hello.wav
  - listen:
  - wait_until: agent_speaks
  - wait_until: {agent_silent_for_ms: 700, within_s: 5}
  - interrupt: {clip: hello.wav, after_ms: 1500, says: "dollars"}
  - cough: hello.wav
  - converse: {until: goodbye}
  - expect: {agent_stops_within_ms: 900}
  - pause_ms: 4000
  - dtmf: "12#"
  - hang_up: true
""",
    )
    kinds = "say listen wait_until wait_until interrupt cough converse expect pause_ms dtmf hang_up"
    assert [step.kind for step in script.steps] == kinds.split()
    assert [step.line for step in script.steps] == list(range(6, 17))
    assert len(script.clips["hello.wav"]) == 480  # whole frames
    assert script.needs_captions
    assert (script.name, script.caller, script.direction) == ("dana", "Dana", "inbound")


def test_a_script_of_sounds_needs_no_captions(folder: Path) -> None:
    assert not load(folder, "caller: D\nsteps: [{listen: }, {say: hello.wav}]").needs_captions


@pytest.mark.parametrize("what", ["done", "not_done"])
def test_an_act_can_be_expected_and_needs_the_calls_journal(folder: Path, what: str) -> None:
    script = load(folder, f"caller: D\nsteps: [{{say: hello.wav}}, {{expect: {{{what}: book_meeting}}}}]")
    assert getattr(script.steps[1].part, what) == "book_meeting" and script.needs_captions


def test_a_missing_clip_names_file_line_and_path(folder: Path) -> None:
    found = faults(folder, "caller: Dana\nsteps:\n  - pause_ms: 5\n  - say: nope.wav\n")
    assert len(found) == 1
    assert found[0].startswith("dana.yaml:4: steps.1.say.clip: there is no audio file ")
    assert "calls/nope.wav nor " in found[0] and found[0].endswith("audio/nope.wav; or write: audio: FOLDER")


def test_clips_are_found_beside_their_script(folder: Path) -> None:
    shutil.copy(folder.parent / "audio" / "hello.wav", folder / "own.wav")
    script = load(folder, "caller: D\nsteps: [{say: own.wav}, {say: hello.wav}]")
    assert script.clips["own.wav"] == script.clips["hello.wav"] != b""


def test_every_fault_is_told_at_once(folder: Path) -> None:
    found = faults(
        folder,
        """caller: Dana
colour: red
steps:
  - say: {clip: hello.wav, loud: 3}
  - interrupt: {after_ms: 10}
  - pause_ms: a while
  - wait_until: {agent_speaks: true, agent_silent_for_ms: 20}
  - listen: {says: "("}
""",
    )
    assert [line.partition(": ")[0] for line in found] == ["dana.yaml:2"]  # the head is read first
    found = faults(folder, (folder / "dana.yaml").read_text().replace("colour: red\n", ""))
    assert [line.split(": ", 2)[:2] for line in found] == [
        ["dana.yaml:3", "steps.0.say.loud"],
        ["dana.yaml:4", "steps.1.interrupt.clip"],
        ["dana.yaml:5", "steps.2.pause_ms"],
        ["dana.yaml:6", "steps.3.wait_until"],
        ["dana.yaml:7", "steps.4.listen.says"],
    ]
    assert "unknown field; allowed: clip" in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("caller: [", "dana.yaml:1: not YAML"),
        ("- 1", "dana.yaml:1: a script is a mapping"),
        ("caller: D\nsteps: []", "dana.yaml:2: steps"),
        ("caller: D", "dana.yaml:1: steps: missing"),
        ("caller: D\nsteps:\n  - sing: a song", "dana.yaml:3: steps.0: a step is one of say, listen"),
        ("caller: D\nsteps:\n  - lisen: ", "did you mean 'listen'? a step is one of"),
        ("caller: D\nsteps:\n  - {say: hello.wav, pause_ms: 3}", "dana.yaml:3: steps.0: a step is one of"),
        ("caller: D\nsteps:\n  - dtmf: 5", "dana.yaml:3: steps.0.dtmf: a text of 1 to 40 of the digits 0-9 * # A-D"),
        ("caller: D\nsteps:\n  - hang_up: soon", "dana.yaml:3: steps.0.hang_up: true is the only value"),
        ("caller: D\nsteps:\n  - say: ../../dana.yaml", "lies outside"),
        ("caller: D\ndirection: sideways\nsteps: [{listen: }]", "dana.yaml:2: direction: Input should be 'inbound'"),
        ("caller: D\nsteps:\n  - expect: {agent_stops_within_ms: 3}", "greater than or equal to 20"),
        ("caller: D\nsteps:\n  - expect: {done: a, not_done: a}", "name one of agent_stops_within_ms"),
    ],
)
def test_faults_name_their_place(folder: Path, text: str, said: str) -> None:
    assert said in "\n".join(faults(folder, text))


def test_an_unreadable_file(folder: Path) -> None:
    with pytest.raises(ScriptFault, match=r"none\.yaml: cannot be read: No such file"):
        scenario.load(folder / "none.yaml")
    (folder / "big.yaml").write_text("#" * (scenario.SCRIPT_BYTES_MAX + 1))
    with pytest.raises(ScriptFault, match="over 65536 bytes"):
        scenario.load(folder / "big.yaml")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "examples" / "calls").glob("*.yaml")), ids=str)
def test_the_examples_can_be_used(path: Path) -> None:
    assert scenario.load(path).steps
