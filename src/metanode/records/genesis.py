"""Genesis: TOML for people, canonical bytes for the hash. Its hash is the chain's identity."""

import tomllib
from typing import Any, Final

import msgspec

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import ADDRESS_BYTES, read_address, show_address
from metanode.records.amount import amount_bytes, amount_value
from metanode.records.parameters import Parameters, check_parameters
from metanode.records.validators import ADDRESS_MAX, ADDRESSES_MAX, NAME_MAX, VALIDATORS_MAX, Validator, ValidatorSet

GENESIS_BYTES_MAX: Final = 4 << 20
"""A genesis with 256 validators and 10,000 accounts stays below this."""
ACCOUNTS_MAX: Final = 10_000
"""More accounts are created by transactions, not by genesis."""
COINS_MAX: Final = 64
"""More coins are defined by transactions."""
RULES_VERSION: Final = 1
"""The version of the rules this program knows."""
MODULES: Final = ("accounts", "coin", "governance", "cluster")
"""The modules of rules version 1, in order."""


class GenesisRefusal(Refusal):
    """Why a genesis cannot start a chain."""

    NOT_TOML = "genesis.not-toml"
    """The file is not TOML."""
    WRONG_SHAPE = "genesis.wrong-shape"
    """A key is unknown, missing or of another type."""
    WRONG_WIDTH = "genesis.wrong-width"
    """A key, proof or address has the wrong number of bytes."""
    DUPLICATE = "genesis.duplicate"
    """Two validators, accounts or coins share a name or a key."""
    NO_VALIDATORS = "genesis.no-validators"
    """Nobody could sign the first block, or more seats than the maximum."""
    UNKNOWN_MODULES = "genesis.unknown-modules"
    """The list of modules is not the one these rules know."""
    UNKNOWN_RULES = "genesis.unknown-rules"
    """A version of the rules this program does not know."""
    UNKNOWN_COIN = "genesis.unknown-coin"
    """A balance or the fee is in a coin that genesis does not define."""
    BAD_POSSESSION = "genesis.bad-possession"
    """A validator's proof of possession does not verify, or its BLS key is the negation of another's."""


class GenesisCoin(Wire):
    """A coin that exists from the start. `supply_max` an amount, empty for none."""

    coin: str
    decimals: int
    issuer: bytes
    minters: tuple[bytes, ...]
    supply_max: bytes


class GenesisBalance(Wire):
    """What an account holds of a coin at the start."""

    coin: str
    amount: bytes


class GenesisAccount(Wire):
    """An account that exists from the start: a name for people, its keys and threshold, roles and balances."""

    name: str
    address: bytes
    keys: tuple[bytes, ...]
    threshold: int
    roles: tuple[str, ...]
    balances: tuple[GenesisBalance, ...]


class Genesis(Wire):
    """What strangers must agree on before the first block. `development`: fault injection and a faucet exist."""

    version: int
    name: str
    rules_version: int
    development: bool
    started_ms: int
    parameters: Parameters
    modules: tuple[str, ...]
    fee_coin: str
    validators: tuple[Validator, ...]
    accounts: tuple[GenesisAccount, ...]
    coins: tuple[GenesisCoin, ...]


GENESES: Final = Decoder[Genesis](Genesis, GENESIS_BYTES_MAX)


def genesis_hash(genesis: Genesis) -> Hash:
    """GEN-1. The chain id: the digest of the canonical bytes."""
    return digest(Tag.GENESIS, encode(genesis))


def genesis_validators(genesis: Genesis) -> ValidatorSet:
    """The set that signs height 1."""
    return ValidatorSet(genesis.validators)


def _width(what: str, data: bytes, width: int) -> None:
    if len(data) != width:
        raise Rejected(GenesisRefusal.WRONG_WIDTH, f"{what}: {len(data)} bytes, must be {width}")


def _unique(what: str, values: list[Any]) -> None:
    if len(set(values)) != len(values):
        raise Rejected(GenesisRefusal.DUPLICATE, f"two {what} are the same")


