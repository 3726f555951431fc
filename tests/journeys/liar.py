"""Liars: the same host with a lie patched into a scratch copy of its source. Nothing of this is in the product."""

import shutil
from pathlib import Path
from typing import Final

from tests.journeys.town import ROOT

LIES: Final = '''
"""What a liar does beside its duty: `METANODE_LIE` says which, `METANODE_LIAR` whose keys it has."""

import os

import msgspec

from metanode.chain import ibft
from metanode.chain.sync.messages import WantBlocks
from metanode.host.keys import development_secrets
from metanode.network.bpci import SendMessages, Stream
from metanode.node.talk import Letter, send, send_to_seat
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.records.header import read_header
from metanode.records.vote import NO_ROUND, Vote, VoteKind, vote_signing_bytes

MODE = os.environ.get("METANODE_LIE", "")
KEY = ed25519.SigningKey(development_secrets(os.environ["METANODE_LIAR"]).vote)
FLOOD = 200


def signed(desk, vote):
    message = vote_signing_bytes(desk.chain_id, desk.tip.validators.hash, vote)
    return msgspec.structs.replace(vote, signature=KEY.sign(message))


def root(desk, right):
    """A block whose header promises another state than executing it gives."""
    return bytes(32) if MODE == "roots" else right


def piece(found):
    """A part of the state in which somebody owns more."""
    pairs, proof = found
    if MODE != "pieces" or not pairs:
        return found
    (key, value), *others = pairs
    return ((key, value[:-1] + bytes([value[-1] ^ 1])), *others), proof


def twin(desk, message):
    """Another block for the same round, signed as well."""
    header = bytearray(message.content.header)
    clock = 16 + 2 + 32 + 8 + 7  # the last byte of timestamp_ms
    header[clock] ^= 1
    vote = msgspec.structs.replace(message.vote, header_hash=read_header(bytes(header)).hash)
    content = msgspec.structs.replace(message.content, header=bytes(header))
    return msgspec.structs.replace(message, vote=signed(desk, vote), content=content)


def speak(desk, message):
    """Every peer hears both proposals, half of them in the other order."""
    if MODE != "equivocates" or not isinstance(message, ibft.Proposal):
        return False
    both = (message, twin(desk, message))
    for seat in range(len(desk.tip.validators)):
        for one in both if seat % 2 else both[::-1]:
            send_to_seat(desk, seat, Stream.CONSENSUS, Letter.IBFT, encode(one))
    return True


def flood(desk):
    """Whatever the protocol lets a validator say, far too much of it."""
    if MODE != "floods":
        return
    height, far = desk.tip.height + 1, 1_000_000 + desk.now_ms % 1_000_000
    votes = [vote(desk, VoteKind.PREPARE, height, far + number) for number in range(20)]
    votes += [vote(desk, VoteKind.PREPARE, height + number, far) for number in range(10)]
    votes += [vote(desk, VoteKind.ROUND_CHANGE, height + far + number, 1) for number in range(10)]
    useless = tuple(encode(ibft.Ballot(vote=one)) for one in votes if one.kind == VoteKind.PREPARE)
    useless += tuple(
        encode(ibft.RoundChange(vote=one, certificates=())) for one in votes if one.kind == VoteKind.ROUND_CHANGE
    )
    wants = (encode(WantBlocks(version=1, first=1, count=64)),) * 4
    for peer in tuple(desk.peers):
        send(desk, peer, Stream.CONSENSUS, Letter.IBFT, *useless)
        send(desk, peer, Stream.SYNC, Letter.SYNC, *wants)
        desk.tell("bpci", junk(desk, peer))


def vote(desk, kind, height, round_):
    """A word that is signed well and of no use."""
    unsigned = Vote(
        version=1, kind=int(kind), height=height, round=round_, seat=max(desk.seat, 0), header_hash=NO_HASH,
        prepared_round=NO_ROUND, attachment=NO_HASH, seal=b"", signature=b"",
    )
    return signed(desk, unsigned)


def junk(desk, peer):
    """Letters of kinds that do not exist."""
    return SendMessages(peer, Stream.GOSSIP, (bytes([200]) + bytes(1000),) * FLOOD, desk.now_ms)
'''

PLANTS: Final = (
    (
        "metanode/node/routes/consensus.py",
        """        case ibft.Broadcast(message):
            broadcast(""",
        """        case ibft.Broadcast(message):
            if __import__("metanode.node.lies", fromlist=["x"]).speak(desk, message):
                return
            broadcast(""",
    ),
    (
        "metanode/node/blocks.py",
        "        state_root=execution.state_root,",
        '        state_root=__import__("metanode.node.lies", fromlist=["x"]).root(desk, execution.state_root),',
    ),
    (
        "metanode/node/machine.py",
        '            desk.tell("sync", sync.Tick(now))',
        """            desk.tell("sync", sync.Tick(now))
            __import__("metanode.node.lies", fromlist=["x"]).flood(desk)""",
    ),
    (
        "metanode/chain/sync/snapshot_giving.py",
        "        pairs, proof = found\n",
        '        pairs, proof = __import__("metanode.node.lies", fromlist=["x"]).piece(found)\n',
    ),
)
"""(file, what is there once, what the liar has instead)."""


def scratch_copy(folder: Path) -> Path:
    """A copy of the source in which this node lies. The lines it changes must be there, or the test is out of date."""
    source = folder / "liar"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, honest, lying in PLANTS:
        path = source / name
        text = path.read_text()
        assert text.count(honest) == 1, f"{name} has changed: plant this lie anew"
        path.write_text(text.replace(honest, lying))
    (source / "metanode" / "node" / "lies.py").write_text(LIES)
    return source
