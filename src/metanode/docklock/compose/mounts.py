"""COMPOSE-9. What a container has beside its image: named volumes, tmpfs and secrets, each at a path."""

from typing import Final

from metanode.docklock.compose.fields import agreed, fields, items, one_or_more
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.keys import MOUNT, MOUNT_REFUSED, SECRET_USE
from metanode.docklock.compose.model import Declared
from metanode.docklock.compose.nodes import Mapping, Scalar, Spot
from metanode.docklock.compose.scalars import file_mode, near, size_kib, text_of, truth, word_of
from metanode.records.demand import LISTED_MAX, MEMORY_KIB_MAX
from metanode.records.workload import Mount, SecretFile, Temporary, check_path

SECRETS_FOLDER: Final = "/run/secrets/"
"""Where secrets are, as in Compose."""
SECRET_MODE: Final = 0o444
"""Permissions of a secret where nothing is said, as in Compose."""

_BIND_FIX: Final = "put the files into the image, or into a named volume; secrets into `secrets`"
_BIND: Final = "a named volume: a path of the node's own would be another thing on every node"


def known_name(spot: Spot, notes: Notes, what: str, name: str, declared: tuple[str, ...]) -> bool:
    """Whether a name is declared at the top level; noted otherwise."""
    if name in declared:
        return True
    fix = near(name, declared) or f"declare it: `{what}s: {{{name[:40]}: {{}}}}` at the top level"
    allowed = ", ".join(declared[:10]) or f"none is declared below `{what}s`"
    spot.say(notes, ComposeRefusal.UNKNOWN_NAME, f"no {what} {quoted(name)}", allowed, fix)
    return False


def path_in_container(spot: Spot, notes: Notes, text: str) -> str:
    """An absolute and normal path below /, a slash at its end forgiven."""
    path = text.rstrip("/") if len(text) > 1 else text
    agreed(spot, notes, check_path, "the path", path)
    return path


def _short(spot: Spot, notes: Notes, declared: Declared) -> Mount | None:
    text = text_of(spot, notes, "/x")
    parts = text.split(":")
    if parts[0].startswith((".", "~", "/")) and len(parts) > 1:
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, f"the path {quoted(parts[0])} of a machine", _BIND, _BIND_FIX)
        return None
    if len(parts) == 1:
        fix = "give it a name, `data:/path`, or list it in `tmpfs` if it may be lost"
        spot.say(
            notes, ComposeRefusal.UNSUPPORTED_VALUE, f"a volume without a name at {quoted(text)}", "NAME:PATH", fix
        )
        return None
    options = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) > 3 or any(one not in ("rw", "ro") for one in options):
        spot.say(
            notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(text), "NAME:PATH, NAME:PATH:ro", "take the option out"
        )
        return None
    return _mount(spot, notes, declared, parts[0], parts[1], read_only="ro" in options)


def _mount(spot: Spot, notes: Notes, declared: Declared, name: str, target: str, *, read_only: bool) -> Mount | None:
    if not known_name(spot, notes, "volume", name, tuple(declared.volumes)):
        return None
    path = path_in_container(spot, notes, target)
    return Mount(volume=declared.volumes[name], target=path, read_only=read_only)


def _long(spot: Spot, notes: Notes, declared: Declared) -> Mount | Temporary | None:
    """A volume, or a tmpfs."""
    keys = fields(spot, notes, MOUNT, MOUNT_REFUSED)
    if "type" not in keys or "target" not in keys:
        fix = "write `type: volume`, `source: NAME`, `target: /path`"
        spot.say(notes, ComposeRefusal.MISSING_KEY, "no type or no target", "both", fix)
        return None
    kind = word_of(keys["type"], notes, ("volume", "tmpfs", "bind", "cluster", "npipe", "image"), "volume")
    if kind not in ("volume", "tmpfs"):
        keys["type"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, quoted(kind), _BIND, _BIND_FIX)
        return None
    if "volume" in keys:
        fields(keys["volume"], notes, (), _OPTIONS_REFUSED)
    options = fields(keys["tmpfs"], notes, ("size",), _OPTIONS_REFUSED) if "tmpfs" in keys else {}
    target = text_of(keys["target"], notes, "/x")
    if kind == "tmpfs":
        for key in ("source", "read_only"):
            if key in keys:
                keys[key].say(notes, ComposeRefusal.CONTRADICTION, f"a tmpfs with {key}", "", "take it out")
        size = size_kib(options["size"], notes, 1, MEMORY_KIB_MAX) if "size" in options else 0
        return Temporary(target=path_in_container(keys["target"], notes, target), size_kib=size)
    if "source" not in keys:
        spot.say(notes, ComposeRefusal.MISSING_KEY, "no source", "the name of a volume", "write `source: NAME`")
        return None
    read_only = "read_only" in keys and truth(keys["read_only"], notes)
    return _mount(spot, notes, declared, text_of(keys["source"], notes), target, read_only=read_only)


