"""What the documents say must be so: commands and their options, paths, settings, the policy that the README shows."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from offhook.serve.bundles.policy_files import load
from offhook.serve.carriers import registry
from offhook.serve.cli import cli
from offhook.serve.config.settings import Settings
from source_tree import LAYERS, ROOT, sources

TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
EXAMPLES = tuple(sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("README.md")))
DOCUMENTS = (*TOP, *EXAMPLES)


def shown(document: str) -> list[list[str]]:
    """The commands of offhook in a document's blocks and in its text, as words."""
    text = (ROOT / document).read_text()
    blocks = re.findall(r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )*(offhook [a-z].+)$", text, re.MULTILINE)
    return [shlex.split(each) for each in (*blocks, *re.findall(r"`(offhook [^`|]+)`", text))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_their_options_exist(document: str) -> None:
    for words in shown(document):
        command: Any = typer.main.get_command(cli.cli)
        for word in words[1:]:
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"{document} names `{' '.join(words)}`; there is no {word}"
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word in options, f"{document} names `{' '.join(words)}`; there is no {word}"


def test_the_readme_shows_commands() -> None:
    assert len(shown("README.md")) > 8


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / document).parent / link).exists(), f"{document} links to {link}, which is not there"
    for path in re.findall(r"(?<![\w/.-])(?:examples|tests|policies|actors|cluster|serve)/[\w./-]+\w", text):
        assert (ROOT / path).exists(), f"{document} names {path}, which is not there"


def test_the_readme_leads_to_every_page_of_the_examples() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+)", (ROOT / "README.md").read_text()))
    assert set(EXAMPLES) - linked == {"examples/audio/README.md"}  # where the sounds are from; no page on how to do it


def test_the_architecture_has_every_folder() -> None:
    """But for those of one carrier or one engine, which are many and alike."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    alike = {ROOT / "serve/carriers", ROOT / "serve/engines"}
    folders = {source.path.parent for source in sources()} - {ROOT / layer for layer in LAYERS}
    folders = {path for path in folders if path.parent not in alike}
    unnamed = [str(path.relative_to(ROOT)) for path in folders if f"({path.relative_to(ROOT)})" not in text]
    assert sorted(unnamed) == []


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in TOP:
        for target in re.findall(r"(?:`|^\$ )make ([a-z]+)", (ROOT / document).read_text(), re.MULTILINE):
            assert target in targets, f"{document} names `make {target}`, the Makefile has no such target"


def test_settings_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"OFFHOOK_([A-Z_]+)", readme))
    (table,) = re.findall(r"^\| setting .*?\n\n", readme, re.MULTILINE | re.DOTALL)
    named |= set(re.findall(r"`([A-Z_]{4,})`", table))
    assert len(named) > 15
    options = {f"{name}_{each}" for name in Settings().carriers for each in registry.factory(name).options}
    assert {name.lower() for name in named} <= set(Settings.__dataclass_fields__) | options


def test_the_policy_that_the_readme_shows_is_one(tmp_path: Path) -> None:
    (shown_policy,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "policy.yaml").write_text(shown_policy)
    assert load(tmp_path).name == "trial"


def test_the_table_of_changes_names_places_and_what_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    (table,) = re.findall(r"<!-- changes:begin -->\n(.*?)<!-- changes:end -->", text, re.DOTALL)
    rows = [[cell.strip() for cell in row.strip("|\n").split("|")] for row in table.splitlines()[2:]]
    assert len(rows) >= 20
    for thing, places, name in rows:
        found = [ROOT / link for link in re.findall(r"\]\(([^)]+)\)", places)]
        assert found, f"no place is named for {thing}"
        for place in found:
            assert place.exists(), f"{thing}: {place.relative_to(ROOT)} is not there"
        word = re.compile(rf"\b{re.escape(name.strip('`'))}\b")
        files = [file for place in found for file in (place.rglob("*.py") if place.is_dir() else [place])]
        assert any(word.search(file.read_text()) for file in files), f"{thing}: nobody there knows {name}"


def test_the_agent_that_its_page_shows_passes_the_test_that_it_shows(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "examples/agents/README.md").read_text(), re.DOTALL)
    shown = tmp_path / "shown.py"
    shown.write_text("".join(blocks))
    names = runpy.run_path(str(shown))
    names["test_it_says_goodbye"]()
