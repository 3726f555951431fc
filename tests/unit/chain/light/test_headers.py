"""Following headers: one after another, by set changes, and what stops a client that follows the rules."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain, set_of

from metanode.chain.light import (
    GenesisBasis,
    LightRefusal,
    SectionRoots,
    Trusted,
    body_leaves,
    check_basis_age,
    check_commit,
    check_commit_form,
    check_history,
    check_link,
    follow,
    follow_set_change,
    section_roots,
    skip,
    trust,
)
from metanode.chain.light.headers import set_of as seats_of
from metanode.primitives import bls
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root, inclusion_proof
from metanode.primitives.names import NO_HASH, Hash, Height, Millis
from metanode.primitives.refusal import Rejected
from metanode.records.header import Header
from metanode.records.validators import VALIDATORS_MAX, Validator
from metanode.records.vote import ROUND_MAX

PAIRING = bls.fast_aggregate_verify


@cache
def chain() -> Chain:
    made = Chain().grow().grow(next_numbers=(1, 2, 3, 4, 5)).grow().grow(next_numbers=(5, 6, 7, 8))
    return made.grow().grow()


def start() -> Trusted:
    return trust(GenesisBasis(chain().genesis))


def refused(what: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Rejected) as rejected:
        what()
    return rejected.value.reason, rejected.value.detail


def followed(height: int) -> Trusted:
    made, trusted = chain(), start()
    for h in range(1, height + 1):
        announced = (
            made.next_set(h).validators if made.header(h).next_validators_hash != trusted.validators.hash else ()
        )
        trusted = follow(trusted, made.header(h), made.commit(h), announced, PAIRING)
    return trusted


def test_genesis_is_where_everything_starts() -> None:
    made = chain()
    period = made.genesis.parameters.trusting_period_ms
    assert start() == Trusted(made.chain_id, Height(0), NO_HASH, Millis(START_MS), set_of(1, 2, 3, 4), (), period)


def test_every_header_one_after_another() -> None:
    made = chain()
    assert followed(6) == trust(made.basis(6))
    assert followed(6).validators == set_of(5, 6, 7, 8)


def test_set_changes_alone_lead_to_the_same_place() -> None:
    made = chain()
    second = follow_set_change(start(), made.header(2), made.commit(2), made.next_set(2).validators, PAIRING)
    fourth = follow_set_change(second, made.header(4), made.commit(4), made.next_set(4).validators, PAIRING)
    assert fourth == followed(4)


def test_a_header_that_changes_nothing_is_no_set_change() -> None:
    made = chain()
    assert refused(lambda: follow_set_change(start(), made.header(1), made.commit(1), (), PAIRING)) == (
        LightRefusal.SET_CHANGE,
        "height 1 announces no other set",
    )


@pytest.mark.parametrize(
    ("change", "layer"),
    [
        ({"chain_id": Hash(bytes(32))}, LightRefusal.HEADER),
        ({"height": Height(1)}, LightRefusal.HEADER),
        ({"height": Height(3)}, LightRefusal.HEADER),
        ({"parent_hash": NO_HASH}, LightRefusal.HEADER),
        ({"timestamp_ms": Millis(START_MS)}, LightRefusal.HEADER),
        ({"validators_hash": NO_HASH}, LightRefusal.SET_CHANGE),
        ({"state_root": NO_HASH}, LightRefusal.COMMIT),
    ],
)
def test_a_header_that_does_not_follow(change: dict[str, object], layer: LightRefusal) -> None:
    made, first = chain(), followed(1)
    wrong: Header = replace(made.header(2), **change)  # type: ignore[arg-type]
    announced = made.next_set(2).validators
    assert refused(lambda: follow(first, wrong, made.commit(2), announced, PAIRING))[0] == layer


def test_skipping_needs_the_set_that_is_known() -> None:
    made = chain()
    assert (
        refused(
            lambda: follow_set_change(start(), made.header(4), made.commit(4), made.next_set(4).validators, PAIRING)
        )[0]
        == LightRefusal.SET_CHANGE
    )


def test_skipping_reaches_any_later_header_of_the_known_set() -> None:
    made, first = chain(), followed(2)
    assert skip(start(), made.header(2), made.commit(2), made.next_set(2).validators, PAIRING) == followed(2)
    assert skip(first, made.header(4), made.commit(4), made.next_set(4).validators, PAIRING) == followed(4)
    assert skip(followed(4), made.header(6), made.commit(6), (), PAIRING) == followed(6)
    back = refused(lambda: skip(followed(6), made.header(5), made.commit(5), (), PAIRING))[0]
    unknown = refused(lambda: skip(first, made.header(5), made.commit(5), (), PAIRING))[0]
    other = refused(lambda: skip(first, made.header(3), made.commit(4), (), PAIRING))[0]
    assert (back, unknown, other) == (LightRefusal.HEADER, LightRefusal.SET_CHANGE, LightRefusal.COMMIT)


def test_an_announced_set_is_exactly_the_announced_one() -> None:
    made = chain()
    first, true = followed(1), made.next_set(2).validators

    def told(*seats: Validator) -> str:
        return refused(lambda: follow(first, made.header(2), made.commit(2), seats, PAIRING))[0]

    stranger = set_of(9).validators[0]
    short = Validator(**{**{f: getattr(true[4], f) for f in true[4].__struct_fields__}, "vote_key": bytes(31)})
    for wrong in ((), true[:4], (*true, stranger), (*true[:4], stranger), true[::-1], (*true[:4], short), true * 60):
        assert told(*wrong) == LightRefusal.SET_CHANGE


def test_a_set_known_to_cancel_is_not_believed_without_being_announced() -> None:
    """A rogue key made of others' keys would verify alone; it never gets so far, for no header announced it."""
    made = chain()
    honest = set_of(1, 2, 3, 4)
    rogue = bls.negate_key(bls.aggregate_keys(honest.bls_keys[:3]))
    seat = honest.validators[3]
    forged = Validator(**{**{f: getattr(seat, f) for f in seat.__struct_fields__}, "bls_key": rogue})
    announced = (*honest.validators[:3], forged)
    assert refused(lambda: follow(followed(1), made.header(2), made.commit(2), announced, PAIRING))[0] == (
        LightRefusal.SET_CHANGE
    )


