"""How a load speaks to each kind of system: what one write is, how many go into a request, what the answer says.

A write of `peers.py` is a key of 20 bytes and a value: a coin transfer to the key with the value as memo here, `put`
in etcd, `key=value` in CometBFT's kvstore.
"""

import base64
import json
import time
from hashlib import sha256
from typing import Any, Protocol

import msgspec
from bench.kit.senders import SENDERS, signed, written

KEY_BYTES = 20
_OUTCOMES = msgspec.msgpack.Decoder(list[tuple[bytes, str, str]])


class Dialect(Protocol):
    """One system, as the load sees it. `answers_when_final`: nobody else need be asked what became final when."""

    answers_when_final: bool

    def item(self, number: int, calls: int) -> tuple[bytes, str]:
        """What is sent for one write, and the name it will be found by."""
        ...

    def request(self, items: list[bytes]) -> tuple[str, str, bytes]:
        """Path, media type and body that carry these writes."""
        ...

    def refusals(self, answer: bytes) -> list[tuple[int, str]]:
        """Which writes of this request were not taken, by their place in it, and why."""
        ...


def key_of(number: int) -> str:
    """Spread over the whole space, as hashes are."""
    return sha256(b"key %d" % number).hexdigest()[:KEY_BYTES]


def value_of(number: int, size: int) -> str:
    """Does not repeat, so that nothing compresses it away."""
    text = "".join(sha256(b"value %d %d" % (number, at)).hexdigest() for at in range(size // 64 + 1))
    return text[:size]


class MetanodeDialect:
    """Signed transactions in binary batches. `value_bytes` 0: plain transfers of 250 bytes."""

    answers_when_final = False

    def __init__(self, part: int, parts: int, order: dict[str, Any]) -> None:
        self._senders = range(part, SENDERS, parts)
        self._chain_id = bytes.fromhex(order["chain_id"])
        self._nonces: dict[int, int] = dict.fromkeys(self._senders, order["first_nonce"])
        self._lifetime_ms: int = order["lifetime_ms"]
        self._value_bytes: int = order["value_bytes"]
        self._turn = 0

    def item(self, number: int, calls: int) -> tuple[bytes, str]:
        """Each sender in its turn."""
        sender = self._senders[self._turn % len(self._senders)]
        nonce = self._nonces[sender]
        expires_ms = time.time_ns() // 1_000_000 + self._lifetime_ms
        if self._value_bytes:
            key, value = key_of(number).encode(), value_of(number, self._value_bytes)
            encoded, identity = written(self._chain_id, sender, nonce, expires_ms, key, value)
        else:
            encoded, identity = signed(self._chain_id, sender, nonce, calls, expires_ms)
        self._nonces[sender] += 1
        self._turn += 1
        return encoded, identity.hex()

    def request(self, items: list[bytes]) -> tuple[str, str, bytes]:
        """One msgpack array."""
        return "/v1/transactions/batch", "application/octet-stream", msgspec.msgpack.encode(items)

    def refusals(self, answer: bytes) -> list[tuple[int, str]]:
        """Codes."""
        return [(at, code) for at, (_, code, _) in enumerate(_OUTCOMES.decode(answer)) if code]


class EtcdDialect:
    """The JSON gateway of etcd's API; several writes are one transaction, hence one entry of its log."""

    answers_when_final = True

    def __init__(self, value_bytes: int) -> None:
        self._value_bytes = value_bytes

    def item(self, number: int, calls: int) -> tuple[bytes, str]:
        """A put."""
        assert calls == 1
        key = base64.b64encode(key_of(number).encode()).decode()
        value = base64.b64encode(value_of(number, self._value_bytes).encode()).decode()
        return f'{{"key":"{key}","value":"{value}"}}'.encode(), key_of(number)

    def request(self, items: list[bytes]) -> tuple[str, str, bytes]:
        """One put, or a transaction of many."""
        if len(items) == 1:
            return "/v3/kv/put", "application/json", items[0]
        puts = b"},{".join(b'"requestPut":' + item for item in items)
        return "/v3/kv/txn", "application/json", b'{"success":[{' + puts + b"}]}"

    def refusals(self, answer: bytes) -> list[tuple[int, str]]:
        """A transaction without conditions succeeds whole; anything else came as another status."""
        assert b'"header"' in answer, answer
        return []


class CometDialect:
    """`broadcast_tx_sync` in batches of JSON-RPC: answered when the transaction is checked and in the pool."""

    answers_when_final = False

    def __init__(self, value_bytes: int) -> None:
        self._value_bytes = value_bytes

    def item(self, number: int, calls: int) -> tuple[bytes, str]:
        """key=value."""
        assert calls == 1
        text = base64.b64encode(f"{key_of(number)}={value_of(number, self._value_bytes)}".encode()).decode()
        call = f'{{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_sync","params":{{"tx":"{text}"}}}}'
        return call.encode(), key_of(number)

    def request(self, items: list[bytes]) -> tuple[str, str, bytes]:
        """One call, or an array."""
        body = items[0] if len(items) == 1 else b"[" + b",".join(items) + b"]"
        return "/", "application/json", body

    def refusals(self, answer: bytes) -> list[tuple[int, str]]:
        """What an error or a code above 0 says."""
        told = json.loads(answer)
        found = []
        for at, one in enumerate(told if isinstance(told, list) else [told]):
            if "error" in one:
                found.append((at, str(one["error"].get("data") or one["error"])[:120]))
            elif one["result"]["code"]:
                found.append((at, f"code {one['result']['code']}"))
        return found


def dialect_of(part: int, parts: int, order: dict[str, Any]) -> Dialect:
    """The one that a first order asks for."""
    match order["kind"]:
        case "metanode":
            return MetanodeDialect(part, parts, order)
        case "etcd":
            return EtcdDialect(order["value_bytes"])
        case "cometbft":
            return CometDialect(order["value_bytes"])
        case other:
            raise ValueError(other)
