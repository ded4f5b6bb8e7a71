"""Languages: English and the example hold to what every language holds to; calls in Dutch; how one is found."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from dutch import FOLDER, dutch
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions
from offhook.actors.shadows.rehearsal import rehearse
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import Sign
from offhook.policies.language.lines import lines
from offhook.policies.language.lines.lines import lines_of
from offhook.policies.language.port import registry
from offhook.policies.language.port.port import Asked, Language
from offhook.policies.language.port.registry import LanguageFault
from offhook.policies.testing.dialogue import Dialogue
from offhook.serve.bundles.policy_files import load
from offhook.serve.carriers.twilio import twiml
from offhook.serve.config.settings import read
from offhook.serve.contracts.errors import SettingFault
from offhook.serve.web.call_answers import apology
from offhook.testing import dialogue
from offhook.testing.language_conformance import QUESTIONS, LanguageConformance, Said, ask
from pydantic import ValidationError
from source_tree import ROOT

__all__ = ["dutch"]

AGENTS = {"booking": AgentSpec(code="offhook.policies.agents.booking:Booking")}


class TestEnglish(LanguageConformance):
    name = "en"
    said = Said(
        yes=("yes", "yes please", "that is right", "sounds good", "absolutely"),
        no=("no", "no thanks", "no that is wrong"),
        conditional=(
            "yes if my wife agrees",
            "yes, but not before ten",
            "maybe",
            "yes, unless it rains",
            "yes I think so",
        ),
        listening=("mm-hm", "okay", "I see"),
        waits=("hold on a second", "just a moment"),
        stops=("don't call me again", "take me off your list"),
        people=("can I talk to a person", "let me speak to your manager"),
        goodbyes=("bye", "have a good day"),
        hesitations=("I'm not sure", "I need to think about it"),
        questions=("who is calling", "how much does it cost", "may I ask what it is about"),
        statements=("I am at home", "that is fine", "you can leave a message"),
        takes_back=("cancel it", "I changed my mind"),
        undo=("cancel it", "yes cancel"),
        keep=("don't cancel it", "keep it"),
        times=(
            ("tuesday at ten", "tuesday at 10"),
            ("tomorrow at half past three in the afternoon", "tomorrow at 3:30 pm"),
            ("next friday at 9:15 am", "next friday at 9:15 am"),
            ("ten o'clock", "10"),
        ),
        others=(("tuesday at 10", "wednesday at 10"), ("tuesday at 10", "tuesday at 11"), ("3:30 pm", "3:30 am")),
        pieces=("tuesday", "10", "tuesday at 10"),
        digits=(("five five five oh one two three", "5550123"), ("double seven nine", "779"), ("4 1 5", "415")),
        names=(("my name is mary jones", "Mary Jones"), ("mary", "Mary")),
        trailing=("well I", "I would like to and", "um", "it is because"),
        finished=("yes", "no thanks", "yes please"),
        people_answer=("hello", "good morning, who is this", "Acme, how can I help you"),
        machines_answer=("please leave a message after the tone", "you've reached the voicemail of Joe"),
        menus=("for sales press one", "press one for sales press two for support"),
        announcements=("all of our agents are currently busy please stay on the line",),
    )


@pytest.mark.usefixtures("dutch")
class TestDutch(LanguageConformance):
    name = "nl"
    said = Said(
        yes=("ja", "ja graag", "dat klopt", "jazeker", "ja hoor, dat is goed"),
        no=("nee", "nee dank u", "nee dat is fout"),
        conditional=(
            "ja, als mijn vrouw het goed vindt",
            "ja, maar niet voor tien uur",
            "misschien",
            "ja, tenzij het regent",
            "ja, ik denk het wel",
        ),
        listening=("mm-hm", "oké", "ja precies"),
        waits=("wacht even", "een momentje"),
        stops=("bel me niet meer", "haal me van de lijst"),
        people=("ik wil een medewerker spreken", "mag ik een mens aan de lijn"),
        goodbyes=("tot ziens", "doei"),
        hesitations=("ik weet het niet", "ik moet erover nadenken"),
        questions=("wie bent u", "hoeveel kost het", "kunt u dat uitleggen"),
        statements=("ik ben thuis", "dat is goed", "u kunt een bericht achterlaten"),
        takes_back=("annuleer het", "ik heb me bedacht"),
        undo=("annuleer het", "ja, annuleren"),
        keep=("niet annuleren", "laat maar staan"),
        times=(
            ("dinsdag om tien uur", "dinsdag om 10 uur"),
            ("morgen om half vier 's middags", "morgen om 3:30 's middags"),
            ("volgende vrijdag om kwart over negen", "volgende vrijdag om 9:15"),
            ("kwart voor tien", "9:45"),
            ("vijf voor half vier", "3:25"),
            ("drie maart om elf uur", "3 maart om 11 uur"),
            ("tien uur", "10 uur"),
            ("tien graag", "10 uur"),
            ("vanavond om acht uur", "vanavond om 8 uur"),
            ("dinsdagmiddag om drie uur", "dinsdag om 3 uur 's middags"),
        ),
        others=(
            ("dinsdag om 10 uur", "woensdag om 10 uur"),
            ("dinsdag om 10 uur", "dinsdag om 11 uur"),
            ("half tien", "tien uur"),
            ("10:30 's ochtends", "10:30 's avonds"),
        ),
        pieces=("dinsdag", "10 uur", "dinsdag om 10 uur"),
        digits=(("nul zes een twee drie", "06123"), ("dubbel zeven negen", "779"), ("tweeëntwintig vijf", "225")),
        names=(("mijn naam is jan jansen", "Jan Jansen"), ("u spreekt met piet de vries", "Piet de Vries")),
        trailing=("nou ik", "ik wil graag en", "uh", "dat is omdat"),
        finished=("ja", "nee bedankt", "ja graag"),
        people_answer=("hallo", "goedemorgen, met wie spreek ik", "met Jansen"),
        machines_answer=("spreek een bericht in na de pieptoon", "ik ben nu niet bereikbaar, laat een bericht achter"),
        menus=("voor verkoop toets 1",),
        announcements=("al onze medewerkers zijn in gesprek blijft u aan de lijn",),
    )


@pytest.mark.parametrize("words", ["een momentje", "over tien minuten", "tien euro", "goede morgen", "ik wil een kilo"])
def test_dutch_numbers_that_are_no_time_are_none_even_where_a_time_was_asked_for(dutch: None, words: str) -> None:
    cues = registry.named("nl").read(words, Asked(Asks.TIME, Purpose.QUESTION, slot="time"))
    assert [cue for cue in cues if cue.sign is Sign.DETAIL] == []


# --- a call in Dutch ------------------------------------------------------------------------------------------------


def at_the_read_back() -> Dialogue:
    call = dialogue(FOLDER / "policy")
    for words in ("Ja hoor.", "Ja, graag.", "Dinsdag om tien uur."):
        call.caller_says(words)
    assert call.said[-1] == "Dat is dinsdag om 10 uur, klopt dat?"
    return call


def test_a_call_in_dutch_is_booked_after_a_dutch_read_back_and_a_dutch_yes(dutch: None) -> None:
    call = at_the_read_back()
    call.caller_says("Ja, dat klopt.")
    call.assert_done("book_meeting", time="dinsdag om 10 uur")
    assert call.said[-1] == "U staat geboekt voor dinsdag om 10 uur. Kan ik nog iets voor u doen?"


@pytest.mark.parametrize("words", ["Ja, als mijn vrouw het goed vindt.", "Nee.", "Ja, maar liever woensdag.", "Yes."])
def test_whatever_is_no_plain_dutch_yes_books_nothing(dutch: None, words: str) -> None:
    call = at_the_read_back()
    call.caller_says(words)
    assert call.done == []


def test_what_was_booked_can_be_taken_back_in_dutch(dutch: None) -> None:
    call = at_the_read_back()
    call.caller_says("Ja, dat klopt.")
    call.caller_says("Toch niet, annuleer het.")
    assert call.said[-1] == "Het spijt me, dinsdag om 10 uur was al geboekt. Zal ik het annuleren?"
    call.caller_says("Ja, annuleer het maar.")
    call.assert_done("cancel_meeting", time="dinsdag om 10 uur")


def test_a_language_that_answers_only_what_it_has_to_leads_a_call_to_its_booking(
    dutch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a later release asks has a default too: a package from before it goes on working."""
    whole = registry.named("nl")
    asked = [each.name for each in fields(Language) if each.default is MISSING]
    assert set(QUESTIONS) - set(asked) == {"completeness", "greeting", "live", "asks", "recording", "piece"}
    least = Language(**{name: getattr(whole, name) for name in asked})
    for question, kind in QUESTIONS.items():
        assert isinstance(ask(least, question, "ja"), kind), question
    monkeypatch.setitem(registry._loaded, "nl", least)
    call = at_the_read_back()
    call.caller_says("Ja, als mijn vrouw het goed vindt.")
    assert call.done == []
    call = at_the_read_back()
    call.caller_says("Ja, dat klopt.")
    call.assert_done("book_meeting", time="dinsdag om 10 uur")


