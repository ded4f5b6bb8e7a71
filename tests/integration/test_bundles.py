"""Bundles on their way: packed, signed, unpacked, loaded beside each other; what is wrong harms nothing."""

from __future__ import annotations

import re
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest
from offhook.actors.agents.bundle import agent_class, release
from offhook.actors.node import bundle_archive as parcels
from offhook.actors.node.bundle_archive import check_signature, pack, sign, unpack, unpacked
from offhook.actors.node.catalog import Catalog
from offhook.actors.shadows.trial import agents_of
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.core.policy import Policy
from offhook.serve.bundles import policy_start
from offhook.serve.bundles.policy_check import WITHIN_S, rehearse
from offhook.serve.bundles.policy_diff import Side, compared
from offhook.serve.bundles.policy_files import load


@pytest.fixture
def made(tmp_path: Path) -> Path:
    policy_start.write(tmp_path / "my-desk")
    return tmp_path / "my-desk"


def edit(folder: Path, change: Callable[[str], str], name: str = "agents/guide.py") -> Path:
    file = folder / name
    file.write_text(change(file.read_text()))
    return folder


# --- parcels ----------------------------------------------------------------------------------------------------------


def test_a_parcel_is_the_same_for_the_same_contents_and_comes_out_as_it_went_in(made: Path, tmp_path: Path) -> None:
    (made / "__pycache__").mkdir()
    (made / "__pycache__" / "x.pyc").write_bytes(b"1")
    (made / ".hidden").write_text("no")
    parcel = pack(made)
    kept = unpack(parcel, tmp_path / "kept")
    assert unpack(parcel, tmp_path / "kept") == kept
    assert pack(kept) == parcel and load(kept).version == load(made).version
    assert not (kept / ".hidden").exists() and len(list((tmp_path / "kept").iterdir())) == 1


def test_a_version_is_of_all_files_but_not_of_comments(made: Path) -> None:
    before = load(made).version
    edit(made, lambda text: "# a remark\n" + text, "policy.yaml")
    assert load(made).version == before
    (made / "prompt.txt").write_text("Be kind.")
    assert load(made).version != before


@pytest.mark.parametrize("name", ["../out.txt", "/etc/x", "a/../../b", ".hidden", "a\\b", "", 7])
def test_what_leads_out_of_a_bundle_is_refused(tmp_path: Path, name: object) -> None:
    parcel = zlib.compress(msgpack.packb([["policy.yaml", b"x"], [name, b"x"]]))
    with pytest.raises(PolicyError, match="not a bundle's parcel"):
        unpack(parcel, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("parcel", [b"", b"nonsense", zlib.compress(b"\xc1"), zlib.compress(msgpack.packb([]))[:-3]])
def test_what_is_no_parcel_is_refused(tmp_path: Path, parcel: bytes) -> None:
    with pytest.raises(PolicyError, match="not a bundle's parcel"):
        unpack(parcel, tmp_path)


NESTED = 600  # arrays in arrays, each of which announces the most that it may


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ([["policy.yaml", 30_000_000]], "a body of type int, not bytes"),
        ([["policy.yaml", -1]], "a body of type int"),
        ([["policy.yaml", True]], "a body of type bool"),
        ([["policy.yaml", 1.5]], "a body of type float"),
        ([["policy.yaml", None]], "a body of type NoneType"),
        ([["policy.yaml", [0, 1, 2]]], "a body of type list"),
        ([["policy.yaml", {}]], "a body of type dict"),
        ([["policy.yaml", {"x": 1}]], "max_map_len"),
        ([["policy.yaml", "text"]], "a body of type str"),
        ([["policy.yaml", msgpack.ExtType(5, b"x")]], "max_ext_len"),
        ([["policy.yaml"]], "its name and its bytes"),
        ([["policy.yaml", b"", b""]], "its name and its bytes"),
        (["ab"], "its name and its bytes"),
        ([b"ab"], "its name and its bytes"),
        ([7], "its name and its bytes"),
        ({"policy.yaml": b""}, "max_map_len"),
        ("policy.yaml", "no list of files"),
        (7, "no list of files"),
        (None, "no list of files"),
        ([], "no list of files"),
        ([["a", b"1"], ["a/b", b"2"]], "'a' is a file and the folder of 'a/b'"),
        ([["a/b/c", b"1"], ["a", b"2"]], "'a' is a file and the folder of 'a/b/c'"),
        ([["a", b"1"], ["a", b"2"]], "'a' is there twice"),
        ([["a/b", b"1"], ["a//b", b"2"]], "'a/b' is there twice"),
        ([["\u4e00" * 150, b"1"]], "a file named"),
        ([["x" * 801, b"1"]], "max_str_len"),
        ([[f"{n}", b""] for n in range(1_001)], "max_array_len"),
    ],
)
def test_what_is_no_list_of_files_is_refused_before_anything_is_written(
    tmp_path: Path, contents: object, said: str
) -> None:
    parcel = zlib.compress(msgpack.packb(contents))
    tracemalloc.start()
    try:
        with pytest.raises(PolicyError, match="not a bundle's parcel") as refused:
            unpack(parcel, tmp_path / "kept")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20, "the refusal itself took memory"
    finally:
        tracemalloc.stop()
    assert said in str(refused.value)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    "raw", [b"\xdd\x01\xff\xff\xff", b"\xdd\x00\x00\x03\xe8" * NESTED, b"\x91" * 5_000, b"\xdf\x01\xff\xff\xff"]
)
def test_announced_lengths_make_no_memory(tmp_path: Path, raw: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PolicyError, match="not a bundle's parcel"):
            unpack(zlib.compress(raw), tmp_path / "kept")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_what_follows_a_parcel_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="4 bytes follow its end"):
        unpack(pack(made) + b"more", tmp_path / "kept")