def test_a_point_older_than_the_trusting_period_leads_nowhere() -> None:
    """Members who left and sold their keys sign another future; whoever came by within the period is not fooled."""
    trusted = followed(2)
    last = trusted.timestamp_ms + trusted.trusting_period_ms
    check_basis_age(trusted, last)
    assert refused(lambda: check_basis_age(trusted, last + 1))[0] == LightRefusal.BASIS


def test_sold_keys_of_departed_members() -> None:
    """They can sign a second header 5 of the first set; who followed the change knows that the set has no say."""
    forged = Chain().grow().grow()
    later = followed(6)
    forged.grow().grow().grow().grow().grow()
    assert refused(lambda: follow(later, forged.header(7), forged.commit(7), (), PAIRING))[0] == LightRefusal.SET_CHANGE


def test_history() -> None:
    made = chain()
    later = made.header(6)
    for height in range(1, 6):
        step = made.history_step(height, 6)
        check_history(later, made.header(height).hash, height, step.size, step.path)
    step = made.history_step(3, 6)
    for height, size in ((2, 5), (4, 5), (3, 4), (3, 6), (0, 5), (6, 5)):
        assert refused(lambda h=height, s=size: check_history(later, made.header(3).hash, h, s, step.path))[0] == (  # type: ignore[misc]
            LightRefusal.HISTORY
        )