_OPTIONS_REFUSED: Final = {
    "labels": "nothing here reads labels",
    "mode": "a tmpfs belongs to the container's own user",
    "nocopy": "nothing is ever copied from an image into a volume",
    "subpath": "the whole volume is mounted",
}
"""Options of a mount in the long form."""


def volumes(at: Spot | None, notes: Notes, declared: Declared) -> tuple[tuple[Mount, ...], tuple[Temporary, ...]]:
    """Volumes by target, and every tmpfs among them."""
    mounts: dict[str, Mount] = {}
    temporary: dict[str, Temporary] = {}
    for spot in [] if at is None else items(at, notes, LISTED_MAX):
        long = isinstance(spot.node, Mapping)
        made = _long(spot, notes, declared) if long else _short(spot, notes, declared)
        target = made.target if made else ""
        if target and (target in mounts or target in temporary):
            spot.say(notes, ComposeRefusal.CONTRADICTION, f"{quoted(target)} a second time", "each path once", "")
        elif isinstance(made, Temporary):
            temporary[target] = made
        elif made is not None:
            mounts[target] = made
    return tuple(mounts[target] for target in sorted(mounts)), tuple(temporary.values())


def _size(spot: Spot, notes: Notes, path: str, options: str) -> int:
    """The option `size` of a tmpfs in the short form, in KiB; 0 without one."""
    size = 0
    for option in options.split(",") if options else []:
        key, equals, value = option.partition("=")
        if key == "size" and equals:
            size = size_kib(
                Spot(Scalar(value, spot.place.line, spot.place.column), spot.path), notes, 1, MEMORY_KIB_MAX
            )
        elif option not in ("rw", "noexec", "nosuid", "nodev"):
            reason = f"size=64m alone: {_OPTIONS_REFUSED['mode']}, and nothing in it is executed"
            says = f"the option {quoted(option)} of {quoted(path)}"
            spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, says, reason, f"write {path[:60]}:size=64m")
    return size


def tmpfs(at: Spot | None, notes: Notes) -> tuple[Temporary, ...]:
    """Directories on tmpfs."""
    found: dict[str, Temporary] = {}
    for spot in [] if at is None else one_or_more(at, notes, LISTED_MAX):
        path, _, options = text_of(spot, notes, "/x").partition(":")
        target = path_in_container(spot, notes, path)
        found.setdefault(target, Temporary(target=target, size_kib=_size(spot, notes, path, options)))
    return tuple(found.values())


def _owned(keys: dict[str, Spot], notes: Notes, user: str) -> None:
    """SECRET-6. `uid` and `gid` of a secret may say who runs in the container; nobody else could read it there."""
    uid, _, gid = user.partition(":")
    for key, own in (("uid", uid), ("gid", gid or uid)):
        if key in keys and (said := text_of(keys[key], notes)) != own:
            allowed = f"{own[:40]}, as in `user`" if own else "the numbers of `user`, which says none here"
            fix = f"take {key} out, or let `user` say it"
            keys[key].say(notes, ComposeRefusal.CONTRADICTION, f"{key} {quoted(said)}", allowed, fix)


def secrets(at: Spot | None, notes: Notes, declared: Declared, user: str) -> tuple[SecretFile, ...]:
    """SECRET-6. Secrets by target; their content is bound when the file is applied."""
    found: dict[str, SecretFile] = {}
    for spot in [] if at is None else items(at, notes, LISTED_MAX):
        keys = {"source": spot}
        if isinstance(spot.node, Mapping):
            keys = fields(spot, notes, SECRET_USE)
            _owned(keys, notes, user)
        if "source" not in keys:
            spot.say(notes, ComposeRefusal.MISSING_KEY, "no source", "the name of a secret", "write `source: NAME`")
            continue
        name = text_of(keys["source"], notes)
        target = text_of(keys["target"], notes, name) if "target" in keys else name
        mode = file_mode(keys["mode"], notes) if "mode" in keys else SECRET_MODE
        if not known_name(keys["source"], notes, "secret", name, tuple(declared.secrets)):
            continue
        path = path_in_container(spot, notes, target if target.startswith("/") else SECRETS_FOLDER + target)
        if path in found:
            spot.say(notes, ComposeRefusal.CONTRADICTION, f"{quoted(path)} a second time", "each path once", "")
        found[path] = SecretFile(secret=declared.secrets[name].name, version=0, commitment=b"", target=path, mode=mode)
    return tuple(found[path] for path in sorted(found))