def test_a_refused_bundle_leaves_no_folder_and_an_older_one_stays(made: Path, tmp_path: Path) -> None:
    parcel, kept = pack(made), tmp_path / "kept"
    with pytest.raises(PolicyError, match="no good"), unpacked(parcel, kept):
        raise PolicyError("no good")
    assert list(kept.iterdir()) == []
    folder = unpack(parcel, kept)
    with pytest.raises(PolicyError, match="no good"), unpacked(parcel, kept):
        raise PolicyError("no good")
    assert list(kept.iterdir()) == [folder]


def test_limits_hold_before_anything_is_written(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zlib.compress(msgpack.packb([["big", bytes(60 << 20)]]))
    with pytest.raises(PolicyError, match="longer than a bundle may be"):
        unpack(bomb, tmp_path / "kept")
    monkeypatch.setattr(parcels, "FILES_MAX", 1)
    with pytest.raises(PolicyError, match="2 files; a bundle has 1 at most"):
        load(made)


def test_a_link_is_no_part_of_a_bundle(made: Path) -> None:
    (made / "outside").symlink_to("/etc/hostname")
    with pytest.raises(PolicyError, match="holds no links"):
        pack(made)


def test_a_signature_is_of_key_version_and_contents() -> None:
    good = sign("key", "v1", b"parcel")
    check_signature("key", "v1", b"parcel", good)
    for key, version, parcel in (("other", "v1", b"parcel"), ("key", "v2", b"parcel"), ("key", "v1", b"parcel!")):
        with pytest.raises(CallerFault, match="OFFHOOK_PUBLISH_KEY"):
            check_signature(key, version, parcel, good)
    with pytest.raises(CallerFault):
        check_signature("key", "v1", b"parcel", "")


def test_a_node_unpacks_what_is_published_and_knows_it_after_a_restart(made: Path, tmp_path: Path) -> None:
    bundle = load(made)
    memory = tmp_path / "node" / "memory.json"
    memory.parent.mkdir()
    Catalog(memory).publish(bundle.version, bundle.plain(), pack(made))
    again = Catalog(memory)
    assert again.recall() == [bundle.version]
    assert load(Path(again.bundle(bundle.version))).version == bundle.version
    with pytest.raises(PolicyError):
        again.publish("bad", bundle.plain(), b"nonsense")
    (made / "prompt.txt").write_text("another one")
    with pytest.raises(PolicyError, match="ears"):
        again.publish("bad", {**bundle.plain(), "ears": 7}, pack(made))
    assert again.recall() == [bundle.version]
    assert len(list((tmp_path / "node" / "bundles").iterdir())) == 1


# --- loading ----------------------------------------------------------------------------------------------------------


def test_two_versions_live_side_by_side_and_one_is_unloaded(made: Path, tmp_path: Path) -> None:
    one = unpack(pack(made), tmp_path / "kept")
    (made / "agents" / "prices.py").write_text("PRICE = 49\n")
    edit(made, lambda text: text.replace("class Guide", "from .prices import PRICE\n\n\nclass Guide"))
    two = unpack(pack(made), tmp_path / "kept")
    code = "agents/guide.py:Guide"
    first, second = agent_class(code, str(one)), agent_class(code, str(two))
    assert first is not second and first is agent_class(code, str(one))
    assert not hasattr(sys.modules[first.__module__], "PRICE") and sys.modules[second.__module__].PRICE == 49
    assert release(str(two)) >= 3 and second.__module__ not in sys.modules
    assert first.__module__ in sys.modules and release(str(one)) >= 2
    assert release(str(one)) == 0


def test_what_a_bundle_names_is_found_without_importing_anything(made: Path) -> None:
    sys.modules.pop("this", None)
    for code in ("this.x:Guide", "this.x.y:Guide", "no.such:Guide", ".:Guide", "..x:Guide"):
        with pytest.raises(PolicyError, match="there is no module"):
            load(edit(made, lambda text, code=code: re.sub(r"code: .*", f"code: {code}", text), "policy.yaml"))
    assert "this" not in sys.modules
    stock = "offhook.policies.agents.booking:Booking"
    load(edit(made, lambda text: re.sub(r"code: .*", f"code: {stock}", text), "policy.yaml"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: f"x = {'-' * 100_000}1\n{text}", "nested too deeply"),
        (lambda text: f"x = a{'.a' * 100_000}\n{text}", "nested too deeply"),
        (lambda text: f"x = {'(' * 100_000}1\n{text}", "is not Python"),
        (lambda text: f"\0{text}", "is not Python"),
    ],
)
def test_code_that_cannot_be_read_is_named(made: Path, change: Callable[[str], str], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        load(edit(made, change))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("name: " + ":".join("1" * 3_000), "a number of 5999 characters"),
        ("name: " + "9" * 5_000, "a number of 5000 characters"),
        ("? " + ":".join("1" * 100) + "\n: x\nname: x", "a number of 199 characters"),
        ("name: x\narbitration:\n  deadline: " + "1" * 400 + " ms", "arbitration.deadline"),
        ("name: x\narbitration:\n  deadline: .inf", "arbitration.deadline"),
    ],
)
def test_a_number_without_end_is_named_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "policy.yaml").write_text(f"{written}\n")
    with pytest.raises(PolicyError, match=said):
        load(tmp_path)


