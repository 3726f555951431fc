"""The lives of nodes, instances and workloads, as tables: what is not in a table cannot happen."""

from typing import Final

NODE_LIFE: Final[dict[tuple[str, str], str]] = {
    ("", "join"): "joining",
    ("", "admit"): "invited",
    ("invited", "join"): "in",
    ("invited", "admit"): "invited",
    ("joining", "join"): "joining",
    ("joining", "admit"): "in",
    ("in", "join"): "in",
    ("in", "admit"): "in",
    ("in", "report"): "in",
    ("in", "silence"): "lost",
    ("lost", "join"): "lost",
    ("lost", "admit"): "lost",
    ("lost", "report"): "in",
}
"""CLUSTER-4. A node's standing, what happens, its standing after that. Empty: there is none of this name. `invited`:
admitted but not there; `joining`: there but not admitted; `in`: both; `lost`: not heard in time."""

INSTANCE_LIFE: Final[dict[tuple[str, str], str]] = {
    ("placed", "started"): "started",
    ("placed", "ready"): "ready",
    ("placed", "unready"): "unready",
    ("started", "ready"): "ready",
    ("started", "unready"): "unready",
    ("ready", "unready"): "unready",
    ("unready", "ready"): "ready",
    ("unready", "started"): "started",
    ("ready", "started"): "started",
    **{(state, "starting"): "placed" for state in ("started", "ready", "unready")},
    **{(state, end): end for state in ("placed", "started", "ready", "unready", "stopping")
       for end in ("exited", "failed", "refused", "stopped")},
}  # fmt: skip
"""CLUSTER-11. An instance's state, what its node reports, its state after that. `waiting` has no node that could
report; of a `stopping` one only its end counts."""

RUNNING: Final = ("placed", "started", "ready", "unready")
"""States of an instance that is on a node and is to stay there."""

WORKLOAD_LIFE: Final[dict[tuple[str, str], str]] = {
    ("", "apply"): "active",
    **{(phase, "apply"): "updating" for phase in ("active", "updating", "paused")},
    **{(phase, "apply"): "active" for phase in ("stopped", "completed", "failed")},
    **{(phase, "scale"): phase for phase in ("active", "updating", "paused", "stopped")},
    **{(phase, "roll-back"): "updating" for phase in ("active", "updating", "paused")},
    ("stopped", "roll-back"): "stopped",
    **{(phase, "stop"): "stopping" for phase in ("active", "updating", "paused")},
    **{(phase, "start"): "active" for phase in ("stopped", "completed", "failed")},
    **{(phase, "restart"): "updating" for phase in ("active", "updating", "paused")},
    **{(phase, "delete"): "deleting" for phase in (
        "active", "updating", "paused", "stopping", "stopped", "completed", "failed")},
    ("updating", "updated"): "active",
    ("updating", "pause"): "paused",
    ("active", "completed"): "completed",
    ("updating", "completed"): "completed",
    ("active", "failed"): "failed",
    ("updating", "failed"): "failed",
    ("stopping", "gone"): "stopped",
    ("deleting", "gone"): "",
}  # fmt: skip
"""CLUSTER-6. A workload's phase, what is asked or happens, its phase after that. Empty: it is not there."""

RUNS: Final = ("active", "updating", "paused")
"""Phases in which replicas are to run."""
