"""What layers come to, against a model of a few lines; and that nobody leaves the root, whatever links are made."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.host.images.made import Member, file, folder, hard_link, symlink, tar
from tests.unit.host.images.unpacking import MEMORY, Place

from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
Tree = dict[str, str]
"""Path to content; a folder is a slash."""

PLAIN = st.one_of(
    st.tuples(st.just("file"), PATHS), st.tuples(st.just("folder"), PATHS), st.tuples(st.just("gone"), PATHS),
    st.tuples(st.just("clear"), st.one_of(st.just(""), PATHS)),
)  # fmt: skip
LAYERS = st.lists(st.lists(PLAIN, max_size=6), min_size=1, max_size=3)


def below(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(top + "/")


def parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


def model(layers: list[list[tuple[str, str]]]) -> Tree | None:
    """What the specification says the layers come to: whiteouts first, for they hide lower layers only; then what the
    layer makes, in its order. None where something is put below a file: then the order matters, and it is refused.
    """
    tree: Tree = {}
    for number, layer in enumerate(layers):
        hidden = [(kind, path) for kind, path in layer if kind in ("gone", "clear")] if number else []
        for kind, path in hidden:
            for one in list(tree):
                if below(one, path) and (kind == "gone" or one != path):
                    del tree[one]
        for turn, (kind, path) in enumerate(layer):
            if kind not in ("file", "folder"):
                continue
            for above in parents(path):
                if tree.setdefault(above, "/") != "/":
                    return None
            if kind == "file":
                for one in [one for one in tree if below(one, path)]:
                    del tree[one]
                tree[path] = f"{number}.{turn}"
            elif tree.get(path, "/") != "/":
                tree[path] = "/"
            else:
                tree.setdefault(path, "/")
    return tree


def members(number: int, layer: list[tuple[str, str]]) -> list[Member]:
    made: list[Member] = []
    for turn, (kind, path) in enumerate(layer):
        above, _, name = path.rpartition("/")
        match kind:
            case "file":
                made.append(file(path, f"{number}.{turn}".encode()))
            case "folder":
                made.append(folder(path + "/"))
            case "gone":
                made.append(file(f"{above}/.wh.{name}".lstrip("/")))
            case _:
                made.append(file(f"{path}/.wh..wh..opq".lstrip("/")))
    return made


@settings(max_examples=150, deadline=None)
@given(layers=LAYERS)
def test_layers_come_to_what_the_model_says(layers: list[list[tuple[str, str]]]) -> None:
    expected = model(layers)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        place = Place(Path(name))
        try:
            place.unpack(*(tar(members(number, layer)) for number, layer in enumerate(layers)))
        except Rejected as rejected:
            assert rejected.reason is ImageRefusal.NOT_A_FOLDER
        else:
            if expected is not None:
                assert place.found() == expected


TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", ".", ""]), min_size=1, max_size=5).map("/".join)
WILD_PATHS = st.lists(st.sampled_from(["a", "b", "c", ".."]), min_size=1, max_size=4).map("/".join)
WILD = st.one_of(
    st.builds(lambda path: file(path, b"evil"), WILD_PATHS), st.builds(lambda path: folder(path + "/"), WILD_PATHS),
    st.builds(symlink, PATHS, TARGETS), st.builds(symlink, PATHS, TARGETS.map("/".__add__)),
    st.builds(hard_link, PATHS, WILD_PATHS), st.builds(lambda path: file(f"{path}/.wh.a"), WILD_PATHS),
    st.builds(lambda path: file(f"{path}/.wh..wh..opq"), PATHS),
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(layers=st.lists(st.lists(WILD, max_size=8), min_size=1, max_size=2))
def test_whatever_links_are_made_nothing_outside_is_touched(layers: list[list[Member]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        place = Place(Path(name))
        before = sorted(os.listdir(place.root.parent))  # noqa: PTH208
        try:
            place.unpack(*map(tar, layers))
        except Rejected as rejected:
            assert isinstance(rejected.reason, ImageRefusal)
            assert rejected.detail
        assert place.others() == place.before
        assert sorted(os.listdir(place.root.parent)) == before  # noqa: PTH208
