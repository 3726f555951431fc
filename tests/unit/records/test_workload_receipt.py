"""Entries: what each step must and may say, and how large one can be."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import OTHER_KEY, SPEC, VALUES, happening, life, refusal, written

from metanode.docklock.receipts import details
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.cluster import ClusterValueRefusal
from metanode.records.demand import DemandRefusal
from metanode.records.workload_receipt import (
    DETAIL_BYTES_MAX,
    DETAILS,
    ENTRY_BYTES_MAX,
    NUMBER_MAX,
    SIGNED_ENTRIES,
    STEPS,
    Entry,
    EntryRefusal,
    SignedEntry,
    check_entry,
    command_digest,
    detail,
    entry_digest,
    shortened,
    signed_digest,
)

PAGE = Path(__file__).parents[3] / "docs" / "protocol" / "workload-receipts.md"


def entry(step: str = "started", **changes: Any) -> Entry:
    return replace(next(one.entry for one in life() if one.entry.step == step), **changes)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_with_the_least_and_with_all_that_it_may_say(step: str) -> None:
    for full in (False, True):
        (signed,) = written(happening(step, full=full))
        check_entry(signed.entry)
        assert SIGNED_ENTRIES.decode(encode(signed)) == signed


@pytest.mark.parametrize("step", STEPS)
def test_the_greatest_entry_of_a_step_can_be_read_again(step: str) -> None:
    form, longest = STEPS[step], "n" * 32
    greatest: dict[str, Any] = {
        "text": "x" * DETAIL_BYTES_MAX,
        "count": NUMBER_MAX,
        "name": longest,
        "probe": "command",
    }
    values = {name: greatest.get(DETAILS[name], VALUES[name]) for name in (*form.must, *form.may)}
    biggest = replace(
        entry(step),
        cluster=longest,
        node=longest,
        workload=longest,
        number=NUMBER_MAX,
        previous=b"\xff" * 32,
        time_ms=NUMBER_MAX,
        height=NUMBER_MAX,
        index=4_999,
        attempt=NUMBER_MAX,
        revision=NUMBER_MAX,
        engine="kubernetes",
        decision=bytes(32),
        code="r" * 31 + "." + "c" * 63 if form.code.startswith("refusal") else entry(step).code,
        details=details(**{name.replace("-", "_"): value for name, value in values.items()}),
    )
    check_entry(biggest)
    signed = SignedEntry(entry=biggest, key=bytes(32), signature=bytes(64))
    assert len(encode(signed)) <= ENTRY_BYTES_MAX
    assert SIGNED_ENTRIES.decode(encode(signed)) == signed


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_must_say_is_not_left_out(step: str) -> None:
    whole = entry(step)
    for name in STEPS[step].must:
        less = replace(whole, details=tuple(one for one in whole.details if one.name != name))
        assert refusal(check_entry, less) == EntryRefusal.MISSING
    without = refusal(check_entry, replace(whole, engine="")) if STEPS[step].engine else EntryRefusal.MISSING
    assert without == EntryRefusal.MISSING
    if STEPS[step].code in ("exit", "refusal"):
        assert refusal(check_entry, replace(whole, code="")) == EntryRefusal.BAD_CODE
    if not STEPS[step].alone:
        nothing = replace(whole, workload="", index=0, attempt=0, revision=0, spec=b"")
        assert refusal(check_entry, nothing) == EntryRefusal.MISSING


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_has_no_place_for_is_not_let_in(step: str) -> None:
    whole, form = entry(step), STEPS[step]
    for name in {*DETAILS, "colour"} - {*form.must, *form.may}:
        more = sorted((*whole.details, detail(name, VALUES.get(name, 1))), key=lambda one: one.name)
        assert refusal(check_entry, replace(whole, details=tuple(more))) == EntryRefusal.UNEXPECTED
    if form.code == "none":
        assert refusal(check_entry, replace(whole, code="0")) == EntryRefusal.UNEXPECTED


def test_a_pulled_image_is_named() -> None:
    assert refusal(check_entry, entry("pulled", image=b"")) == EntryRefusal.MISSING
    check_entry(entry("started", image=b""))


def test_about_no_workload_there_are_no_parts_of_one() -> None:
    alone = entry("refused", workload="", index=0, attempt=0, revision=0, spec=b"", engine="", image=b"")
    check_entry(alone)
    for more in ({"index": 1}, {"attempt": 1}, {"revision": 1}, {"spec": SPEC}):
        assert refusal(check_entry, replace(alone, **more)) == EntryRefusal.BAD_SUBJECT


def test_versions_and_steps_that_nobody_knows() -> None:
    assert refusal(check_entry, entry(version=2)) == EntryRefusal.VERSION
    assert refusal(check_entry, entry(version=0)) == EntryRefusal.VERSION
    assert refusal(check_entry, replace(entry(), step="vanished")) == EntryRefusal.UNKNOWN_STEP
    assert refusal(check_entry, replace(entry(), step="")) == EntryRefusal.UNKNOWN_STEP


def test_the_first_entry_alone_names_none_before_it() -> None:
    check_entry(entry(number=0, previous=bytes(32)))
    assert refusal(check_entry, entry(number=0, previous=SPEC)) == EntryRefusal.BAD_SUBJECT
    assert refusal(check_entry, entry(number=1, previous=bytes(32))) == EntryRefusal.BAD_SUBJECT


@pytest.mark.parametrize("code", ["256", "-1", "00", "1x", " 1", "1e2", "", "demand.bad-name", "１"])
def test_an_exit_status_is_a_number_of_one_byte(code: str) -> None:
    for good in ("0", "1", "255"):
        check_entry(entry("exited", code=good))
    assert refusal(check_entry, entry("exited", code=code)) == EntryRefusal.BAD_CODE


@pytest.mark.parametrize(
    "code", ["7", "refused", "a.", ".b", "A.b", "a.b.c", "a b.c", "x" * 32 + ".a", "a." + "b" * 64]
)
def test_a_refusal_has_a_stable_code(code: str) -> None:
    check_entry(entry("refused", code="images.bad-digest"))
    assert refusal(check_entry, entry("refused", code=code)) == EntryRefusal.BAD_CODE


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("log", bytes(31), DemandRefusal.BAD_DIGEST),
        ("log", "text", EntryRefusal.BAD_DETAIL),
        ("log", 3, EntryRefusal.BAD_DETAIL),
        ("log-bytes", -1, DemandRefusal.OUT_OF_RANGE),
        ("log-bytes", NUMBER_MAX + 1, DemandRefusal.OUT_OF_RANGE),
        ("log-bytes", "7", EntryRefusal.BAD_DETAIL),
        ("reason", "", EntryRefusal.BAD_DETAIL),
        ("reason", "x" * (DETAIL_BYTES_MAX + 1), EntryRefusal.BAD_DETAIL),
        ("reason", "é" * (DETAIL_BYTES_MAX // 2 + 1), EntryRefusal.BAD_DETAIL),
        ("reason", "two\nlines", EntryRefusal.BAD_DETAIL),
        ("reason", b"bytes", EntryRefusal.BAD_DETAIL),
    ],
)
def test_a_detail_is_what_its_name_says(name: str, value: Any, code: str) -> None:
    wrong = tuple(detail(name, value) if one.name == name else one for one in entry("exited").details)
    assert refusal(check_entry, entry("exited", details=wrong)) == code


@pytest.mark.parametrize(
    ("step", "name", "value", "code"),
    [
        ("execed", "caller", bytes(32), ClusterValueRefusal.BAD_KEY),
        ("moved", "to", "Node 3", DemandRefusal.BAD_NAME),
        ("healthy", "probe", "ping", DemandRefusal.UNKNOWN_WORD),
        ("secret-released", "secret", "", DemandRefusal.BAD_NAME),
    ],
)
def test_accounts_names_and_probes_are_such(step: str, name: str, value: Any, code: str) -> None:
    wrong = tuple(detail(name, value) if one.name == name else one for one in entry(step).details)
    assert refusal(check_entry, entry(step, details=wrong)) == code


def test_details_stand_in_one_order_and_once() -> None:
    told = entry("exited").details
    for wrong in (tuple(reversed(told)), (*told, told[-1])):
        assert refusal(check_entry, entry("exited", details=wrong)) == DemandRefusal.NOT_ASCENDING


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("cluster", "", DemandRefusal.BAD_NAME),
        ("node", "Node", DemandRefusal.BAD_NAME),
        ("workload", "web/1", DemandRefusal.BAD_NAME),
        ("chain_id", b"", DemandRefusal.BAD_DIGEST),
        ("spec", b"", DemandRefusal.BAD_DIGEST),
        ("image", bytes(20), DemandRefusal.BAD_DIGEST),
        ("decision", bytes(31), DemandRefusal.BAD_DIGEST),
        ("previous", bytes(31), DemandRefusal.BAD_DIGEST),
        ("engine", "vm", DemandRefusal.UNKNOWN_WORD),
        ("index", 5_000, DemandRefusal.OUT_OF_RANGE),
        ("index", -1, DemandRefusal.OUT_OF_RANGE),
        ("attempt", -1, DemandRefusal.OUT_OF_RANGE),
        ("revision", -1, DemandRefusal.OUT_OF_RANGE),
        ("time_ms", -1, DemandRefusal.OUT_OF_RANGE),
        ("height", NUMBER_MAX + 1, DemandRefusal.OUT_OF_RANGE),
        ("number", -1, DemandRefusal.OUT_OF_RANGE),
    ],
)
def test_every_part_is_within_its_bounds(part: str, value: Any, code: str) -> None:
    assert refusal(check_entry, entry(**{part: value})) == code


def test_what_is_signed_and_what_names_an_entry() -> None:
    (signed,) = written(happening())
    assert entry_digest(signed.entry) == sha256(b"metanode.wentry1" + encode(signed.entry)).digest()
    assert signed_digest(signed) == sha256(b"metanode.wrecpt1" + encode(signed)).digest()
    assert ed25519.verify(signed.key, entry_digest(signed.entry), signed.signature)
    other = replace(signed, key=OTHER_KEY.public_key)
    assert signed_digest(other) != signed_digest(signed)


def test_a_command_is_known_by_its_words() -> None:
    assert command_digest(("ls", "-l")) == sha256(b"\x92\xa2ls\xa2-l").digest()
    assert command_digest(("ls -l",)) != command_digest(("ls", "-l"))


@pytest.mark.parametrize("text", ["plain", "two\nlines", "x" * 300, "é" * 300, "€" * 86, "\x00"])
def test_whatever_was_said_fits_when_it_is_shortened(text: str) -> None:
    check_entry(entry("killed", details=details(reason=shortened(text))))
    assert shortened("plain") == "plain"
    assert shortened("two\nlines") == "two?lines"
    assert shortened("x" * 256) == "x" * 256
    assert shortened("x" * 300) == "x" * 253 + "…"


def test_the_page_has_the_table() -> None:
    rows = re.findall(
        r"^\| (`[a-z`, -]+`) \| (must|may) \| (.*?) \|.*\| (must|may) \|$", PAGE.read_text(), re.MULTILINE
    )
    told = {name: row for names, *row in rows for name in re.findall(r"[a-z-]+", names)}
    assert set(told) == set(STEPS)
    for name, form in STEPS.items():
        engine, code, workload = told[name]
        assert (engine == "must") == form.engine
        assert (workload == "may") == form.alone
        assert code.startswith({"n": "–", "e": "exit status", "r": "stable code"}[form.code[0]])
        assert code.endswith(("–", "exit status", "stable code")) == (not form.code.endswith("?"))


@pytest.mark.parametrize("step", STEPS)
def test_what_may_be_left_out_can_be(step: str) -> None:
    form, least = STEPS[step], written(happening(step))[0].entry
    check_entry(replace(least, attempt=0, revision=0, decision=b""))
    if form.code.endswith("?"):
        check_entry(replace(least, code=""))
    if not form.engine:
        check_entry(replace(least, engine=""))
    if form.alone:
        check_entry(replace(least, workload="", index=0, attempt=0, revision=0, spec=b""))


def test_a_count_may_be_nought() -> None:
    check_entry(entry("created", details=details(cpu_millicores=0, memory_kib=0, pids_max=0)))


def test_every_detail_is_of_some_step_and_every_step_knows_its_details() -> None:
    used = {name for form in STEPS.values() for name in (*form.must, *form.may)}
    assert used == set(DETAILS)
