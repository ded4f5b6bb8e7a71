"""Parts that are found by entry points: those of this package, those of others, and those that are broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from offhook.serve.config import plug_ins
from offhook.serve.config.settings import read
from offhook.serve.contracts.errors import SettingFault
from offhook.serve.engines.moonshine.engine import MoonshineRecognizer
from offhook.serve.engines.phrases.engine import PhraseSynthesizer

CODE = """
def make(options):
    return ("made", dict(options))

def broken(options):
    raise ZeroDivisionError("a bug of theirs")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages as pip leaves them."""
    (tmp_path / "acme_speech.py").write_text(CODE)
    for package, lines in {
        "acme": [
            "acme = acme_speech:make",
            "broken = acme_speech:broken",
            "gone = acme_gone:make",
            "no = acme_speech:x",
        ],
        "copycat": ["moonshine = copycat:make"],
    }.items():
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("\n".join(["[offhook.recognizers]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)


def test_the_stock_engines_are_found_by_their_names() -> None:
    assert {"moonshine"} <= set(plug_ins.names(plug_ins.RECOGNIZERS))
    assert {"piper", "flite", "espeak"} <= set(plug_ins.names(plug_ins.SYNTHESIZERS))
    assert isinstance(plug_ins.make(plug_ins.RECOGNIZERS, "moonshine", {}), MoonshineRecognizer)
    assert isinstance(plug_ins.make(plug_ins.SYNTHESIZERS, "espeak", {"voice": "en-gb"}), PhraseSynthesizer)


def test_anothers_is_found_and_made_with_its_options(installed: None) -> None:
    made = plug_ins.make(plug_ins.RECOGNIZERS, "acme", {"url": "ws://x", "key": "a b"})
    assert made == ("made", {"url": "ws://x", "key": "a b"})
    settings = read({"OFFHOOK_RECOGNIZER": "acme", "OFFHOOK_RECOGNIZER_OPTIONS": "url=ws://x key='a b'"})
    assert plug_ins.read_options("recognizer_options", settings.recognizer_options) == {"url": "ws://x", "key": "a b"}


def test_one_that_is_not_installed_is_told_with_those_that_are(installed: None) -> None:
    with pytest.raises(
        SettingFault, match=r"recognizer 'acne' is not installed \(did you mean acme\?\); there are acme, broken"
    ):
        plug_ins.make(plug_ins.RECOGNIZERS, "acne", {})
    with pytest.raises(
        SettingFault, match=r"setting recognizer: .*'acne' is not .*mean acme\?\); there are acme, .*none"
    ):
        read({"OFFHOOK_RECOGNIZER": "acne"})


def test_a_name_that_two_packages_claim_is_told(installed: None) -> None:
    with pytest.raises(SettingFault, match=r"'moonshine' is installed twice: copycat 1\.0, copycat:make, offhook 0"):
        plug_ins.make(plug_ins.RECOGNIZERS, "moonshine", {})


@pytest.mark.parametrize(
    ("name", "why"), [("broken", "ZeroDivisionError: a bug of theirs"), ("gone", "No module"), ("no", "AttributeError")]
)
def test_a_broken_one_is_told_with_where_it_stands(installed: None, name: str, why: str) -> None:
    with pytest.raises(SettingFault, match=rf"recognizer '{name}' \(acme 1\.0, acme_.*\) cannot be used: .*{why}"):
        plug_ins.make(plug_ins.RECOGNIZERS, name, {})


@pytest.mark.parametrize("text", ["url", "=x", "a='b"])
def test_options_that_are_none_are_told(text: str) -> None:
    with pytest.raises(SettingFault, match="recognizer_options"):
        read({"OFFHOOK_RECOGNIZER_OPTIONS": text})


@pytest.mark.parametrize(
    ("group", "name", "options", "why"),
    [
        (plug_ins.RECOGNIZERS, "moonshine", {"model": "big"}, "no option 'model'; it has: none"),
        (plug_ins.SYNTHESIZERS, "piper", {"programs": "many"}, "programs 'many' is not a number from 1 to 64"),
        (plug_ins.SYNTHESIZERS, "flite", {"voice": "--help"}, "'--help' is no voice"),
    ],
)
def test_wrong_options_of_the_stock_engines_are_told(group: str, name: str, options: dict[str, str], why: str) -> None:
    with pytest.raises(SettingFault, match=why):
        plug_ins.make(group, name, options)


def test_the_former_name_of_a_setting_is_still_read() -> None:
    assert read({"OFFHOOK_VOICE": "clip"}).synthesizer == "clip"
    assert read({"OFFHOOK_VOICE": "clip", "OFFHOOK_SYNTHESIZER": "tone"}).synthesizer == "tone"