def test_the_core_speaks_dutch_where_the_policy_has_no_line_of_its_own(dutch: None) -> None:
    policy = Policy(name="p", agents=AGENTS, language="nl", limits={"goodbye_line": "Doei."})  # type: ignore[arg-type]
    assert policy.gate.lines["done"] == "Dat is gebeurd: {act}."
    assert policy.silence.lines["reassure"] == "Neem rustig de tijd."
    assert (policy.limits.goodbye_line, policy.limits.warning_line) == ("Doei.", lines_of("nl")["limits.warning_line"])


# --- how one is found -----------------------------------------------------------------------------------------------


def test_a_language_that_is_not_installed_is_refused_with_the_ones_that_are(dutch: None) -> None:
    said = r"(?s)language\n.*language 'fy' is not installed; there are en, nl\. A package adds one by an entry point"
    with pytest.raises(ValidationError, match=said):
        Policy(name="p", agents=AGENTS, language="fy")
    with pytest.raises(PolicyError, match="'fy' is not installed; there are en, nl"):
        registry.named("fy")


def test_it_is_refused_where_it_stands_in_the_file(tmp_path: Path) -> None:
    policy = (FOLDER / "policy/policy.yaml").read_text().replace("nl-NL", "fy")
    (tmp_path / "policy.yaml").write_text(policy)
    with pytest.raises(PolicyError, match=r"policy\.yaml:3: language: .*'fy' is not installed; there are en\."):
        dialogue(tmp_path)


