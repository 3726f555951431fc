"""State proofs: checked with the ledger's own verifier against the header that the answer carries."""

import pytest
from tests.unit.ledger.world import address, make_genesis
from tests.unit.node.requests.world import Chain

from metanode.api.blocks import StateProof, StateProve
from metanode.api.errors import ApiError, ApiRefusal
from metanode.ledger.state import STATE_PROOF_DECODER, verify_state_proof
from metanode.node.applied import set_row
from metanode.primitives.codec import encode
from metanode.records.calls import CoinTransfer
from metanode.records.header import read_header
from metanode.records.parameters import Parameters

BOB = b"cb" + address("bob") + b"BPI"


def paid(parameters: Parameters | None = None) -> Chain:
    chain = Chain(make_genesis(parameters=parameters))
    for _ in range(3):
        chain.final(chain.transaction("alice", CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x05")))
    return chain


def holds(answered: StateProof) -> bool:
    root = read_header(bytes.fromhex(answered.header)).state_root
    value = bytes.fromhex(answered.value) if answered.present else None
    proof = STATE_PROOF_DECODER.decode(bytes.fromhex(answered.proof))
    return verify_state_proof(root, bytes.fromhex(answered.key), value, proof)


@pytest.mark.parametrize(("height", "amount"), [(0, 1_015), (3, 1_015), (2, 1_010), (1, 1_005)])
def test_a_balance_at_every_height(height: int, amount: int) -> None:
    chain = paid()
    answered = chain.ask("state.prove", StateProve(module="coin", key=BOB.hex(), height=height))
    block = chain.desk.shelf.block(height or 3)
    assert block is not None
    assert answered == StateProof(
        height=height or 3,
        module="coin",
        key=BOB.hex(),
        present=True,
        value=amount.to_bytes(16, "big").hex(),
        proof=answered.proof,
        header=block.header.encoded.hex(),
        commit=encode(block.commit).hex(),
        validators=set_row(chain.desk.tip.validators).hex(),
    )
    assert holds(answered)


def test_absence() -> None:
    key = b"cb" + address("carol") + b"BPI"
    answered = paid().ask("state.prove", StateProve(module="coin", key=key.hex()))
    assert (answered.present, answered.value) == (False, "")
    assert holds(answered)


def test_what_cannot_be_proved() -> None:
    chain = paid(Parameters(history_blocks=2))

    def ask(**changes: object) -> ApiError:
        refused = chain.ask("state.prove", StateProve(**{"module": "coin", "key": BOB.hex(), **changes}))  # type: ignore[arg-type]
        assert isinstance(refused, ApiError)
        return refused

    assert ask(height=1) == ApiError(ApiRefusal.PRUNED, "the state of height 1; kept: 2 … 3")
    assert ask(height=4).code == ApiRefusal.BEYOND_HEAD
    assert ask(module="bank") == ApiError(ApiRefusal.NOT_FOUND, "no module 'bank': accounts, coin, governance, cluster")
    assert ask(module="accounts") == ApiError(
        ApiRefusal.INVALID_ARGUMENTS, f"key {BOB.hex()}: keys of accounts begin with 61"
    )
    assert Chain().ask("state.prove", StateProve(module="coin", key=BOB.hex())).code == ApiRefusal.BEYOND_HEAD
