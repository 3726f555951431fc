"""An explanation says everything, can be computed again from its inputs alone, and does not grow without end."""

import pytest
from tests.unit.docklock.scheduler.samples import SEED, SPEC, fleet, identity, newcomer, node, replica, world

from metanode.docklock.scheduler import ALL_INPUTS, Placed, inputs_of, place_plainly, why, why_of
from metanode.docklock.scheduler.telling import TEXT_MAX
from metanode.docklock.scheduler.values import tie_digest
from metanode.primitives.codec import encode
from metanode.records.demand import Constraint
from metanode.records.placement import (
    EXPLAINED_MAX,
    EXPLANATION_BYTES_MAX,
    EXPLANATIONS,
    explanation_digest,
)


def test_who_has_the_inputs_computes_the_same_explanation() -> None:
    for number in range(60):
        found = world(number)
        for who in found.newcomers:
            told = why(found.fleet(), who, found.seed)
            data = encode(inputs_of(found.fleet(), who, found.seed))
            again = why_of(ALL_INPUTS.decode(data))
            assert again == told
            assert explanation_digest(again) == explanation_digest(told)
            assert EXPLANATIONS.decode(encode(told)) == told
            found.nodes.reverse()
            found.standing.reverse()
            assert explanation_digest(why(found.fleet(), who, found.seed)) == explanation_digest(told)


def test_it_says_what_placement_says() -> None:
    for number in range(100):
        found = world(number)
        for who in found.newcomers:
            told, answer = why(found.fleet(), who, found.seed), place_plainly(found.fleet(), who, found.seed)
            if isinstance(answer, Placed):
                assert (told.chosen, told.nodes[0].node, told.nodes[0].total) == (
                    answer.node,
                    answer.node,
                    answer.total,
                )
                passing = [one for one in told.nodes if one.scores]
                assert len(passing) + sum(reason.nodes for reason in told.reasons) == len(found.nodes)
                assert told.left_out == 0
                assert passing == sorted(passing, key=lambda one: (-one.total, one.tie))
            else:
                assert told.chosen == ""
                assert told.reasons == answer.reasons
                assert not any(one.scores or one.tie or one.total for one in told.nodes)
            assert [one.change != "" for node in told.nodes for one in node.verdicts] == [
                not one.passes for node in told.nodes for one in node.verdicts
            ]


def test_the_nearest_come_first_and_of_equals_the_smallest_digest() -> None:
    nodes = [node(f"n{number}", cpu_millicores=1) for number in range(9)]
    nodes += [node(f"f{number}", cpu_millicores=1, barred="lost") for number in range(9)]
    told = why(fleet(*nodes), newcomer(), SEED)
    ties = [tie_digest(SEED, SPEC, 0, identity(one.node)) for one in told.nodes]
    assert [one.node[0] for one in told.nodes] == ["n"] * 9 + ["f"] * 9
    assert ties[:9] == sorted(ties[:9])
    assert ties[9:] == sorted(ties[9:])


def test_everything_that_was_looked_at_changes_the_inputs() -> None:
    found = fleet(node("a"), standing=[("a", replica("db"))])
    told = why(found, newcomer(), SEED)
    others = [
        why(fleet(node("a")), newcomer(), SEED),
        why(fleet(node("a", images=(SEED,)), standing=[("a", replica("db"))]), newcomer(), SEED),
        why(found, newcomer(index=1), SEED),
        why(found, newcomer(), bytes(32)),
    ]
    assert len({told.inputs, *(other.inputs for other in others)}) == 5
    assert told.seed == SEED


def test_a_volume_made_in_this_block_is_among_the_inputs() -> None:
    found = fleet(node("a"), node("b"))
    found.take("b", replica("db", volumes=("data",)))
    found.release("b", replica("db", volumes=("data",)))
    told = why(found, newcomer(volumes=("data",)), SEED)
    assert told.chosen == "b"
    assert why_of(inputs_of(found, newcomer(volumes=("data",)), SEED)) == told


def test_texts_and_nodes_are_bounded() -> None:
    values = tuple(sorted(f"{number:02}" + "v" * 60 for number in range(32)))
    asked = newcomer(constraints=(Constraint(label="zone", operator="in", values=values),))
    nodes = [node(f"n{number}") for number in range(EXPLAINED_MAX + 3)]
    told = why(fleet(*nodes, node("good", labels={"zone": values[0]})), asked, SEED)
    assert told.nodes[0].node == told.chosen == "good"
    assert (len(told.nodes), told.left_out) == (EXPLAINED_MAX, 4)
    longest = max(len(text) for one in told.nodes for v in one.verdicts for text in (v.asked, v.has, v.change))
    assert longest == TEXT_MAX
    texts = 3 * 15 * (4 * TEXT_MAX + 5) + 7 * 16 + 200
    assert EXPLAINED_MAX * texts // 4 < EXPLANATION_BYTES_MAX, "with a character in four bytes at every fourth node"
    assert len(encode(told)) < EXPLANATION_BYTES_MAX


@pytest.mark.parametrize("rule", range(10, 25))
def test_every_filter_has_its_verdict(rule: int) -> None:
    told = why(fleet(node("a")), newcomer(), SEED).nodes[0].verdicts[rule - 10]
    assert told.rule == rule
    assert told.passes
    assert told.asked
    assert told.has
