"""What the codes of runtimes and agents mean for a caller: part of the table of `ledger_codes`."""

from typing import Final

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation

_E: Final = ExitStatus
_PLAN: Final = "correct what the message names in the Compose file, and apply it again"


def _plan(rule: str, fix: str = _PLAN) -> Explanation:
    """A container that this machine's engine cannot make as it is asked for."""
    return Explanation(_E.CONFIGURATION, 422, -32010, rule, fix)


def _failed(rule: str, fix: str, *, retryable: bool = False) -> Explanation:
    return Explanation(_E.RUNTIME, 503, -32021, rule, fix, retryable)


def _not_found(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_FOUND, 404, -32001, rule, fix)


RUNTIME_CODES: Final[dict[str, Explanation]] = {
    "runtime.bad-id": _plan("RUN-1"),
    "runtime.bad-path": _plan("RUN-2"),
    "runtime.bad-command": _plan("RUN-3"),
    "runtime.bad-environment": _plan("RUN-3"),
    "runtime.bad-number": _plan("RUN-5"),
    "runtime.bad-hostname": _plan("RUN-1"),
    "runtime.bad-mount": _plan("RUN-2"),
    "runtime.bad-secret": _plan("RUN-4"),
    "runtime.bad-capability": _plan(
        "RUN-5", "drop the capability in the Compose file (cap_drop), or use another engine"
    ),
    "runtime.bad-signal": _plan("RUN-5"),
    "runtime.bad-frame": _failed("RUN-6", "see the log of the agent; repeat with the same version on both sides"),
    "runtime.root-missing": _failed("RUN-2", "bpi container images list; import it again"),
    "runtime.volume-missing": _failed("RUN-2", "make the volume on that node, or let placement choose another"),
    "runtime.command-not-found": _failed("RUN-3", "name a program that is in the container"),
    "runtime.command-not-executable": _failed(
        "RUN-3", "let the user of the container execute it, or name another user"
    ),
    "runtime.exists": Explanation(
        _E.CONFLICT, 409, -32003, "RUN-1", "wait until the other one is removed", retryable=True
    ),
    "runtime.unknown": _not_found("RUN-1", "bpi container show names the attempts that run"),
    "runtime.wrong-phase": Explanation(
        _E.CONFLICT, 409, -32003, "RUN-8", "bpi container show says how far it is", retryable=True
    ),
    "runtime.full": _failed("RUN-6", "stop something on that node first", retryable=True),
    "runtime.engine-missing": _failed("RUN-21", "install the engine that the message names"),
    "runtime.setup-failed": _failed("RUN-21", "the message names the step and the system's error; see the agent's log"),
    "runtime.bad-cage": _plan("DET-8"),
    "runtime.no-cage": _failed("DET-10", "bpi node list shows others; the message names what this one lacks"),
    "runtime.caged": Explanation(
        _E.CONFLICT, 409, -32003, "DET-10", "its output and files are there when it has ended"
    ),
    "determinism.not-a-job": _plan("DET-1"),
    "determinism.bad-file": _plan("DET-8"),
    "determinism.open-to-the-world": _plan("DET-10", "give files by digest: x-metanode: {inputs: [NAME=sha256:…]}"),
    "determinism.no-witness": _not_found("DET-11", "bpi receipt list --container NAME shows what is written down"),
    "determinism.other-witness": Explanation(
        _E.INVALID_PROOF, 422, -32010, "DET-11", "run it again on a third node: two of three are alike"
    ),
    "determinism.missing": _failed("DET-11", "bpi container apply hands the content out again", retryable=True),
    "determinism.busy": Explanation(_E.CONFLICT, 409, -32003, "DET-11", "ask again when it has ended", retryable=True),
    "runtime.shim-gone": _failed("RUN-7", "the agent starts it again; see its log", retryable=True),
    "runtime.engine-gone": _failed("DOCKER-2", "start the engine's daemon; the agent reaches it again", retryable=True),
    "runtime.engine-answer": _failed("DOCKER-1", "see the log of the engine's daemon; restart or update it"),
    "runtime.engine-cannot": _failed("KUBE-3", "the message says what to write instead, or name another engine"),
    "runtime.no-image": _failed("KUBE-2", "push the image by its digest where the cluster's nodes fetch it"),
    "runtime.bad-option": _plan("KUBE-1", "correct engine_options in agent.toml"),
    "agent.not-signed": Explanation(_E.NOT_ALLOWED, 401, -32002, "AGENT-10", "sign with an account of the cluster"),
    "agent.not-fresh": Explanation(_E.NOT_ALLOWED, 401, -32002, "AGENT-10", "set this machine's clock", retryable=True),
    "agent.not-allowed": Explanation(
        _E.NOT_ALLOWED, 403, -32002, "AGENT-10", "let the cluster's owner add the account: bpi cluster configure"
    ),
    "agent.no-engine": _failed("AGENT-11", "do one of what the message names"),
    "agent.not-let-in": Explanation(
        _E.NOT_ALLOWED, 403, -32002, "CLUSTER-2", "bpi cluster list; bpi node list; or another name in agent.toml"
    ),
    "agent.content-missing": _failed("AGENT-9", "bpi container apply hands the content out again", retryable=True),
}
"""By their stable text."""
