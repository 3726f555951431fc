"""One of four validators lies: wrong roots, floods, two blocks for one round. The others go on, and say who it was."""

from pathlib import Path

from tests.journeys.liar import scratch_copy
from tests.journeys.town import House, Town, town, until_all
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost

LIAR = "validator-3"
RESIDENT_BYTES_MAX = 250 << 20
FLOOD = 5_000
"""Letters of the flood that each honest node has heard before it counts as one."""


def lie(nodes: Town, source: Path, what: str) -> None:
    """Start the liar again, with another lie."""
    house = nodes[3]
    house.kill()
    house.source = source
    house.environment = {"METANODE_LIE": what, "METANODE_LIAR": LIAR}
    house.start()


def refused_blocks(house: House) -> float:
    """Proposed blocks whose results were not those that executing them gives."""
    return house.metrics("metanode_blocks_refused_total").get('{kind="block.wrong-results"}', 0.0)


def convictions(house: House) -> list[tuple[str, tuple[str, ...]]]:
    """What blocks carry: the crime, and whose."""
    return [(piece.kind, piece.accused) for piece in house.evidence() if piece.included_height]


def test_the_others_go_on_and_name_it(tmp_path):
    source = scratch_copy(tmp_path)
    with town(tmp_path) as nodes:
        honest = nodes.houses[:3]
        traffic = Traffic(nodes, seed=404, ask=honest).fund()
        with traffic:
            lie(nodes, source, "roots")
            traffic.await_count(30, 30)
            until_all(honest, lambda house: refused_blocks(house) > 1, 40, "its blocks are refused")
            traffic.await_count(30, 40)

            lie(nodes, source, "floods")
            until_all(honest, lambda house: house.metric("metanode_letters_unknown_total") > FLOOD, 40, "a flood")
            traffic.await_count(100, 40)
            nodes.await_growth(5, 30, *honest)
            for house in honest:
                assert house.evidence() == (), "a nuisance is no crime"
                assert not house.status().syncing, "nobody believes in heights that a liar makes up"
                assert house.metrics("metanode_host")['{kind="resident_bytes"}'] < RESIDENT_BYTES_MAX

            lie(nodes, source, "equivocates")
            until_all(honest, convictions, 60, "a block carries evidence")
            until_all(honest, lambda house: LIAR not in house.seats(), 20, "it is jailed")
            for house in honest:
                assert set(convictions(house)) == {("conflicting-votes", (LIAR,))}
                assert house.metric("metanode_evidence_total") >= 1
                assert house.seats() == [f"validator-{index}" for index in range(3)]
            traffic.await_count(30, 30)
        traffic.drain(honest[0])
        last = max(house.height() for house in honest)
        nodes.await_height(last, 20, *honest)
        for house in honest:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(honest, last)
