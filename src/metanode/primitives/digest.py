"""Tagged SHA-256: no two kinds of object share a preimage."""

from enum import Enum
from hashlib import sha256

from metanode.primitives.names import Hash


class Tag(Enum):
    """BYTES-2. The 16-byte ASCII tag before everything hashed or signed, one a kind."""

    HEADER = b"metanode.header1"
    COMMIT = b"metanode.commit1"
    PREPARE = b"metanode.prepar1"
    VOTE = b"metanode.voting1"
    TRANSACTION = b"metanode.trnsct1"
    AUTHORIZATIONS = b"metanode.authzn1"
    ADDRESS = b"metanode.addres1"
    GENESIS = b"metanode.genesi1"
    VALIDATORS = b"metanode.valset1"
    POSSESSION = b"metanode.posses1"
    CERTIFICATE = b"metanode.certif1"
    JUSTIFICATION = b"metanode.justif1"
    SEAL = b"metanode.sealsh1"
    TRANSACTIONS_ROOT = b"metanode.txroot1"
    OPENINGS_ROOT = b"metanode.oproot1"
    INCLUSION_ROOT = b"metanode.inroot1"
    EVIDENCE_ROOT = b"metanode.evroot1"
    RECEIPTS_ROOT = b"metanode.rcroot1"
    HISTORY_ROOT = b"metanode.hiroot1"
    EXTENSIONS_ROOT = b"metanode.exroot1"
    STATE_ROOT = b"metanode.stroot1"
    STATE_KEY = b"metanode.stakey1"
    STATE_LEAF = b"metanode.staval1"
    STATE_PAGE = b"metanode.stapag1"
    STATE_NODE = b"metanode.stanod1"
    RECEIPT = b"metanode.recept1"
    EVIDENCE = b"metanode.eviden1"
    EVIDENCE_FILE = b"metanode.guilty1"
    TRANSCRIPT = b"metanode.trnscp1"
    HANDSHAKE = b"metanode.hndshk1"
    CHECKPOINT = b"metanode.chkpnt1"
    FRAMES = b"metanode.frames1"
    TICK = b"metanode.pohtik1"
    PEER_RECORD = b"metanode.peerad1"
    EPOCH_KEY = b"metanode.epochk1"
    AGENT_REQUEST = b"metanode.agentr1"
    MESH_ADDRESS = b"metanode.meshad1"
    BLOCK_LOG = b"metanode.blklog1"
    JOURNAL = b"metanode.jrnlog1"
    SNAPSHOT = b"metanode.snapsh1"
    IMAGE_SIGNATURE = b"metanode.imgsig1"
    PLACEMENT_TIE = b"metanode.plctie1"
    PLACEMENT_INPUTS = b"metanode.plcinp1"
    EXPLANATION = b"metanode.plcwhy1"
    WORKLOAD_ENTRY = b"metanode.wentry1"
    WORKLOAD_RECEIPT = b"metanode.wrecpt1"
    WORKLOAD_BATCH = b"metanode.wbatch1"
    RECEIPT_LOG = b"metanode.wrclog1"
    WITNESS = b"metanode.witnes1"
    WITNESS_SEED = b"metanode.wtseed1"
    STATEMENT = b"metanode.probst1"
    SECRET = b"metanode.secret1"
    SECRET_SALT = b"metanode.scsalt1"
    SECRET_KEY = b"metanode.scrkey1"
    SECRET_RECIPIENT = b"metanode.scrrcp1"
    PIN_LOG = b"metanode.wpnlog1"


TAG_BYTES = 16
"""Length of every tag."""


def digest(tag: Tag, *parts: bytes) -> Hash:
    """BYTES-2. SHA-256 over the tag and then the parts, 32 bytes."""
    hasher = sha256(tag.value)
    for part in parts:
        hasher.update(part)
    return Hash(hasher.digest())
