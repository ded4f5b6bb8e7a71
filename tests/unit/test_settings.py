"""Settings: command line over environment over default, and a clear word on what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from offhook.cluster.capacity_rules import CapacityRules
from offhook.serve.config import settings
from offhook.serve.config.capacity_settings import rules_of
from offhook.serve.config.tables import TableFault
from offhook.serve.config.tool_file import read_tools
from offhook.serve.contracts.errors import SettingFault
from source_tree import ROOT

EXAMPLES = ROOT / "examples"


def test_the_command_line_wins_over_the_environment_which_wins_over_the_default() -> None:
    environ = {"OFFHOOK_PORT": "9000", "OFFHOOK_SPARES": "7", "OFFHOOK_RING_S": "1.5"}
    found = settings.read(environ, port=9100, media_port=None)
    assert (found.port, found.spares, found.ring_s, found.media_port) == (9100, 7, 1.5, 8790)


def test_the_state_directory_follows_the_xdg_specification() -> None:
    assert settings.read({"XDG_STATE_HOME": "/var/x"}).state_dir == "/var/x/offhook"
    assert settings.read({}).state_dir.endswith("/.local/state/offhook")
    assert settings.read({"XDG_STATE_HOME": "not/absolute"}).state_dir.endswith("/.local/state/offhook")
    assert settings.read({"XDG_STATE_HOME": "/var/x"}, state_dir="/srv/y").state_dir == "/srv/y"


def test_each_state_directory_has_a_short_runtime_directory_of_its_own() -> None:
    one, other = (settings.read({}, state_dir=f"/srv/{'very-' * 60}{name}").runtime_dir for name in "ab")
    assert one != other
    assert len(one) < settings.RUNTIME_DIR_BYTES_MAX


def test_what_kubernetes_sets_for_a_service_is_told_as_that() -> None:
    with pytest.raises(
        SettingFault, match=r"OFFHOOK_PORT='tcp://10.0.0.1:80' is not a whole number; .*enableServiceLinks"
    ):
        settings.read({"OFFHOOK_PORT": "tcp://10.0.0.1:80"})


def test_a_setting_that_is_none_is_told_with_the_nearest_one_that_is() -> None:
    environ = {"OFFHOOK_SPARE": "7", "OFFHOOK_PORT": "80", "PATH": "/bin"}
    assert settings.unknown(environ) == ["OFFHOOK_SPARE - did you mean OFFHOOK_SPARES?"]


def test_several_policies_are_separated_like_paths() -> None:
    assert settings.read({"OFFHOOK_POLICIES": "/a:/b"}).policies == ("/a", "/b")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"port": 70_000}, "port 70000 is not between 0 and 65535"),
        ({"port": 9, "media_port": 9}, "must differ"),
        ({"spares": -1}, "spares"),
        ({"overflow": "shrug"}, "busy, queue, redirect"),
        ({"overflow": "redirect"}, "needs redirect_to"),
        ({"blocking": 0.9}, "blocking"),
        ({"late_ms": 0.0}, "late_ms"),
        ({"slots": 0}, "slots"),
        ({"ring_s": 60.0}, "ring_s"),
        ({"synthesizer": "hal"}, "clip, deployed, espeak, flite, piper, tone"),
        ({"recognizer": "ear"}, "deployed, moonshine, none"),
        ({"log_format": "xml"}, "text, json"),
        ({"log_level": "LOUD"}, "DEBUG, INFO, WARNING, ERROR"),
        ({"journal": "mongodb://x"}, "redis://"),
        ({"public_media_url": "https://x"}, "ws:// or wss://"),
        ({"runtime_dir": "/tmp/" + "x" * 80}, "too long for Unix sockets"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_is_allowed(chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingFault, match=words):
        settings.read({}, **chosen)


def test_a_number_in_the_environment_that_is_none_names_its_variable() -> None:
    with pytest.raises(SettingFault, match="OFFHOOK_PORT='http' is not a whole number"):
        settings.read({"OFFHOOK_PORT": "http"})


def test_secrets_are_not_shown() -> None:
    environ = {"OFFHOOK_MEDIA_SECRET": "s3cret", "OFFHOOK_TWILIO_AUTH_TOKEN": "t0ken"}
    shown = repr(settings.read(environ, journal="redis://:passw0rd@host"))
    assert "passw0rd" not in shown
    assert "s3cret" not in shown
    assert "t0ken" not in shown


def test_capacity_is_kept_by_what_is_set() -> None:
    environ = {
        "OFFHOOK_BLOCKING": "0.01", "OFFHOOK_SLOTS_PER_NODE": "50", "OFFHOOK_NODES_MAX": "20", "OFFHOOK_LATE_MS": "40",
        "OFFHOOK_OVERFLOW": "queue", "OFFHOOK_QUEUE_S": "30", "OFFHOOK_SPARES": "4",
        "OFFHOOK_ADMISSION": str(EXAMPLES / "admission.yaml"), "OFFHOOK_PRICES": str(EXAMPLES / "prices.yaml"),
    }  # fmt: skip
    rules = CapacityRules.of(rules_of(settings.read(environ)), {"spares": 2})
    assert (rules.goals.blocking_share, rules.goals.slots_per_node, rules.goals.nodes_max) == (0.01, 50, 20)
    assert (rules.scale, rules.spares_min) == (True, 4)
    admission = rules.admission
    assert (admission.then, admission.queue_ms, admission.late_ms, admission.calm_ms) == ("queue", 30_000, 40, 20)
    assert admission.tenants["acme"].calls_max == 500
    assert admission.kept_share == {"high": 0.05, "urgent": 0.02}
    assert rules.prices.carrier_minute_cents == 1.25
    assert not CapacityRules.of(rules_of(settings.read({})), {}).scale


def test_a_table_that_cannot_be_used_names_the_line(tmp_path: Path) -> None:
    table = tmp_path / "admission.yaml"
    table.write_text("tenants:\n  acme:\n    calls_max: -1\nkeep: 3\n")
    with pytest.raises(TableFault) as fault:
        rules_of(settings.read({}, admission=str(table)))
    assert "admission.yaml:3: tenants.acme.calls_max: -1" in str(fault.value)
    assert "admission.yaml:4: keep: unknown field; did you mean 'kept'? allowed: ring" in str(fault.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- book", "holds actions and their tools"),
        ("book: {url: ", "tools.yaml:1: not YAML"),
        (
            "book:\n  look_up: get\n  url: 'ftp://x'\n  headers: {Authorization: s3cret}",
            "tools.yaml:3: tool book: url is http",
        ),
        (
            "book:\n  url: http://x\n  lookup: get",
            "tools.yaml:3: book.lookup: unknown field; did you mean 'look_up'\\? allowed: url, look_up",
        ),
        ("book:\n  url: http://x\n  look_up: post", "tools.yaml:3: book.look_up: 'post'; allowed: get, head, none"),
        ("book:\n  url: http://x\n  limit: 5", "tools.yaml:3: book.limit: 5 has no unit"),
        ("book:\n  limit: 5 s", "tools.yaml:1: book.url: missing"),
        ("book:\n  url: http://x\n  headers: {Authorization: [s3cret]}", "book.headers.Authorization: \\(not shown\\)"),
        (None, "cannot be read"),
    ],
)
def test_a_tool_file_that_cannot_be_used_says_why(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "tools.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingFault, match=says) as fault:
        read_tools(str(path))
    assert "s3cret" not in str(fault.value)


def test_a_tool_file_names_actions_and_their_places(tmp_path: Path) -> None:
    path = tmp_path / "tools.yaml"
    path.write_text("book_meeting:\n  url: https://calendar.example/acts\n  look_up: get\n")
    assert read_tools(str(path)) == {"book_meeting": {"url": "https://calendar.example/acts", "look_up": "get"}}
    assert read_tools("") == {}
    assert settings.read({"OFFHOOK_TOOLS": str(path)}).tools == str(path)
