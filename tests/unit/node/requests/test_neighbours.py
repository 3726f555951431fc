"""Validators, peers, pretended faults and evidence."""

from tests.unit.ledger.test_conviction import double_vote, fork
from tests.unit.ledger.world import START_MS, adding, address, key, make_genesis, validator
from tests.unit.node.requests.world import Chain

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.node import (
    EvidenceList,
    EvidencePage,
    EvidenceView,
    FaultSet,
    FaultView,
    Nothing,
    PeerPage,
    PeerView,
    ValidatorGet,
    ValidatorList,
    ValidatorPage,
    ValidatorView,
)
from metanode.node.effects import Answer, SetFault
from metanode.node.requests import answer
from metanode.primitives.codec import encode
from metanode.records.address import show_address
from metanode.records.evidence import Evidence, evidence_digest
from metanode.records.genesis import Genesis

PEERS = tuple(key(f"validator-{seat} transport") for seat in range(4))


def view(seat: int, height: int, *, reachable: bool = False, last_heard_ms: int = 0) -> ValidatorView:
    one = validator(seat)
    return ValidatorView(
        seat=seat,
        name=f"validator-{seat}",
        transport_key=one.transport_key.hex(),
        vote_key=one.vote_key.hex(),
        bls_key=one.bls_key.hex(),
        operator=show_address(address(f"operator-{seat}")),
        addresses=(f"127.0.0.1:{26_600 + seat}",),
        reachable=reachable,
        last_heard_ms=last_heard_ms,
        height=height,
    )


def test_validators_of_a_height() -> None:
    chain = Chain()
    chain.desk.peers = {PEERS[1]: 5}
    chain.desk.heard_ms = {PEERS[1]: 6, PEERS[2]: 4}
    assert chain.ask("validator.list", ValidatorList()) == ValidatorPage(
        height=1,
        validators_hash=chain.desk.tip.validators.hash.hex(),
        quorum=3,
        faults_tolerated=1,
        items=(
            view(0, 1, reachable=True, last_heard_ms=START_MS),
            view(1, 1, reachable=True, last_heard_ms=6),
            view(2, 1, last_heard_ms=4),
            view(3, 1),
        ),
    )


def test_validators_before_and_after_a_change() -> None:
    chain = Chain()
    chain.vote_in(adding(4))
    sizes = [len(chain.ask("validator.list", ValidatorList(height=height)).items) for height in (1, 2, 3)]
    assert sizes == [4, 4, 5]
    assert chain.ask("validator.list", ValidatorList()).height == 2
    assert chain.ask("validator.list", ValidatorList(height=4)) == ApiError(
        ApiRefusal.BEYOND_HEAD, "height 4, the set is known up to 3"
    )
    chain.final()
    chain.final()
    assert len(chain.ask("validator.list", ValidatorList(height=5)).items) == 5
    chain.rows.values = {row: value for row, value in chain.rows.values.items() if row[:1] != b"v"}
    assert Chain.again(chain).ask("validator.list", ValidatorList(height=1)) == ApiError(
        ApiRefusal.PRUNED, "the set that signed height 1 is not kept"
    )


def test_one_validator() -> None:
    chain = Chain()
    assert chain.ask("validator.get", ValidatorGet(name="validator-2")) == view(2, 1)
    assert chain.ask("validator.get", ValidatorGet(name="mallory")) == ApiError(
        ApiRefusal.NOT_FOUND, "no validator 'mallory' signs height 1"
    )


def peer(number: int, **changes: object) -> PeerView:
    fields: dict[str, object] = {
        "name": f"validator-{number}",
        "transport_key": PEERS[number].hex(),
        "seat": number,
        "address": f"127.0.0.1:{26_600 + number}",
        "connected": False,
        "inbound": False,
        "since_ms": 0,
        "last_heard_ms": 0,
        "round_trip_ms": -1,
        "height": 0,
        "bytes_in": 0,
        "bytes_out": 0,
    }
    return PeerView(**{**fields, **changes})  # type: ignore[arg-type]


def test_peers_connected_ones_first() -> None:
    chain, observer = Chain(), b"\x07" * 32
    desk = chain.desk
    desk.peers = {PEERS[2]: 5, observer: 6}
    desk.heard_ms = {PEERS[2]: 8, PEERS[1]: 3}
    desk.heights = {PEERS[2]: 12}
    desk.lines.opened(4, inbound=True)
    desk.lines.rose(PEERS[2], 4)
    desk.lines.heard(4, 100)
    desk.lines.heard(4, 11)
    desk.lines.said(4, 70)
    desk.lines.heard(5, 1)
    desk.lines.measured(PEERS[2], 7)
    desk.lines.measured(PEERS[1], 9)
    assert chain.ask("peer.list", Nothing()) == PeerPage(
        items=(
            peer(
                2,
                connected=True,
                inbound=True,
                since_ms=5,
                last_heard_ms=8,
                round_trip_ms=7,
                height=12,
                bytes_in=111,
                bytes_out=70,
            ),
            peer(0, name="07" * 8, transport_key=observer.hex(), seat=-1, address="", connected=True, since_ms=6),
            peer(1, last_heard_ms=3),
            peer(3),
        )
    )
    desk.lines.fell(PEERS[2])
    desk.lines.closed(4)
    assert chain.ask("peer.list", Nothing()).items[0].bytes_in == 0


def development(*, on: bool) -> Genesis:
    genesis = make_genesis()
    fields = {name: getattr(genesis, name) for name in genesis.__struct_fields__}
    return Genesis(**{**fields, "development": on})