def check_validator(validator: Validator) -> None:
    """GEN-3. Widths and bounds of one seat; its proof of possession is checked by whoever can pair."""
    for what, data, width in (
        ("transport_key", validator.transport_key, 32),
        ("vote_key", validator.vote_key, 32),
        ("bls_key", validator.bls_key, 48),
        ("possession", validator.possession, 96),
        ("operator", validator.operator, ADDRESS_BYTES),
    ):
        _width(f"validator {validator.name!r} {what}", data, width)
    if not 0 < len(validator.name.encode()) <= NAME_MAX or len(validator.addresses) > ADDRESSES_MAX:
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"validator {validator.name!r}: name or addresses out of bounds")
    if any(len(address.encode()) > ADDRESS_MAX for address in validator.addresses):
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"validator {validator.name!r}: address too long")


def _check_coins(genesis: Genesis) -> None:
    coins = [c.coin for c in genesis.coins]
    _unique("coins", coins)
    if genesis.fee_coin not in coins:
        raise Rejected(GenesisRefusal.UNKNOWN_COIN, f"fee_coin {genesis.fee_coin!r} is not defined")
    for account in genesis.accounts:
        _unique(f"balances of {account.name!r}", [b.coin for b in account.balances])
        for balance in account.balances:
            amount_value(balance.amount)
            if balance.coin not in coins:
                raise Rejected(GenesisRefusal.UNKNOWN_COIN, f"{account.name!r} holds {balance.coin!r}")


def check_genesis(genesis: Genesis) -> None:
    """GEN-3. Everything but pairings. Raises `Rejected`."""
    if genesis.version != 1 or genesis.rules_version != RULES_VERSION:
        raise Rejected(GenesisRefusal.UNKNOWN_RULES, f"rules version {genesis.rules_version}, known: {RULES_VERSION}")
    if genesis.modules != MODULES:
        raise Rejected(GenesisRefusal.UNKNOWN_MODULES, f"{genesis.modules}, must be {MODULES}")
    check_parameters(genesis.parameters)
    if not 0 < len(genesis.validators) <= VALIDATORS_MAX:
        raise Rejected(GenesisRefusal.NO_VALIDATORS, f"{len(genesis.validators)} validators, 1 … {VALIDATORS_MAX}")
    if len(genesis.accounts) > ACCOUNTS_MAX or len(genesis.coins) > COINS_MAX or not 0 < len(genesis.name) <= NAME_MAX:
        raise Rejected(GenesisRefusal.WRONG_SHAPE, "too many accounts or coins, or no name")
    for validator in genesis.validators:
        check_validator(validator)
    _unique("validators' names", [v.name for v in genesis.validators])
    for name in ("transport_key", "vote_key", "bls_key"):
        _unique(f"validators' {name}s", [getattr(v, name) for v in genesis.validators])
    for account in genesis.accounts:
        _width(f"account {account.name!r} address", account.address, ADDRESS_BYTES)
        for key in account.keys:
            _width(f"account {account.name!r} key", key, 32)
        if not 0 < account.threshold <= len(account.keys):
            raise Rejected(GenesisRefusal.WRONG_SHAPE, f"account {account.name!r}: nobody could satisfy its threshold")
    _unique("accounts", [a.address for a in genesis.accounts])
    _unique("accounts' names", [a.name for a in genesis.accounts])
    _check_coins(genesis)


# --- the form for people ----------------------------------------------------------------------------------------------


def _people(value: Any, name: str = "") -> Any:
    """Wire value to TOML value: bytes as hex, addresses as bech32m, amounts as decimal strings."""
    match value:
        case Wire():
            return {f: _people(getattr(value, f), f) for f in value.__struct_fields__}
        case tuple():
            return [_people(item, name) for item in value]
        case bytes() if name in ("address", "operator", "issuer", "minters"):
            return show_address(value)
        case bytes() if name in ("amount", "supply_max"):
            return str(amount_value(value))
        case bytes():
            return value.hex()
        case _:
            return value


