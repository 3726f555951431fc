"""Why a receipt of a workload proves nothing: the layer that fails."""

from metanode.primitives.refusal import Refusal


class WorkloadReceiptRefusal(Refusal):
    """The first layer that fails; those of the chain below it are `LightRefusal`'s."""

    ENCODING = "wreceipt.encoding"
    """Not the canonical bytes of a workload's receipt file."""
    ENTRY = "wreceipt.entry"
    """The entry is none that a node could write."""
    SIGNATURE = "wreceipt.signature"
    """The signature is not that of the key beside it over this entry."""
    BATCH = "wreceipt.batch"
    """The entry is not among those of the batch."""
    PINNED = "wreceipt.pinned"
    """The receipt of the chain does not pin this batch of this node's account."""
    CHAIN = "wreceipt.chain"
    """The entry does not follow the one before it."""
    NAME = "wreceipt.name"
    """Not the name of an entry, or the name of another one."""
    ENVELOPE = "wreceipt.envelope"
    """Not a DSSE envelope, or signed by none of the keys that count."""
    STATEMENT = "wreceipt.statement"
    """Not an in-toto statement, or not the one that the receipt file inside it amounts to."""
