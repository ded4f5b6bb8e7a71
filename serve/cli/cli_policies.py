"""Commands about policy bundles: make one, check it, compare two, list and publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from offhook.cluster.operations import ClusterOperations, PolicySummary
from offhook.policies.core.errors import CallerFault, PolicyError
from rich.markup import escape

from ..config.settings import read as read_settings
from ..views import terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, is_folder, show, texts

policy_cli = typer.Typer(help="Policy bundles.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="a policy bundle", metavar="DIR")]


@policy_cli.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="a folder that is not there yet", metavar="DIR")],
    json: AsJson = False,
) -> None:
    """Make a small bundle with one agent of its own, to start from."""
    from ..bundles.policy_start import write

    files = write(folder)
    body = {"path": str(folder), "files": files}
    show(
        body, json, lambda: "\n".join([*(f"{folder}/{name}" for name in files), f"next: offhook policy check {folder}"])
    )


@policy_cli.command("check")
def check(
    folders: Annotated[list[Path], typer.Argument(help="bundles, or folders of bundles", metavar="DIR...")],
    calls: Annotated[int, typer.Option(min=0, max=10_000, help="simulated calls; 0 = only read the files")] = 20,
    tools: Annotated[
        Path | None, typer.Option(help="the file for `offhook up --tools`: checked, and its tools are known then")
    ] = None,
    show_call: Annotated[
        bool, typer.Option("--show", help="print the simulated call in which a fault was found")
    ] = False,
    json: AsJson = False,
) -> None:
    """Read bundles, load their agents, lead simulated calls by them; say what is wrong, with file, line and field."""
    from offhook.actors.node.http_tool import offered

    from ..bundles.policy_check import RehearsalFault, rehearse
    from ..bundles.policy_files import find
    from ..config.tool_file import read_tools

    known = offered(read_tools(str(tools) if tools else ""))
    bundles = find(texts(folders) or ())
    found: list[dict[str, Any]] = []
    for each in bundles:
        try:
            told = dict(rehearse(each, calls, tools=known)) if calls else {}
        except RehearsalFault as fault:
            if show_call:
                terminal.out().print(escape(fault.faulty))
            elif fault.faulty:
                raise PolicyError(f"{fault}\nto see the call: offhook policy check {each.path} --show") from fault
            raise
        found.append({"name": each.name, "version": each.version, "path": str(each.path), **told})
    show({"policies": found}, json, lambda: "\n".join(map(_good, found)))


@policy_cli.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="a bundle, or the name of a published policy", metavar="BEFORE")],
    after: Annotated[str, typer.Argument(help="likewise", metavar="AFTER")],
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Show what differs between two bundles: fields with their values, files by name."""
    from ..bundles.policy_diff import Side, compared

    def side(written: str) -> Side:
        if is_folder(written):
            return Side.of_folder(Path(written))
        answer = api_of(state_dir, api).get(f"/v1/policies/{written}")
        return Side(written, answer["version"], answer["policy"], answer["files"])

    body = compared(side(before), side(after))
    show(body, json, lambda: escape("\n".join(body["lines"]) or "nothing differs"))


@policy_cli.command("list")
def list_policies(state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """List what is published: names, the versions that new calls get, and the other versions."""
    body = api_of(state_dir, api).ask(ClusterOperations.policies)
    show(body, json, lambda: "\n".join(_published(each, body.default) for each in body.policies))


@policy_cli.command("publish")
def publish(
    folder: Folder,
    lead: Annotated[bool, typer.Option("--lead", help="let it lead new calls that ask for its name")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="do not simulate calls first")] = False,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Check a bundle and hand it to the cluster; without --lead, calls get it only if they ask for its version."""
    from offhook.actors.node.bundle_archive import pack, sign

    from ..bundles.policy_check import rehearse
    from ..bundles.policy_files import load

    bundle = load(folder)
    if not unchecked:
        rehearse(bundle)
    parcel = pack(bundle.path)
    key = read_settings(state_dir=str(state_dir) if state_dir else None).publish_key
    body = {
        "name": bundle.name,
        "version": bundle.version,
        "policy": bundle.plain(),
        "parcel": parcel.hex(),
        "signature": sign(key, bundle.version, parcel) if key else "",
        "lead": lead,
    }
    answer = api_of(state_dir, api).post("/v1/policies", body)
    if answer.get("version") != bundle.version:
        raise CallerFault(f"the cluster took it as version {answer.get('version')}, here it is {bundle.version}")
    told = "leads new calls" if lead else "is there for calls that ask for it"
    show(answer, json, lambda: f"{bundle.name} {bundle.version} {told}")


@policy_cli.command("withdraw")
def withdraw(
    version: Annotated[str, typer.Argument(help="a published version that nothing uses", metavar="VERSION")],
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Forget a published version; refused while it leads, or while a call or a rollout uses it."""
    api_of(state_dir, api).ask(ClusterOperations.withdraw_policy, version)
    show({"withdrawn": version}, json, lambda: f"{version} is published no more")


def _good(each: dict[str, Any]) -> str:
    ends = ", ".join(f"{name or 'none'} {count}" for name, count in sorted(each.get("outcomes", {}).items()))
    rehearsed = f"; {each['calls']} simulated calls: {ends}" if each.get("calls") else ""
    warnings = [f"  warning: {warning}" for warning in each.get("warnings", ())]
    return escape("\n".join((f"{each['name']} {each['version']}  good{rehearsed}", *warnings)))


def _published(each: PolicySummary, default: str) -> str:
    lines = [f"{each.name}{'  (default)' if each.name == default else ''}"]
    for one in each.versions:
        calls = f"  {one.calls} live calls" if one.calls else ""
        lines.append(f"  {one.version}  {one.status}{calls}")
    return "\n".join(lines)
