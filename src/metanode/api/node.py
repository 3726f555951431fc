"""What a node says of itself, its chain and its neighbours."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    PAGE_DEFAULT,
    AddressText,
    Answer,
    CursorText,
    HashText,
    HeightOrLast,
    HexText,
    NameText,
    Number,
    PageSize,
    Request,
)

Colour: TypeAlias = Literal["green", "yellow", "red"]
"""Green: all is well. Yellow: it works, somebody should look. Red: it does not work."""


class Nothing(Request):
    """No arguments."""


class Light(Answer):
    """The traffic light: its colour, why, and what would mend it (empty where there is nothing to mend)."""

    colour: Colour
    reason: str
    fix: str


class NodeStatus(Answer):
    """One node's view of the chain. `seat` is -1 for a node that does not vote.

    `validators_reachable` counts this node if it is one; `faults_tolerated` is what the set can bear, and
    `further_faults_tolerated` how many of the reachable ones may still fail (-1: there is no quorum already).
    """

    chain_id: HashText
    chain_name: str
    development: bool
    node: str
    seat: int
    version: str
    rules_version: int
    height: Number
    block_hash: HashText
    last_block_ms: Number
    last_block_age_ms: Number
    round: Number
    syncing: bool
    peers_connected: Number
    peers_known: Number
    validators_total: Number
    validators_reachable: Number
    quorum: Number
    faults_tolerated: Number
    further_faults_tolerated: int
    pool_transactions: Number
    pool_bytes: Number
    started_ms: Number
    now_ms: Number
    light: Light


class NamedAccount(Answer):
    """An account that genesis gives a name."""

    name: str
    address: AddressText


class GenesisView(Answer):
    """The genesis: its canonical bytes (whose digest is `chain_id`), and the text for people."""

    chain_id: HashText
    name: str
    development: bool
    rules_version: int
    fee_coin: str
    accounts: tuple[NamedAccount, ...]
    encoded: HexText
    toml: str


class ValidatorList(Request):
    """Whose seats: of the set that signs this height."""

    height: HeightOrLast = 0


class ValidatorGet(Request):
    """A seat of the present set, by its validator's name."""

    name: NameText


class ValidatorView(Answer):
    """One seat. `reachable`: this node heard of it lately; `last_heard_ms` 0 where it never did."""

    seat: Number
    name: str
    transport_key: HexText
    vote_key: HexText
    bls_key: HexText
    operator: AddressText
    addresses: tuple[str, ...]
    reachable: bool
    last_heard_ms: Number
    height: Number


class ValidatorPage(Answer):
    """The set that signs a height, in seat order."""

    height: Number
    validators_hash: HashText
    quorum: Number
    faults_tolerated: Number
    items: tuple[ValidatorView, ...]


class ParameterView(Answer):
    """A parameter, its range and the reason it exists."""

    name: str
    value: Number
    least: Number
    greatest: Number
    reason: str


class ParameterPage(Answer):
    """All parameters as they are after a height."""

    height: Number
    rules_version: int
    items: tuple[ParameterView, ...]


class MempoolStatus(Answer):
    """What waits. `refused`: how often each code turned a transaction away since the node started."""

    transactions: Number
    transactions_max: Number
    bytes: Number
    bytes_max: Number
    senders: Number
    oldest_ms: Number
    accepted: Number
    evicted: Number
    refused: dict[str, int]


class PeerView(Answer):
    """Another node this one knows. `seat` is -1 where it is no validator; `round_trip_ms` is measured every 5 s by a
    word that the peer answers, -1 before the first answer."""

    name: str
    transport_key: HexText
    seat: int
    address: str
    connected: bool
    inbound: bool
    since_ms: Number
    last_heard_ms: Number
    round_trip_ms: int
    height: Number
    bytes_in: Number
    bytes_out: Number


class PeerPage(Answer):
    """The peers, connected ones first."""

    items: tuple[PeerView, ...]


class EvidenceList(Request):
    """A page of evidence, the latest first."""

    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class EvidenceView(Answer):
    """Who is accused of what. `included_height` is 0 while no block carries it. `encoded` proves it by itself."""

    digest: HashText
    kind: str
    height: Number
    accused: tuple[str, ...]
    included_height: Number
    encoded: HexText


class EvidencePage(Answer):
    """Evidence, and where the next page begins (empty: nowhere)."""

    items: tuple[EvidenceView, ...]
    next: str


FaultKind: TypeAlias = Literal["pause", "partition", "latency"]
"""pause: it neither sends nor hears; partition: it is cut from the named peers; latency: what it sends is late."""


class FaultSet(Request):
    """Pretend a fault on this node. `peers`: validators' names, for a partition; `value_ms`: for latency."""

    kind: FaultKind
    peers: Annotated[tuple[NameText, ...], Meta(max_length=256)] = ()
    value_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


class FaultView(Answer):
    """What is pretended now; `kind` is empty where nothing is."""

    kind: str
    peers: tuple[str, ...]
    value_ms: Number
