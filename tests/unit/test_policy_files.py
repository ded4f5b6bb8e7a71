"""Policy bundles on disk: what is good is read with its version, what is not is named with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
from offhook.policies.core.errors import PolicyError
from offhook.serve.bundles import policy_files

GOOD = """\
# a comment
name: trial
agents:
  booking:
    code: agents/mine.py:Mine
barge_in:
  decision_window: 0.5 s
"""
CODE = "class Mine:\n    pass\n"


def bundle(tmp_path: Path, text: str = GOOD, code: str | None = CODE, name: str = "b") -> Path:
    folder = tmp_path / name
    (folder / "agents").mkdir(parents=True)
    (folder / "policy.yaml").write_text(text)
    if code is not None:
        (folder / "agents" / "mine.py").write_text(code)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        policy_files.load(folder)
    return str(caught.value)


def test_a_good_bundle_is_read(tmp_path: Path) -> None:
    found = policy_files.load(bundle(tmp_path))
    assert (found.name, found.policy.barge_in.decision_window_ms) == ("trial", 500)
    assert len(found.version) == 12
    assert int(found.version, 16) >= 0
    assert found.plain()["barge_in"]["decision_window_ms"] == 500


def test_the_version_follows_the_contents_and_nothing_else(tmp_path: Path) -> None:
    first = policy_files.load(bundle(tmp_path, name="a")).version
    reworded = GOOD.replace("# a comment", "# another").replace("0.5 s", "500 ms")
    assert policy_files.load(bundle(tmp_path, reworded, name="b")).version == first
    assert policy_files.load(bundle(tmp_path, GOOD.replace("0.5", "0.6"), name="c")).version != first
    assert policy_files.load(bundle(tmp_path, code=CODE + "#\n", name="d")).version != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("0.5 s", "500"), "7: barge_in.decision_window: 500 has no unit; allowed units: ms, s, min"),
        (GOOD.replace("0.5 s", "5 Hz"), "7: barge_in.decision_window: '5 Hz' is not a number with a unit that fits"),
        (GOOD.replace("0.5 s", "9 s"), "7: barge_in.decision_window: 9000 ms; allowed: 100 ms to 2000 ms"),
        (GOOD.replace("decision_window", "decision_windo"), "7: barge_in.decision_windo: unknown field; did you mean"),
        (GOOD.replace("name: trial\n", ""), "1: name: missing; allowed: text"),
        (GOOD.replace("    code: agents/mine.py:Mine\n", "    lines: {}\n"), "4: agents.booking.code: missing"),
        (GOOD.replace("trial", "Trial!"), "2: name: 'Trial!'; allowed: text that matches"),
        (GOOD + "ears: {detector: magic}\n", "8: ears.detector: 'magic'; allowed: webrtc, confirmed"),
        (GOOD + "barge_in: {}\n", "8: 'barge_in' is written twice, first in line 6"),
        (GOOD + "x: [\n", "9: not YAML"),
        (GOOD + "x: !!python/object:os.system {}\n", "8: not YAML: 'python/object:os.system' asks for more than"),
        (GOOD.replace("  booking:", "  core:"), "3: agents: no agent can be named 'core'"),
        ("- a\n", "1: a policy is a mapping with the fields name, agents"),
        ("", "1: a policy is a mapping"),
        ("a: &a [*a]\n", "1: deeper than 32 levels"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    folder = bundle(tmp_path, text)
    assert f"{folder}/policy.yaml:{message}" in refusal(folder)


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("0.5 s", "500") + "limits:\n  call: 1 s\n  ringing: 3 s\n"
    lines = refusal(bundle(tmp_path, text)).splitlines()
    assert [line.partition("policy.yaml:")[2].split(":")[0] for line in lines] == ["7", "9", "10"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("agents/none.py:Mine", "there is no file 'agents/none.py' in the bundle"),
        ("agents/mine.py:Other", "has no class 'Other'; it has: Mine"),
        ("agents/../../../etc/x.py:X", "lies outside of the bundle"),
        ("no.such.module:X", "there is no module 'no.such.module' installed"),
        ("offhook.policies.agents.booking:Nobody", "has no class 'Nobody'; it has: Booking"),
        ("just words", "allowed: module:Class"),
    ],
)
def test_code_that_is_not_there_is_found_without_running_any(tmp_path: Path, code: str, message: str) -> None:
    text = refusal(bundle(tmp_path, GOOD.replace("agents/mine.py:Mine", code)))
    assert "policy.yaml:5: agents.booking.code: " in text
    assert message in text


def test_code_that_is_no_python_is_named_and_never_run(tmp_path: Path) -> None:
    assert "agents/mine.py is not Python, line 1" in refusal(bundle(tmp_path, code="class ("))
    policy_files.load(bundle(tmp_path, code=CODE + "raise SystemExit('was run')\n", name="other"))


def test_a_folder_of_bundles_and_names_that_clash(tmp_path: Path) -> None:
    bundle(tmp_path, name="a")
    bundle(tmp_path, GOOD.replace("trial", "other"), name="b")
    assert [each.name for each in policy_files.find((str(tmp_path / "b"), str(tmp_path)))] == ["other", "trial"]
    bundle(tmp_path, name="c")
    with pytest.raises(PolicyError, match="the name 'trial' is taken by"):
        policy_files.find((str(tmp_path),))


@pytest.mark.parametrize("name", ["none", "."])
def test_a_folder_without_a_policy(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError, match=r"no such folder|no policy\.yaml there"):
        policy_files.find((str(tmp_path / name),))


def test_the_repository_s_own_policies_are_good() -> None:
    folder = Path(__file__).resolve().parents[2] / "examples" / "policies"
    assert {"sales", "monologue"} <= {each.name for each in policy_files.find((str(folder),))}


RULES = "gate:\n  actions:\n    book:\n"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            "      told: [readback]\n",
            "11: gate.actions.book.told: nobody can tell 'readback' (did you mean read_back?)",
        ),
        (
            "      told:\n        - price\n        - ofer\n",
            "13: gate.actions.book.told: nobody can tell 'ofer' (did you",
        ),
        (
            "      told: [terms_of_use]\n",
            "11: gate.actions.book.told: nobody can tell 'terms_of_use'; allowed: read_back",
        ),
        (
            "      no_open_concern: [prize]\n",
            "11: gate.actions.book.no_open_concern: 'prize' is no concern (did you mean",
        ),
        ("      {}\n    say:ofer: {}\n", "12: gate.actions.say:ofer: nothing is said for the purpose 'ofer' (did you"),
    ],
)
def test_a_name_that_nothing_answers_to_is_refused_with_the_nearest(tmp_path: Path, rules: str, message: str) -> None:
    folder = bundle(tmp_path, GOOD + RULES + rules)
    assert f"{folder}/policy.yaml:{message}" in refusal(folder)


def test_a_term_may_be_named_by_an_agents_code_its_options_or_its_lines(tmp_path: Path) -> None:
    code = CODE + "    TERMS = (('trial_ends', 'monday'),)\n"
    agent = "code: agents/mine.py:Mine\n    options: {term: deposit}\n    lines: {fee: 'That is {fee_a_month}.'}\n"
    text = GOOD.replace("code: agents/mine.py:Mine\n", agent) + RULES
    told = "      told: [trial_ends, deposit, fee_a_month, time, notice]\n      no_open_concern: ['*', price]\n"
    policy_files.load(bundle(tmp_path, text + told, code))


def test_the_names_that_are_allowed_are_told_as_people_write_them(tmp_path: Path) -> None:
    told = refusal(bundle(tmp_path, GOOD + RULES + "      readines: 60 %\n"))
    assert "11: gate.actions.book.readines: unknown field; did you mean 'readiness'? allowed: readiness, " in told
    assert "evidence_age, " in told and "cooldown, " in told and "_share" not in told and "_ms" not in told