SAYS = "self.say(view, 'greeting', "
ORDERS = "self.act(view, 'order_cabs',"
WHY = "priority=0.5, reason='test'"

# --- checking ---------------------------------------------------------------------------------------------------------


def test_the_bundle_to_start_from_is_good(made: Path) -> None:
    found = rehearse(load(made), calls=5)
    assert found["calls"] == 5 and found["faults"] == [] and sum(found["outcomes"].values()) == 5
    with pytest.raises(CallerFault, match="something in it already"):
        policy_start.write(made)
    with pytest.raises(CallerFault, match="cannot be a policy's name"):
        policy_start.write(made.with_name("My Desk"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("topics = ()", "topics = ('weather',)"), "wants notices of weather; there are:"),
        (lambda text: text.replace("topics = ()", "topics = 'turn'"), "declares no topics"),
        (lambda text: text + "\n1 / 0\n", "fails on import: ZeroDivisionError"),
        (lambda text: text.replace("if reason", "raise KeyError(reason)\n        if reason", 1), "KeyError"),
        (lambda text: text + "\nimport os\nos._exit(3)\n", "its process ended with 3"),
        (lambda text: text + "\nwhile True:\n    pass\n", r"hangs at agents/guide.py:\d+ in <module>"),
        (
            lambda text: text.replace("if reason", "while True: pass\n        if reason", 1),
            r"agents.guide hangs at agents/guide.py:\d+ in propose, asked because: \w+",
        ),
        (
            lambda text: text.replace("if reason", "next(iter([]))\n        if reason", 1),
            r"StopIteration at agents/guide.py:\d+ in propose",
        ),
        (lambda text: text.replace("if reason", "exit(3)\n        if reason", 1), "SystemExit: 3"),
        (
            lambda text: text.replace(
                "if reason", "return self.say(view, 'greeting', Purpose.ANSWER)\n        if reason", 1
            ),
            r"agents.guide: TypeError: .* answers with a list: .*/guide.py:\d+ in propose, which returned Proposal",
        ),
        (
            lambda text: text.replace("if reason", f"return [{SAYS}Purpose.ANSWER, priority=7)]\n        if reason", 1),
            r"agents.guide: .*/guide.py:\d+ in propose: well_formed needs priority: 0 to 1, is another number",
        ),
        (
            lambda text: text.replace("if reason", f"return [{SAYS}'confirmatoin')]\n        if reason", 1),
            r"guide.py:\d+ in propose: well_formed needs purpose: one of Purpose (.*Purpose.CONFIRMATION.*), is str",
        ),
        (
            lambda text: text.replace("if reason", f"return [{ORDERS} {{'name': 7}}, {WHY})]\n        if reason", 1),
            r"(order_cabs) of agents/guide.py:\d+ in propose: well_formed needs arguments: name: text, is int",
        ),
        (lambda text: text + "\nx = bytearray(8 << 30)\n", "MemoryError"),
    ],
)
def test_a_bad_bundle_is_named_and_harms_nothing(made: Path, change: Callable[[str], str], said: str) -> None:
    edit(made, change)
    with pytest.raises(PolicyError, match=said.replace("(", r"\(").replace(")", r"\)")) as told:
        # It starts a process, which takes seconds on a busy machine. Only the one that hangs is waited for in vain.
        rehearse(load(made), calls=3, within_s=2.0 if "hangs" in said else WITHIN_S)
    assert str(told.value).count("well_formed") <= 1


