"""The command line without a running offhook: what it says when nothing runs, and how it fails."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from booking_call import at_the_read_back
from offhook.policies.core.errors import CallerFault, WorldFault
from offhook.serve.cli import cli, cli_calls
from offhook.serve.client import running
from offhook.serve.client.running import Running
from offhook.serve.contracts.errors import NotRunning
from source_tree import ROOT

EXAMPLES = ROOT / "examples"
SALES = str(EXAMPLES / "policies" / "sales")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Offhook = Callable[..., Done]


@pytest.fixture
def offhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Offhook:
    """The program itself, in this process."""
    monkeypatch.setenv("OFFHOOK_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["offhook", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


def record(pid: int, pid_born: int) -> Running:
    return Running("http://127.0.0.1:9", "ws://x", "http://x", "sales", "v", pid, pid_born, "", True, "")


@pytest.mark.parametrize(
    "words", [("calls",), ("show", "x"), ("explain", "x"), ("hangup", "x"), ("down",), ("chaos", "--yes")]
)
def test_when_nothing_runs_it_says_how_to_start_it(offhook: Offhook, words: tuple[str, ...]) -> None:
    done = offhook(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no offhook runs here" in done.stderr
    assert "offhook up --policy DIR" in done.stderr


def test_a_policy_that_cannot_be_used_stops_up_before_anything_starts(offhook: Offhook, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("name: x\nagents: {}\nlimits:\n  call: 60\n")
    for words in (("up", "--policy", str(tmp_path)), ("policy", "check", str(tmp_path))):
        done = offhook(*words)
        assert done.returncode == 2
        assert "policy.yaml:4: limits.call: 60 has no unit; allowed units: ms, s, min" in done.stderr
    assert not (tmp_path / "state").exists()


def test_options_that_cannot_be_are_refused(offhook: Offhook) -> None:
    for words, said in (
        (("up",), "--policy DIR"),
        (
            ("up", "--voice", "hal"),
            "synthesizer 'hal' is not installed; there are clip, deployed, espeak, flite, piper, tone",
        ),
        (("up", "--port", "seventy"), "--port"),
        (("call", "/none.yaml"), "/none.yaml"),
    ):
        done = offhook(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert said in done.stderr


def test_every_command_explains_itself(offhook: Offhook) -> None:
    def every(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        for name, each in getattr(command, "commands", {}).items():
            yield from every(each, (*words, name))

    found = list(every(typer.main.get_command(cli.cli), ()))
    assert len(found) > 25
    for words, command in found:
        done = offhook(*words, "--help")
        assert (done.returncode, done.stderr) == (0, ""), words
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in done.stdout, (words, option)
            assert getattr(parameter, "help", None), f"offhook {' '.join(words)}: {parameter.name} is not explained"


def test_it_says_which_version_it_is(offhook: Offhook) -> None:
    assert offhook("--version").stdout == f"offhook {metadata.version('offhook')}\n"


def test_what_is_written_in_the_end_must_have_a_place_before_the_work_begins(offhook: Offhook) -> None:
    for words in (
        ("backtest", SALES, "--journal", "no.sqlite", "--html", "/none/x.html"),
        ("call", str(EXAMPLES / "calls" / "dana.yaml"), "--wav", "/none/x.wav"),
        ("demo", "--json", "/none/x.json"),
        ("plan", "--arrivals", str(EXAMPLES / "traffic" / "spike.csv"), "--draw", "/none/x.svg"),
    ):
        done = offhook(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert "there is no folder /none" in done.stderr


def test_a_path_that_is_no_bundle_is_not_taken_for_a_policys_name(offhook: Offhook) -> None:
    for words in (("policy", "diff", SALES, "./none"), ("rollout", "start", "/none")):
        done = offhook(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert "none: no such folder" in done.stderr


def test_an_address_that_is_none_is_the_callers_fault(offhook: Offhook) -> None:
    done = offhook("calls", "--api", "localhost:8000")
    assert done.returncode == 2
    assert "--api 'localhost:8000' must start with http:// or https://" in done.stderr


def test_where_no_ray_answers_up_says_so_before_ray_is_asked(offhook: Offhook) -> None:
    done = offhook("up", "--policy", SALES, "--port", "0", "--media-port", "0", "--address", f"127.0.0.1:{closed()}")
    assert done.returncode == 1
    assert "cannot be joined" in done.stderr and "Connection refused" in done.stderr and "--address" in done.stderr


def test_a_port_that_is_taken_and_a_host_that_is_not_here_are_told_apart(offhook: Offhook) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = offhook("up", "--policy", SALES, "--port", port)
        assert (done.returncode, "choose another with --port" in done.stderr) == (1, True), done.stderr
    done = offhook("up", "--policy", SALES, "--host", "192.0.2.1.", "--port", "0")
    assert (done.returncode, "choose another with --host" in done.stderr) == (1, True), done.stderr


def test_clips_that_are_not_there_stop_up(offhook: Offhook) -> None:
    done = offhook("up", "--policy", SALES, "--voice", "clip", "--clips", "/none")
    assert (done.returncode, "clips: /none" in done.stderr) == (2, True), done.stderr


def closed() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_good_policies_are_listed_for_people_and_for_programs(offhook: Offhook) -> None:
    assert offhook("policy", "check", SALES).stdout.startswith("sales ")
    body = json.loads(offhook("policy", "check", SALES, "--json").stdout)
    assert [each["name"] for each in body["policies"]] == ["sales"]


def test_simulate_plays_the_same_call_from_the_same_seed(offhook: Offhook) -> None:
    one, other = (offhook("simulate", "--calls", "3", "--seed", "7", "--json") for _ in range(2))
    assert one.returncode == 0, one.stderr + one.stdout
    assert json.loads(one.stdout) == json.loads(other.stdout)
    assert json.loads(one.stdout)["calls"] == 3


def test_a_state_file_counts_only_while_its_process_lives(tmp_path: Path) -> None:
    file = tmp_path / "running.json"
    me = record(os.getpid(), running.born(os.getpid()))
    running.write(file, me)
    assert running.find(file) == me
    running.forget(file, pid=1)
    assert running.read(file) == me
    for gone in (record(os.getpid(), me.pid_born + 1), record(2**22 + 1, 5)):  # a reused pid; no such process
        running.write(file, gone)
        with pytest.raises(NotRunning, match="which is gone"):
            running.find(file)
    file.write_text("{")
    with pytest.raises(NotRunning, match="no offhook runs here"):
        running.find(file)
    running.write(file, me)
    running.forget(file, me.pid)
    assert not file.exists()


def test_an_api_that_does_not_answer_is_said_to_be_away() -> None:
    with pytest.raises(NotRunning, match="does not answer"):
        running.Api("http://127.0.0.1:9").get("/v1/calls")


def test_an_installation_is_drained_before_it_ends_and_leaves_its_nodes_open() -> None:
    live, drained, asked, told = [2], set[str](), list[set[str]](), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.split("/")[2:]:
            case "GET", ["nodes"]:
                return httpx.Response(200, json={"nodes": [{"node": "ab"}, {"node": "cd"}]})
            case "GET", ["calls"]:
                assert request.url.params["live"] == "true"
                asked.append(set(drained))
                return httpx.Response(200, json={"calls": [], "total": live[0]})
            case "POST", ["nodes", node, "drain"]:
                drained.add(node)
            case "DELETE", ["nodes", node, "drain"]:
                drained.discard(node)
        return httpx.Response(202, json={})

    def rest(_s: float) -> None:
        live[0] -= 1

    api = running.Api("http://x")
    api._client = httpx.Client(base_url="http://x", transport=httpx.MockTransport(answer))
    assert running.drain(api, 3_600, told.append, rest) == 0
    assert told == ["no new calls; still live: 2", "no new calls; still live: 1"]
    assert all(each == {"ab", "cd"} for each in asked) and not drained
    live[0] = 5
    assert running.drain(api, 0, told.append, rest) == 5, "the wait has an end"
    assert not drained


def test_problems_become_errors_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/calls":
            return httpx.Response(200, json={"calls": [{"call_id": "abc1"}, {"call_id": "abd2"}]})
        status = int(request.url.path[1:])
        body = {"title": "No", "detail": "because", "status": status}
        return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})

    api = running.Api("http://x")
    monkeypatch.setattr(api, "_client", httpx.Client(base_url="http://x", transport=httpx.MockTransport(answer)))
    with pytest.raises(CallerFault, match="No: because"):
        api.get("/404")
    with pytest.raises(WorldFault, match="No: because"):
        api.get("/503")
    assert [api.call_id(word) for word in ("last", "abd", "abc1", "other")] == ["abc1", "abd2", "abc1", "other"]
    with pytest.raises(CallerFault, match="beginning of 2 calls"):
        api.call_id("ab")


def test_explain_shows_the_account_of_a_call_and_what_was_said_where_it_is_asked_for(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = at_the_read_back()
    call.caller_says("Yes, if my wife agrees.")

    class Api:
        def call_id(self, written: str) -> str:
            return f"{written}-whole"

        def journal(self, _call: str) -> list[dict[str, Any]]:
            names = ("epoch", "seq", "at_ms", "kind", "body")
            return [dict(zip(names, record[1:], strict=True)) for record in call.journal]

    monkeypatch.setattr(cli_calls, "api_of", lambda *_: Api())
    shown = offhook("explain", "last", "--said")
    assert shown.returncode == 0, shown.stderr
    assert "caller      Yes, if my wife agrees." in shown.stdout
    assert "answer      unclear, which is no yes: a condition" in shown.stdout
    assert "wife" not in offhook("explain", "last").stdout
    body = json.loads(offhook("explain", "last", "--json").stdout)
    assert body["call_id"] == "last-whole" and body["verdicts"][0]["rules"]
    assert body["told"][-1]["kind"] == "answer"


def test_approve_says_what_waits_or_that_nothing_does(offhook: Offhook, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[dict[str, Any]] = []

    class Api:
        def call_id(self, _written: str) -> str:
            return "ab12"

        def get(self, _path: str) -> dict[str, Any]:
            return {"approvals": waiting}

    monkeypatch.setattr(cli_calls, "api_of", lambda *_: Api())
    for words in (("approve", "last"), ("approve", "last", "p1")):
        done = offhook(*words)
        assert done.returncode == 2 and done.stderr == "offhook: nothing waits for a person in call ab12\n"
    waiting += [{"proposal": "p1", "action": "book"}, {"proposal": "p2", "action": "transfer"}]
    several = "say which of them in call ab12; what waits for a person there: p1 (book); p2 (transfer)"
    assert several in offhook("approve", "last").stderr
    assert "no proposal 'p3' waits in call ab12" in offhook("approve", "last", "p3").stderr
