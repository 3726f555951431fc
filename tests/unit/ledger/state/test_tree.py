"""The state tree by example: pinned roots, shapes, shared versions."""

from metanode.ledger.state import EMPTY_TREE, build_tree
from metanode.ledger.state.nodes import (
    ENTRY_BYTES,
    PAGE_ENTRIES_MAX,
    Node,
    find_entry,
    key_path,
    leaf_hash,
)
from metanode.primitives.digest import Tag, digest


def numbered(count: int) -> dict[bytes, bytes]:
    return {b"k%d" % number: b"v%d" % number for number in range(count)}


def test_the_empty_root_is_pinned() -> None:
    assert EMPTY_TREE.root == digest(Tag.STATE_ROOT, bytes(8), bytes(32))
    assert EMPTY_TREE.root.hex() == "82b9b94cc344af2325f069b681d19a284bccf4d3eeac9ccfa8ad0d3419b9acca"


def test_one_key_is_hashed_as_the_page_says() -> None:
    path = digest(Tag.STATE_KEY, b"key")
    leaf = digest(Tag.STATE_LEAF, b"\x00\x03", b"key", b"value")
    page = digest(Tag.STATE_PAGE, path, leaf)
    assert key_path(b"key") == path
    assert leaf_hash(b"key", b"value") == leaf
    assert build_tree([(b"key", b"value")]).root == digest(Tag.STATE_ROOT, (1).to_bytes(8, "big"), page)


def test_key_and_value_cannot_trade_bytes() -> None:
    assert build_tree([(b"ab", b"c")]).root != build_tree([(b"a", b"bc")]).root


def test_a_page_splits_above_its_limit_and_merges_back() -> None:
    full = build_tree(numbered(PAGE_ENTRIES_MAX).items())
    assert isinstance(full.top, bytes)
    split = full.update({b"one more": b"v"})
    assert isinstance(split.top, Node)
    assert split.count == PAGE_ENTRIES_MAX + 1
    assert split.update({b"one more": None}) == full


def test_versions_do_not_disturb_one_another() -> None:
    before = build_tree(numbered(500).items())
    root = before.root
    one = before.update({b"k1": b"x"})
    other = before.update({b"k1": b"y", b"k2": None})
    child = one.update({b"k1": b"v1"})
    assert before.root == root
    assert len({before.root, one.root, other.root}) == 3
    assert child == before


def test_deleting_everything_leaves_the_empty_tree() -> None:
    tree = build_tree(numbered(300).items())
    assert tree.update(dict.fromkeys(numbered(300))) == EMPTY_TREE


def test_deleting_what_is_absent_changes_nothing() -> None:
    for count in (0, 1, 32, 33, 300):
        tree = build_tree(numbered(count).items())
        assert tree.update({b"absent": None, b"absent too": None}) == tree
        assert tree.update({b"absent": None}) == tree
        assert tree.update({}) is tree


def test_unchanged_children_are_shared() -> None:
    before = build_tree(numbered(2_000).items())
    after = before.update({b"k7": b"x"})
    assert isinstance(before.top, Node)
    assert isinstance(after.top, Node)
    shared = [one is other for one, other in zip(before.top.children, after.top.children, strict=True)]
    assert shared.count(False) == 1


def test_an_entry_is_found_only_where_entries_begin() -> None:
    path = bytes(range(32))
    page = bytes(32) + path + b"\x01" * ENTRY_BYTES + path + bytes(32)
    assert find_entry(page, path) == 2 * ENTRY_BYTES
    assert find_entry(page[: 2 * ENTRY_BYTES], path) == -1
