"""No language stands outside its package: what is said, and what callers' words are matched with.

Sentences that only readers of logs, reports and errors see are English everywhere; those that a caller hears, and words
that a caller says, are a language's. This looks at literals: a sentence, or several words of talk in one list, in a
folder that speaks or listens. What is exempt says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import ROOT

# Words of talk: no list of settings, states or kinds has two of them.
_TALK = """
yes no yeah nope okay ok right sure hello hi goodbye bye thanks thank please sorry um uh hmm mm-hm not don't never stop
wait cancel maybe monday tuesday wednesday thursday friday saturday sunday today tomorrow morning afternoon one two
three four five six seven eight nine ten dollars cents i you we my your the and but if
"""
TALK = frozenset(_TALK.split())
PHRASE_WORDS_MAX = 4  # of one item in a list; a longer one is a reason that is told to operators
SENTENCE = re.compile(r"[A-Z{'\"][^\n]* [^\n]*[a-z}][.?!]")
EXEMPT = {
    "policies/language/en": "English",
    "policies/simulation": "plays callers who speak English, and checks what is said to them",
    "policies/testing": "prints dialogues",
    "policies/replay": "tells operators what was decided",
    "policies/core/proposals.py": "kinds of answers: yes, no",
    "serve/bundles/policy_start.py": "a policy to begin with, written into a file of its author's",
    "serve/web/api.py": "describes the API",
    "serve/engines/moonshine": "the recognizer reads English only; these are its own slips",
    "serve/engines/phrases/phrasing.py": "abbreviations after which a sentence goes on, of several languages",
}
ADDRESSED = ("policies", "actors", "cluster", "serve/carriers", "serve/gateway", "serve/config", "serve/web")
FILES = sorted(
    path
    for folder in ADDRESSED
    for path in (ROOT / folder).rglob("*.py")
    if not any(path.is_relative_to(ROOT / exempt) for exempt in EXEMPT)
)


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Text that a module holds as data: no docstring, no part of an error or of a log line."""
    quiet: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Raise, ast.Assert)) or (isinstance(node, ast.Call) and _tells(node)):
            quiet.update(id(inner) for inner in ast.walk(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in quiet:
            yield node.lineno, node.value


def _tells(call: ast.Call) -> bool:
    """A log line, an error that is made, or a text for readers of the API or the command line."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name in (
        "debug",
        "info",
        "warning",
        "error",
        "exception",
        "Query",
        "Path",
        "Option",
        "Argument",
        "Field",
    ) or name.endswith(("Fault", "Error", "Refused", "Lost"))


def listed(tree: ast.Module) -> Iterator[tuple[int, list[str]]]:
    """Lists of words: sets, tuples, lists, keys of maps, and texts of words that are split."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Set, ast.Tuple, ast.List)):
            items: list[ast.expr | None] = list(node.elts)
        elif isinstance(node, ast.Dict):
            items = list(node.keys)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            items = [node.func.value]
        else:
            continue
        texts = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        words = [text.lower().split() for text in texts]
        split = isinstance(node, ast.Call)
        yield node.lineno, [word for each in words if split or len(each) <= PHRASE_WORDS_MAX for word in each]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_said_or_heard_is_english_here(path: Path) -> None:
    tree = ast.parse(path.read_text())
    found = [f"{line}: {text!r}" for line, text in literals(tree) if SENTENCE.fullmatch(text.strip())]
    found += [f"{line}: {words}" for line, words in listed(tree) if len(TALK.intersection(words)) > 1]
    assert found == []


def test_nobody_asks_english_where_the_policys_language_is_to_be_asked() -> None:
    asking = [
        str(path.relative_to(ROOT))
        for layer in ("policies", "actors", "cluster", "serve")
        for path in (ROOT / layer).rglob("*.py")
        if not path.is_relative_to(ROOT / "policies/language/en")
        and re.search(r"^(?:from|import) \S*language(?:\.en\b|\s+import .*\ben\b)", path.read_text(), re.MULTILINE)
    ]
    assert [path for path in asking if not path.startswith("policies/simulation/")] == []


@pytest.mark.parametrize("exempt", EXEMPT)
def test_what_is_exempt_is_there(exempt: str) -> None:
    assert (ROOT / exempt).exists()
