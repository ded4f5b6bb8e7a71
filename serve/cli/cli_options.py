"""What the commands share: options, how an installation is found, how an answer is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from offhook.actors.contracts.operations import plain
from offhook.policies.core.errors import CallerFault

from ..client import login, running
from ..config.settings import read as read_settings
from ..contracts.errors import ScriptFault
from ..views import terminal

CHECKOUT = Path(__file__).resolve().parents[2]  # of the repository, where offhook is installed from one (editable)

CallId = Annotated[str, typer.Argument(help="the call's id, its beginning, or: last", metavar="CALL")]
StateDir = Annotated[Path | None, typer.Option("--state-dir", help="where the running offhook keeps its state")]
By = Annotated[
    str | None,
    typer.Option("--by", help="who asks for it, kept in the journal; default: your login name", metavar="NAME"),
]
AsJson = Annotated[bool, typer.Option("--json", help="one line of JSON instead of text")]
ApiUrl = Annotated[str | None, typer.Option("--api", help="the API of another offhook", metavar="URL")]


def api_of(state_dir: Path | None, url: str | None) -> running.Api:
    """The API that was named, or of the installation that runs here.

    Raises:
        NotRunning: none does. CallerFault: `url` is none.
    """
    if url:
        if not url.startswith(("http://", "https://")):
            raise CallerFault(f"--api {url!r} must start with http:// or https://")
        return running.Api(url)
    settings = read_settings(state_dir=str(state_dir) if state_dir else None)
    return running.Api(running.find(settings.state_file).api)


def signed(by: str | None) -> str:
    """Whose word it is: the name that was given, else the login name.

    Raises:
        CallerFault: there is neither.
    """
    if name := by or login.login_name():
        return name
    raise CallerFault("this user has no login name; say who you are with --by NAME")


def show(value: Any, json: bool, text: Callable[[], Any]) -> None:
    """An answer, for a program or for a person."""
    if json:
        terminal.line_of_json(plain(value) if is_dataclass(value) else value)
    else:
        terminal.out().print(text())


def examples(folder: str, what: str) -> Path:
    """A folder of the repository's examples: beside the code where it runs from a checkout, else under the working
    directory. An installed wheel has no examples.

    Raises:
        ScriptFault: there is none; `what` says what was looked for.
    """
    places = [root / "examples" / folder for root in (CHECKOUT, Path.cwd())]
    for place in places:
        if place.is_dir():
            return place
    raise ScriptFault(
        f"{what} are in the repository (examples/{folder}) and not in the installed package: run this in a checkout of "
        "it, or name a folder of scripts with --scripts DIR"
    )


def texts(paths: list[Path] | None) -> tuple[str, ...] | None:
    """Paths as settings take them; None = not given."""
    return tuple(map(str, paths)) if paths else None


def is_folder(written: str) -> bool:
    """Whether a word names a bundle's folder, where it may also be the name of a published policy.

    Raises:
        CallerFault: it is written as a path, and there is no such folder.
    """
    if Path(written).is_dir():
        return True
    if os.sep in written or written.startswith("."):
        raise CallerFault(f"{written}: no such folder")
    return False


def writable(option: str, file: Path | None) -> None:
    """A file that is written after the work is done must have its folder before it begins.

    Raises:
        CallerFault: there is no such folder, or a folder has that name.
    """
    if file is None:
        return
    if not file.resolve().parent.is_dir():
        raise CallerFault(f"{option} {file}: there is no folder {file.resolve().parent}")
    if file.is_dir():
        raise CallerFault(f"{option} {file}: this is a folder; name a file")
