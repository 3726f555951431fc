"""Whatever the host reads from outside, some fuzz test feeds: found by looking, proved by watching the tests run."""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.fuzz import test_host_files, test_host_images, test_host_requests, test_host_runtimes

import metanode.host

HOST = Path(metanode.host.__file__).parent
FOLDERS = (HOST, HOST / "images", HOST / "runtimes", HOST / "runtimes" / "shim")
"""Rooms of the host whose readers are looked for."""
READING = frozenset(
    {"decode", "fromhex", "loads", "unpack", "unpack_from", "b64decode", "read_file", "load_toml", "convert"}
)
"""What turns bytes or text from outside into values."""
OURS = {
    "http_answers:error_response": "its own header's name",
    "http_guard:Guard._counted": "see the function inside",
    "http_guard:Guard._counted.<locals>.told": "the code in an answer of this port",
    "http_rest:Rest._answer": "a field of an answer that this node made",
    "http_rest:read_arguments": "a request that is parsed; tests/integration/test_http_documents.py generates those",
    "logs:_Json.format": "a line it has just encoded",
    "data_directory:lock_directory": "who holds the lock, for a sentence; shown whatever it is",
    "images/registry:Credentials.basic": "a header that it has just encoded",
    "images/roots:this_boot": "what the kernel says",
    "runtimes/caging:witnessed_of": "what the shim has made, which is this program",
    "runtimes/shim/connection:peer_uid": "what the kernel says",
    "runtimes/shim/engines:_Watch._done": "a child's report, written by this program before anything else runs in it",
    "runtimes/shim/engines:_Watch._read": "the same",
    "runtimes/shim/kernel:loopback_up": "what the kernel says",
}
"""Readers of what nobody else wrote, each with its reason."""


def readers(node: ast.AST, before: str = "") -> Iterator[str]:
    """The functions below a node that read in the sense of `READING`, by qualified name."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if any(isinstance(one, ast.Call) and called(one) in READING for one in ast.walk(child)):
                    yield before + name
                yield from readers(child, f"{before}{name}.<locals>.")
            case ast.ClassDef(name=name):
                yield from readers(child, f"{before}{name}.")
            case _:
                yield from readers(child, before)


def called(call: ast.Call) -> str:
    """The last word of what is called."""
    match call.func:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
        case _:
            return ""


def module_of(path: Path) -> str:
    """A module by its path below the host: `keys`, `images/roots`."""
    return path.relative_to(HOST).with_suffix("").as_posix()


FOUND = {
    f"{module_of(path)}:{name}"
    for room in FOLDERS
    for path in sorted(room.glob("*.py"))
    for name in readers(ast.parse(path.read_text()))
}


def run_watched(tests: list[Callable[[], Any]]) -> set[str]:
    """The functions of the host that these tests enter."""
    entered: set[str] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(HOST)):
            entered.add(f"{module_of(Path(code.co_filename))}:{code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        for test in tests:
            test()
    finally:
        sys.setprofile(before)
    return entered


def test_every_reader_of_the_host_is_fed_by_a_fuzz_test() -> None:
    modules = (test_host_files, test_host_images, test_host_requests, test_host_runtimes)
    tests = [test for module in modules for name, test in sorted(vars(module).items()) if name.startswith("test_")]
    assert all(hasattr(test, "hypothesis") for test in tests), "each feeds what chance made"
    missed = FOUND - run_watched(tests) - set(OURS)
    assert not missed, "readers of bytes from outside that no fuzz test feeds: " + ", ".join(sorted(missed))


@pytest.mark.parametrize("name", OURS)
def test_what_is_left_out_is_there(name: str) -> None:
    assert name in FOUND, "it reads nothing any more"


def test_a_new_reader_would_be_found() -> None:
    source = "class A:\n    def b(self, data):\n        return tomllib.loads(data.decode())\n"
    assert list(readers(ast.parse(source))) == ["A.b"]
