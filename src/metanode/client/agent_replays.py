"""A deterministic job run once more by an agent."""

from typing import Any

from metanode.api.errors import ApiRefusal
from metanode.client.agent import AgentClient
from metanode.client.failures import failure
from metanode.primitives.codec import encode
from metanode.records.workload_receipt import SignedEntry


def replay(agent: AgentClient, signed: SignedEntry) -> dict[str, Any]:
    """DET-11. Have the job of a receipt run again: `equal`, `root`, the first `difference`. Raises `ClientError`."""
    for line in agent.lines("POST", "/v1/replays", encode(signed)):
        if "error" in line:
            raise failure(str(line["error"]["code"]), str(line["error"]["message"]))
        if "equal" in line:
            return line
    raise failure(ApiRefusal.BAD_ANSWER, "the answer broke off before the job had ended")