def test_an_act_that_the_policy_does_not_name_is_told_with_its_place(made: Path) -> None:
    edit(made, lambda text: text.replace("if reason", f"return [{ORDERS} {{}}, {WHY})]\n        if reason", 1))
    found = rehearse(load(made), calls=2)
    (told,) = [each for each in found["warnings"] if "order_cabs" in each]
    assert "agents.guide proposes order_cabs (agents/guide.py:" in told and "gate.actions does not name" in told


def test_agents_that_cannot_be_made_are_named(made: Path) -> None:
    edit(made, lambda text: text.replace("    topics", "    def __init__(self, *_): raise OSError('no')\n\n    topics"))
    with pytest.raises(PolicyError, match=r"agents.guide: it cannot be made: OSError: no"):
        agents_of(load(made).policy, str(made))


# --- comparing --------------------------------------------------------------------------------------------------------


def test_a_diff_names_fields_with_units_and_files(made: Path) -> None:
    before = Side.of_folder(made)
    edit(made, lambda text: text.replace("200 ms", "300 ms"), "policy.yaml")
    edit(made, lambda text: text + "\n")
    (made / "prompt.txt").write_text("x")
    found = compared(before, Side.of_folder(made))
    assert found["lines"] == [
        "arbitration.deadline_ms: 200 ms -> 300 ms",
        "prompt.txt: new",
        "agents/guide.py: changed",
    ]
    assert compared(before, before)["lines"] == []
    assert isinstance(Policy.model_validate(before.policy), Policy)