def test_a_history_has_as_many_headers_as_are_below() -> None:
    """A header whose history root is of another number of headers: no index can be read under another size."""
    made = chain()
    hashes = [made.header(height).hash for height in range(1, 4)]
    short = replace(made.header(6), history_root=counted_root(Tag.HISTORY_ROOT, hashes))
    refused_at = refused(lambda: check_history(short, hashes[1], 2, 3, inclusion_proof(hashes, 1)))
    assert refused_at[0] == LightRefusal.HISTORY


def test_links_and_commits_by_themselves() -> None:
    made = chain()
    check_link(start(), made.header(1))
    check_commit(made.header(1), made.commit(1), made.set_at(1), PAIRING)
    assert refused(lambda: check_commit(made.header(3), made.commit(3), set_of(1, 2, 3, 4), PAIRING))[0] == (
        LightRefusal.COMMIT
    )


def test_sections_are_those_of_the_header() -> None:
    made = chain()
    block = made.blocks[2]
    assert section_roots(body_leaves(()), block.body.last_commit, ()) == SectionRoots.of_header(made.header(3))
    assert section_roots((), (), ()) != SectionRoots.of_header(made.header(3))


def test_what_follows_is_higher_and_later() -> None:
    """Another header of the trusted height, or of the same time, does not follow, whoever signed it."""
    made, trusted = chain(), followed(5)
    same = replace(made.header(6), height=Height(5))
    assert refused(lambda: skip(trusted, same, made.commit(6), (), PAIRING)) == (
        LightRefusal.HEADER,
        "height 5, trusted is 5",
    )
    at_once = replace(made.header(6), timestamp_ms=trusted.timestamp_ms)
    assert refused(lambda: skip(trusted, at_once, made.commit(6), (), PAIRING)) == (
        LightRefusal.HEADER,
        "height 6 is not later than 5",
    )


def test_the_form_of_a_certificate() -> None:
    made = chain()
    header, right = made.header(3), made.commit(3)
    for round_ in (0, ROUND_MAX):
        check_commit_form(header, msgspec.structs.replace(right, round=round_))
    wrongs: tuple[dict[str, object], ...]
    wrongs = ({"version": 2}, {"height": 4}, {"round": -1}, {"round": ROUND_MAX + 1}, {"header_hash": bytes(32)})
    for changes in wrongs:
        wrong = msgspec.structs.replace(right, **changes)
        assert refused(lambda one=wrong: check_commit_form(header, one))[0] == LightRefusal.COMMIT  # type: ignore[misc]


def test_how_many_seats_a_set_may_have() -> None:
    seat = set_of(1).validators[0]
    assert [len(seats_of([seat] * count, LightRefusal.SET_CHANGE)) for count in (1, VALIDATORS_MAX)] == [
        1,
        VALIDATORS_MAX,
    ]
    for count in (0, VALIDATORS_MAX + 1):
        told = refused(lambda many=count: seats_of([seat] * many, LightRefusal.SET_CHANGE))  # type: ignore[misc]
        assert told[0] == LightRefusal.SET_CHANGE


def test_keys_cut_elsewhere_have_the_announced_digest_and_are_not_believed() -> None:
    """The digest of a set is of its keys one after another: a byte of one may not become a byte of the next."""
    made = chain()
    first, true = followed(1), made.next_set(2).validators
    one = true[0]
    for cut in (47, 49):
        keys = one.bls_key + one.vote_key
        bent = msgspec.structs.replace(one, bls_key=keys[:cut], vote_key=keys[cut:])
        told = refused(lambda seat=bent: follow(first, made.header(2), made.commit(2), (seat, *true[1:]), PAIRING))  # type: ignore[misc]
        assert told == (LightRefusal.SET_CHANGE, "a key of the wrong length")
    short = [msgspec.structs.replace(one, bls_key=one.bls_key[1:]), msgspec.structs.replace(one, vote_key=bytes(33))]
    for seat in short:
        assert refused(lambda seat=seat: seats_of([seat], LightRefusal.SET_CHANGE))[1] == "a key of the wrong length"  # type: ignore[misc]