def pretend(chain: Chain, asked: FaultSet) -> list[object]:
    answer(chain.desk, chain.pool, 7, "fault.set", asked)
    return list(chain.effects())


def test_a_partition_cuts_the_named_validators_but_not_ourselves() -> None:
    chain = Chain()
    seen = FaultView(kind="partition", peers=("validator-0", "validator-2"), value_ms=0)
    assert pretend(chain, FaultSet(kind="partition", peers=("validator-0", "validator-2"))) == [
        SetFault("partition", (PEERS[2],), 0),
        Answer(7, seen),
    ]
    assert (chain.desk.cut_peers, chain.desk.fault) == (
        (PEERS[2],),
        ("partition", ("validator-0", "validator-2"), 0),
    )


def test_a_pause_cuts_everybody() -> None:
    chain = Chain()
    assert pretend(chain, FaultSet(kind="pause")) == [
        SetFault("pause", PEERS[1:], 0),
        Answer(7, FaultView(kind="pause", peers=(), value_ms=0)),
    ]
    assert chain.desk.cut_peers == PEERS[1:]


def test_latency_replaces_a_partition_and_clearing_heals() -> None:
    chain = Chain()
    pretend(chain, FaultSet(kind="partition", peers=("validator-2",)))
    assert pretend(chain, FaultSet(kind="latency", value_ms=40)) == [
        SetFault("latency", (), 40),
        Answer(7, FaultView(kind="latency", peers=(), value_ms=40)),
    ]
    assert chain.desk.cut_peers == ()
    assert chain.ask_status().light.reason.endswith("a fault is pretended: latency")
    answer(chain.desk, chain.pool, 8, "fault.clear", Nothing())
    assert chain.effects() == [SetFault("", (), 0), Answer(8, FaultView(kind="", peers=(), value_ms=0))]
    assert chain.desk.fault == ("", (), 0)


def test_faults_that_make_no_sense_change_nothing() -> None:
    chain = Chain()
    pretend(chain, FaultSet(kind="partition", peers=("validator-2",)))
    before = (chain.desk.cut_peers, chain.desk.fault)
    refused = [
        chain.ask("fault.set", asked)
        for asked in (
            FaultSet(kind="partition"),
            FaultSet(kind="partition", peers=("mallory",)),
            FaultSet(kind="latency"),
            FaultSet(kind="pause", value_ms=4),
            FaultSet(kind="latency", value_ms=4, peers=("validator-2",)),
        )
    ]
    assert refused == [
        ApiError(ApiRefusal.INVALID_ARGUMENTS, "peers: a partition needs the names of those cut off"),
        ApiError(ApiRefusal.NOT_FOUND, "no validator 'mallory'"),
        ApiError(ApiRefusal.INVALID_ARGUMENTS, "value_ms: latency needs at least 1"),
        ApiError(ApiRefusal.INVALID_ARGUMENTS, "value_ms: only of latency"),
        ApiError(ApiRefusal.INVALID_ARGUMENTS, "peers: only of a partition"),
    ]
    assert (chain.desk.cut_peers, chain.desk.fault) == before


def test_faults_exist_on_development_chains_only() -> None:
    chain = Chain(development(on=False))
    refused = ApiError(ApiRefusal.DEVELOPMENT_ONLY, "the genesis of 'test' does not say development")
    assert chain.ask("fault.set", FaultSet(kind="pause")) == refused
    assert chain.ask("fault.clear", Nothing()) == refused
    assert chain.desk.cut_peers == ()


def shown(evidence: Evidence, kind: str, accused: tuple[str, ...], included_height: int) -> EvidenceView:
    return EvidenceView(
        digest=evidence_digest(evidence).hex(),
        kind=kind,
        height=1,
        accused=accused,
        included_height=included_height,
        encoded=encode(evidence).hex(),
    )


def test_evidence_waiting_then_carried_the_latest_first() -> None:
    chain = Chain()
    first, second, third = double_vote(3), fork((0, 1, 2), (1, 2)), double_vote(0)
    chain.final(evidence=(first,))
    chain.final(evidence=(second,))
    chain.desk.evidence = (third,)
    views = (
        shown(third, "conflicting-votes", ("validator-0",), 0),
        shown(second, "conflicting-commits", ("validator-1", "validator-2"), 2),
        shown(first, "conflicting-votes", ("validator-3",), 1),
    )
    assert chain.ask("evidence.list", EvidenceList()) == EvidencePage(items=views, next="")
    pages, cursor = [], ""
    for _ in range(3):
        pages.append(chain.ask("evidence.list", EvidenceList(limit=1, cursor=cursor)))
        cursor = pages[-1].next
    assert tuple(item for page in pages for item in page.items) == views
    assert cursor == ""
    assert chain.ask("evidence.list", EvidenceList(cursor="x:y")).code == ApiRefusal.INVALID_ARGUMENTS


def test_evidence_of_a_pruned_block_is_still_named() -> None:
    chain = Chain()
    chain.final(evidence=(double_vote(3),))
    chain.final()
    del chain.blocks.blocks[1]
    assert Chain.again(chain).ask("evidence.list", EvidenceList()) == EvidencePage(
        items=(
            EvidenceView(
                digest=evidence_digest(double_vote(3)).hex(),
                kind="no-longer-kept",
                height=0,
                accused=(),
                included_height=1,
                encoded="",
            ),
        ),
        next="",
    )