_WIRE_BYTES: Final = {
    "transport_key", "vote_key", "bls_key", "possession", "keys", "address", "operator", "issuer", "minters", "amount",
    "supply_max",
}  # fmt: skip


def _wire_bytes(text: Any, name: str) -> bytes:
    if not isinstance(text, str):
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{name}: a string is due, not {text!r}")
    try:
        match name:
            case "address" | "operator" | "issuer" | "minters":
                return read_address(text)
            case "amount" | "supply_max":
                return amount_bytes(int(text))
            case _:
                return bytes.fromhex(text)
    except ValueError as error:
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{name}: {error}") from None


def _wire(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {k: _wire(v, k) for k, v in value.items()}
        case list():
            return [_wire(item, name) for item in value]
        case _ if name in _WIRE_BYTES:
            return _wire_bytes(value, name)
        case _:
            return value


def _struct(kind: type[Wire], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{where}: a table is due")
    known = kind.__struct_fields__
    for key in value:
        if key not in known:
            raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{where}: unknown key {key!r}")
    return value


_NESTED: Final[dict[str, type[Wire]]] = {
    "parameters": Parameters,
    "validators": Validator,
    "accounts": GenesisAccount,
    "coins": GenesisCoin,
    "balances": GenesisBalance,
}


def _arrays(kind: type[Wire], value: Any, where: str) -> list[Any]:
    """The table as the array msgpack wants, in field order, defaults filled in, nested tables likewise."""
    table = _struct(kind, value, where)
    defaults = dict(zip(kind.__struct_fields__[::-1], kind.__struct_defaults__[::-1], strict=False))
    row = []
    for field in kind.__struct_fields__:
        if field not in table and field not in defaults:
            raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{where}: {field!r} is missing")
        item = table.get(field, defaults.get(field))
        nested = _NESTED.get(field)
        if nested is not None and isinstance(item, list):
            item = [_arrays(nested, i, f"{where}.{field}") for i in item]
        elif nested is not None:
            item = _arrays(nested, item, f"{where}.{field}")
        row.append(item)
    return row


def load_toml(text: str) -> Genesis:
    """GEN-4. The genesis of a TOML text, checked but for pairings. Raises `Rejected`."""
    if len(text) > GENESIS_BYTES_MAX:
        raise Rejected(GenesisRefusal.WRONG_SHAPE, f"{len(text)} characters, at most {GENESIS_BYTES_MAX}")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Rejected(GenesisRefusal.NOT_TOML, str(error)) from None
    try:
        genesis = msgspec.convert(_arrays(Genesis, _wire(table), "genesis"), Genesis)
    except msgspec.ValidationError as error:
        raise Rejected(GenesisRefusal.WRONG_SHAPE, str(error)) from None
    check_genesis(genesis)
    return genesis


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            assert escaped.isprintable(), "names in genesis are printable"
            return f'"{escaped}"'
        case list():
            return "[" + ", ".join(_toml(i) for i in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
        case _:
            raise AssertionError(f"no TOML for {value!r}")


def dump_toml(genesis: Genesis) -> str:
    """GEN-4. The TOML text of a genesis; `load_toml` gives the same value back."""
    people = _people(genesis)
    lines = [f"# Metanode genesis. Its hash is the chain's identity: {genesis_hash(genesis).hex()}"]
    if genesis.development:
        lines.append("# DEVELOPMENT chain: known keys, fault injection, a faucet. Never for value.")
    lines += [f"{k} = {_toml(v)}" for k, v in people.items() if not isinstance(v, dict) and k not in _NESTED]
    lines += [f"{section} = []" for section in ("validators", "accounts", "coins") if not people[section]]
    lines += ["", "[parameters]", *(f"{k} = {_toml(v)}" for k, v in people["parameters"].items())]
    for section in ("validators", "accounts", "coins"):
        for row in people[section]:
            lines += ["", f"[[{section}]]", *(f"{k} = {_toml(v)}" for k, v in row.items())]
    return "\n".join(lines) + "\n"
