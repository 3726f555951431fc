"""The map of rules and branches: what ran is on it, and what did not run is not."""

from tests.soak.walked import Walk, report, watch, worlds


def test_a_council_walks_through_the_rules_of_agreement_and_not_through_the_pool() -> None:
    seen, played = watch(worlds(councils=1, storms=0, first=0))
    rooms, rules = report(seen)
    assert played == 1
    assert rooms["chain/ibft"].ran
    assert rooms["chain/ibft"].taken > 0
    assert not rooms["chain/ibft"].is_whole, "one council is not all there is"
    assert all(any(code.ran for code in rules[rule]) for rule in ("IBFT-R1", "IBFT-P1", "IBFT-C1"))
    assert not any(code.ran for code in rules["POOL-3"])


def test_whole_is_every_statement_and_every_branch_both_ways() -> None:
    assert Walk(statements=3, missing=0, exits=4, taken=4).is_whole
    assert not Walk(statements=3, missing=0, exits=4, taken=3).is_whole
    assert not Walk(statements=3, missing=1, exits=4, taken=4).is_whole
    assert Walk(3, 1, 4, 2) + Walk(1, 1, 0, 0) == Walk(4, 2, 4, 2)