def test_a_package_whose_lines_are_not_those_of_english_is_refused_by_key(
    tmp_path: Path, dutch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "half-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[offhook.languages]\nha = half_a_language\n")
    (tmp_path / "half_a_language").mkdir()
    kept = {key: text for key, text in lines_of("en").items() if key != "gate.done"}
    (tmp_path / "half_a_language/lines.py").write_text(f"LINES = {kept!r}\n")
    with pytest.raises(ValidationError, match=r"half_a_language\.lines\.LINES lacks or adds gate\.done"):
        Policy(name="p", agents=AGENTS, language="ha")
    with pytest.raises(
        PolicyError, match=r"language 'ha' \(half 1, half_a_language\) cannot be used: .*No module named"
    ):
        registry.named("ha")


def test_a_language_that_two_packages_bring_is_refused_and_both_are_named(
    tmp_path: Path, dutch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "vlaams-2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vlaams\nVersion: 2\n")
    (info / "entry_points.txt").write_text("[offhook.languages]\nNL = vlaams\n")
    both = r"language 'nl' is installed twice: offhook-nl [\d.]+, offhook_nl, vlaams 2, vlaams; remove one"
    with pytest.raises(PolicyError, match=both):
        registry.named("nl")
    with pytest.raises(ValidationError, match=both):
        Policy(name="p", agents=AGENTS, language="nl-BE")


def test_a_tag_with_a_region_is_led_by_the_language_of_its_main_part(dutch: None) -> None:
    assert registry.named("nl-BE") is registry.named("nl")
    assert registry.named("en-US") is registry.named("en")
    assert lines_of("EN-gb") == lines_of("en")


def test_english_is_found_without_looking_through_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "names", lambda _group: pytest.fail("it looks through all packages"))
    assert lines.point_of("EN").value == "offhook.policies.language.en"


# --- one setting for everybody --------------------------------------------------------------------------------------


def test_the_engines_are_asked_for_the_policys_language_with_its_region(dutch: None) -> None:
    speech = Policy(name="p", agents=AGENTS, language="nl-BE").engine_speech()
    assert RecognitionOptions.of(speech, "").language == "nl-BE"
    assert SynthesisOptions.of(speech, "").language == "nl-BE"
    assert Policy(name="p", agents=AGENTS).engine_speech().language == "en"


def test_an_engine_that_names_its_languages_otherwise_can_be_asked_for_another(dutch: None) -> None:
    policy = Policy.model_validate({"name": "p", "agents": AGENTS, "language": "nl", "speech": {"language": "nl-BE"}})
    assert policy.engine_speech().language == "nl-BE"


