"""Where the pods of an agent go: which API server, as whom, in which namespace, on which of its nodes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

LABEL_PATTERN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What Kubernetes calls a DNS label: names of namespaces; values of labels may be written so, too."""
NODE_PATTERN: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""A name of a node: a DNS subdomain."""
OPTIONS: Final = ("kubeconfig", "context", "namespace", "node", "pull", "agent")
"""What may be said of a place."""
CONTEXT_CHARACTERS_MAX: Final = 256
"""Name of a context in a kubeconfig."""


class Pull(StrEnum):
    """Whether a node of the cluster may fetch an image it lacks."""

    IF_NOT_PRESENT = "if-not-present"
    """From the registry that the image's name says."""
    NEVER = "never"
    """It must be there already: put there by whoever runs the nodes."""


@dataclass(frozen=True, slots=True)
class KubernetesPlace:
    """`folder`: for copies of logs, on this machine. `agent`: value of the label by which its pods are known.
    `kubeconfig`: a file; empty for KUBECONFIG, ~/.kube/config, or what a pod is given. `node`: the only node of the
    cluster that may be used; empty where its scheduler chooses."""

    folder: Path
    agent: str
    kubeconfig: str = ""
    context: str = ""
    namespace: str = "metanode"
    node: str = ""
    pull: Pull = Pull.IF_NOT_PRESENT

    def __post_init__(self) -> None:
        """KUBE-1. Names that are names: they become parts of addresses."""
        if not LABEL_PATTERN.fullmatch(self.agent) or not LABEL_PATTERN.fullmatch(self.namespace):
            raise Rejected(RuntimeRefusal.BAD_OPTION, f"namespace {self.namespace[:80]!r}: 1 to 63 of a-z, 0-9 and '-'")
        if self.node and not NODE_PATTERN.fullmatch(self.node):
            raise Rejected(RuntimeRefusal.BAD_OPTION, f"node {self.node[:80]!r} is no name of a node")
        if len(self.context) > CONTEXT_CHARACTERS_MAX:
            raise Rejected(RuntimeRefusal.BAD_OPTION, f"context: more than {CONTEXT_CHARACTERS_MAX} characters")


def agent_label(folder: Path) -> str:
    """The label of the agent of a folder, where none is given: another folder is another agent."""
    return "agent-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def place_of(folder: Path, options: Sequence[str]) -> KubernetesPlace:
    """KUBE-1. The place by options `key=value`, each key once. Raises `Rejected`."""
    given: dict[str, str] = {}
    for option in options:
        key, separator, value = option.partition("=")
        if not separator or key in given or key not in OPTIONS:
            raise Rejected(RuntimeRefusal.BAD_OPTION, f"{option[:80]!r}: once {', '.join(OPTIONS)} =VALUE")
        given[key] = value
    pull = given.pop("pull", Pull.IF_NOT_PRESENT)
    if pull not in set(Pull):
        raise Rejected(RuntimeRefusal.BAD_OPTION, f"pull={pull[:40]}: {' or '.join(Pull)}")
    return KubernetesPlace(folder, given.pop("agent", agent_label(folder)), pull=Pull(pull), **given)
