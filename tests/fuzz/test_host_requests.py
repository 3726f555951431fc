"""What strangers send to the public port, and operators write into settings: a value or a refusal, nothing else."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.method import Method
from metanode.api.methods import METHODS
from metanode.api.shapes import Request
from metanode.host.disk import Disk
from metanode.host.fault import Fault
from metanode.host.guard_file import GuardFile
from metanode.host.http_calls import binary_batch, submission_bytes
from metanode.host.http_rest import read_json
from metanode.host.http_rpc import Rpc, read_params
from metanode.host.keys import find_password
from metanode.host.settings import read_address, read_key, read_peer
from metanode.host.verify import check_blob, pack

MANY = settings(max_examples=150, deadline=None)
FEW = settings(max_examples=40, deadline=None)
METHOD = st.sampled_from(list(METHODS.values()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
CUT = st.integers(0, 8)


@st.composite
def nearly_arguments(draw: st.DrawFn) -> tuple[Method[Any, Any], bytes]:
    """A method and arguments of the right names, or an array of them; the end may be cut off."""
    method = draw(METHOD)
    values = {name: draw(JSON) for name in method.request.__struct_fields__ if draw(st.booleans())}
    text = json.dumps(list(values.values()) if draw(st.booleans()) else values).encode()
    return method, text[: len(text) - draw(CUT)]


ARGUMENTS = nearly_arguments() | st.tuples(METHOD, st.binary(max_size=80))


@MANY
@given(asked=ARGUMENTS)
def test_arguments_are_a_request_or_refused(asked: tuple[Method[Any, Any], bytes]) -> None:
    method, body = asked
    for read in (read_json, read_params):
        found = read(method, body)
        if isinstance(found, ApiError):
            assert found.code in (ApiRefusal.INVALID_ARGUMENTS, ApiRefusal.MALFORMED)
            assert found.detail
        else:
            assert isinstance(found, Request)
            assert read(method, msgspec.json.encode(found)) == found


class Nobody:
    """Answers that there is nothing, and counts refusals."""

    async def call(self, method: object, request: object, caller: object) -> ApiError:
        return ApiError(ApiRefusal.NOT_FOUND, "nothing is here")

    def refused(self, code: str) -> None:
        assert "." in code


NEARLY = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | JSON, "method": st.sampled_from(list(METHODS)) | JSON},
    optional={"id": st.integers() | st.text(max_size=5) | JSON, "params": JSON},
)
BODIES = st.binary(max_size=100) | (NEARLY | JSON | st.lists(NEARLY | JSON, max_size=4)).map(json.dumps).map(str.encode)


@MANY
@given(body=BODIES, cut=CUT)
def test_any_body_of_json_rpc_is_answered_in_json_rpc(body: bytes, cut: int) -> None:
    nobody: Any = Nobody()
    status, answer = asyncio.run(Rpc(nobody, nobody).handle(body[: len(body) - cut], nobody, lambda count: None))
    assert status in (200, 204, 400)
    if answer:
        told = msgspec.json.decode(answer)
        for one in told if isinstance(told, list) else [told]:
            assert one["jsonrpc"] == "2.0"
            assert one["error"]["data"]["code"]
    else:
        assert status == 204


PACKED = (
    st.binary(max_size=9) | st.text(max_size=5) | st.integers(-5, 300) | st.lists(st.binary(max_size=3), max_size=2)
)


@MANY
@given(body=st.binary(max_size=60) | st.lists(PACKED, max_size=4).map(msgspec.msgpack.encode))
def test_a_binary_batch_is_byte_strings_or_refused(body: bytes) -> None:
    found = binary_batch(body)
    if isinstance(found, ApiError):
        assert found.code in (ApiRefusal.MALFORMED, ApiRefusal.INVALID_ARGUMENTS)
    else:
        assert found
        assert all(isinstance(one, bytes) for one in found)


@MANY
@given(text=st.text(max_size=40) | st.binary(max_size=20).map(bytes.hex), encoding=st.sampled_from(["hex", "base64"]))
def test_text_of_a_transaction_is_bytes_or_refused(text: str, encoding: str) -> None:
    found = submission_bytes(text, encoding)
    assert isinstance(found, bytes) or found.code == ApiRefusal.INVALID_ARGUMENTS


@MANY
@given(text=st.text(max_size=80) | st.from_regex(r"[0-9a-f]{64}@[a-z0-9.:\[\]]{1,20}:[0-9]{1,6}", fullmatch=True))
def test_addresses_peers_and_keys_of_the_settings_are_read_or_refused(text: str) -> None:
    for read in (read_address, read_peer, read_key):
        try:
            assert read(text, "network.x")
        except Fault as fault:
            assert "network.x" in fault.detail
            assert fault.fix


@FEW
@given(data=st.binary(max_size=200))
def test_a_password_file_and_a_guard_that_is_vouched_for(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "password"
        file.write_bytes(data)
        file.chmod(0o600)
        try:
            assert isinstance(find_password(str(file), {}), str)
        except Fault as fault:
            assert fault.fix
        (Path(name) / "guard").write_bytes(data)
        guard = GuardFile.open(Path(name) / "guard", bytes(32), Disk())
        assert not guard.may_store, "nothing that chance writes is a guard"
        guard.vouch(b"a record")
        assert (guard.may_store, guard.record) == (True, b"a record")
        guard.close()


@FEW
@given(items=st.lists(st.tuples(*[st.binary(max_size=70)] * 3), max_size=4))
def test_signatures_of_any_width_are_wrong_and_nothing_worse(items: list[tuple[bytes, bytes, bytes]]) -> None:
    assert check_blob(pack(items)) == bytes(len(items))