def test_what_an_installation_says_by_itself_is_in_its_language(dutch: None) -> None:
    ours = read({"OFFHOOK_LANGUAGE": "nl-NL", "OFFHOOK_SORRY_MESSAGE": "Pech."}, state_dir="/tmp/x")
    assert ours.queue_message == "Alle lijnen zijn bezet. Blijft u aan de lijn."
    assert ours.sorry_message == "Pech."
    assert '<Say language="nl-NL">Pech.</Say>' in twiml.write(apology(ours.sorry_message, ours.language))
    assert "<Say>Sorry.</Say>" in twiml.write(apology("Sorry.", "en"))
    with pytest.raises(SettingFault, match=r"language 'fy' is not installed; there are en, nl"):
        read({"OFFHOOK_LANGUAGE": "fy"}, state_dir="/tmp/x")


# --- a package that is broken ---------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Installs a language "xx" with these files; gives the folder of a bundle in it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(lines_py: str, language_py: str) -> Path:
        info, package = tmp_path / "xx-1.dist-info", tmp_path / "xx_language"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xx\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[offhook.languages]\nxx = xx_language\n")
        package.mkdir()
        (package / "lines.py").write_text(lines_py)
        (package / "language.py").write_text(language_py)
        bundle = tmp_path / "bundle"
        bundle.mkdir()
        text = (ROOT / "examples/policies/sales/policy.yaml").read_text()
        (bundle / "policy.yaml").write_text(f"language: xx\n{text}")
        importlib.invalidate_caches()
        return bundle

    yield install
    for known in (lines._loaded, registry._loaded):
        known.pop("xx", None)  # type: ignore[attr-defined]
    for name in [name for name in sys.modules if name.partition(".")[0] == "xx_language"]:
        del sys.modules[name]


GOOD_LINES = "from offhook.policies.language.en.lines import LINES\n"
RAISING = """
from dataclasses import replace
from offhook.policies.language.en.language import LANGUAGE as EN

def read(text, asked):
    raise RuntimeError("boom")

LANGUAGE = replace(EN, name="xx", read=read)
"""


@pytest.mark.parametrize(
    ("lines_py", "language_py", "why"),
    [
        ("LINES = {", RAISING, "SyntaxError"),
        ("LINES = 5", RAISING, "xx_language.lines.LINES is no mapping, but int"),
        ("1 / 0", RAISING, "ZeroDivisionError"),
        ("raise SystemExit(0)", RAISING, "SystemExit"),
        (f"{GOOD_LINES}LINES = dict(LINES, **{{'gate.done': 5}})", RAISING, "has no text at gate.done"),
        (GOOD_LINES, "LANGUAGE = (", "SyntaxError"),
        (GOOD_LINES, "raise OSError('no dictionary')", "OSError: no dictionary"),
        (GOOD_LINES, "LANGUAGE = 5", "xx_language.language.LANGUAGE is no Language, but int"),
    ],
)
def test_a_broken_package_is_told_with_its_place_and_where_the_policy_names_it(
    broken: Callable[[str, str], Path], lines_py: str, language_py: str, why: str
) -> None:
    folder = broken(lines_py, language_py)
    said = rf"policy\.yaml:1: language: .*language 'xx' \(xx 1, xx_language\) cannot be used: .*{re.escape(why)}"
    with pytest.raises(PolicyError, match=said):
        load(folder)


def test_an_error_that_a_language_raises_in_a_call_is_told_as_its_own(broken: Callable[[str, str], Path]) -> None:
    folder = broken(GOOD_LINES, RAISING)
    found = rehearse(load(folder).policy, str(folder), 3)
    said = r"languages raise nothing: language 'xx' \(xx 1, xx_language\): its 'read' raises RuntimeError "
    assert re.match(said + r"at xx_language/language\.py:6: boom \(at ", found["faults"][0])
    with pytest.raises(LanguageFault) as caught:
        registry.named("xx").read("my number is 5", Asked())
    assert "boom" not in str(caught.value)  # it may quote the caller


def test_what_english_callers_never_ask_for_is_told_with_the_reason(dutch: None) -> None:
    folder = FOLDER / "policy"
    (told,) = rehearse(load(folder).policy, str(folder), 3)["warnings"]
    assert told.startswith("gate.actions: book_meeting proposed in none of 3 simulated calls, so not tried: ")
    assert told.endswith("simulated callers speak English, which says nothing of a policy in 'nl-NL'")
