"""A plan as a message, and back. What comes back is checked as every plan is, when it is made."""

from typing import Any, Final

from metanode.host.runtimes.caging import Cage, Input
from metanode.host.runtimes.plan import ContainerPlan, Kept, Limits, LogBounds, Mount, Secret, Temporary
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import Message, bytes_of, text_of
from metanode.primitives.refusal import Rejected

_PLAIN: Final = (
    "id", "root", "workdir", "uid", "gid", "hostname", "read_only_root", "stop_signal", "stop_grace_ms",
)  # fmt: skip


def plan_message(plan: ContainerPlan, *, secrets: bool = True) -> Message:
    """The plan as JSON can say it; without secrets for the file on the disk."""
    message: Message = {name: getattr(plan, name) for name in _PLAIN}
    limits, log = plan.limits, plan.log
    message["command"] = list(plan.command)
    message["env"] = [list(pair) for pair in plan.env]
    message["limits"] = [limits.memory_bytes, limits.cpu_millicores, limits.pids, limits.open_files]
    message["mounts"] = [[mount.source, mount.target, mount.read_only] for mount in plan.mounts]
    message["temporary"] = [[one.target, one.size_bytes] for one in plan.temporary]
    message["kept"] = [str(kept) for kept in plan.kept]
    message["log"] = [log.file_bytes, log.files]
    message["cage"] = _cage_message(plan.cage) if plan.cage is not None else None
    message["secrets"] = [[one.target, text_of(one.data), one.mode] for one in plan.secrets] if secrets else []
    return message


def plan_of(message: Message) -> ContainerPlan:
    """RUN-6. The plan a message says, or the refusal of what is wrong with it."""
    try:
        return _plan_of(message)
    except (KeyError, TypeError, ValueError) as error:
        raise Rejected(RuntimeRefusal.BAD_FRAME, f"no plan: {type(error).__name__} {error}"[:200]) from error


def _plan_of(message: Message) -> ContainerPlan:
    plain: dict[str, Any] = {name: _typed(message[name], name) for name in _PLAIN}
    return ContainerPlan(
        **plain,
        command=tuple(_text(word) for word in message["command"]),
        env=tuple((_text(name), _text(value)) for name, value in message["env"]),
        limits=Limits(*(_whole(number) for number in message["limits"])),
        mounts=tuple(Mount(_text(s), _text(t), _truth(r)) for s, t, r in message["mounts"]),
        temporary=tuple(Temporary(_text(t), _whole(b)) for t, b in message["temporary"]),
        secrets=tuple(Secret(_text(t), bytes_of(_text(d)), _whole(m)) for t, d, m in message["secrets"]),
        kept=tuple(Kept(kept) for kept in message["kept"]),
        log=LogBounds(*(_whole(number) for number in message["log"])),
        cage=_cage_of(message["cage"]) if message.get("cage") is not None else None,
    )


def _cage_message(cage: Cage) -> Message:
    """The seed is no secret: it follows from what is on chain."""
    inputs = [[one.source, one.target, one.digest.hex()] for one in cage.inputs]
    return {"seed": cage.seed.hex(), "inputs": inputs, "outputs": list(cage.outputs)}


def _cage_of(message: Message) -> Cage:
    inputs = tuple(Input(_text(s), _text(t), bytes.fromhex(_text(d))) for s, t, d in message["inputs"])
    return Cage(bytes.fromhex(_text(message["seed"])), inputs, tuple(_text(path) for path in message["outputs"]))


def _typed(value: object, name: str) -> str | int | bool:
    if name == "read_only_root":
        return _truth(value)
    return _whole(value) if name in {"uid", "gid", "stop_grace_ms"} else _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value
