"""COMPOSE-12. Ports, in the short and the long form, and `expose`. What is published is a port of the node that runs
the replica; every other port is reached by the mesh."""

import re
from typing import Final

from metanode.docklock.compose.fields import agreed, fields, items
from metanode.docklock.compose.findings import ComposeAdvice, ComposeRefusal, Notes, quoted
from metanode.docklock.compose.keys import PORT, PORT_REFUSED
from metanode.docklock.compose.nodes import Mapping, Spot
from metanode.docklock.compose.scalars import text_of, word_of
from metanode.records.demand import LISTED_MAX, PORT_MAX, check_name
from metanode.records.workload import PROTOCOLS, Port

FORM: Final = '"8080:80", "80", "9090-9091:8080-8081", "53:53/udp"'

_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def _range(text: str) -> range | None:
    """The ports of `80` or `80-82`; nothing where it is no such range."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first, last = int(found.group(1)), int(found.group(2) or found.group(1))
    return range(first, last + 1) if 1 <= first <= last <= PORT_MAX and last - first < LISTED_MAX else None


def _ports(spot: Spot, notes: Notes, published: str, target: str, protocol: str) -> list[Port]:
    """The ports of two ranges of equal length."""
    inside, outside = _range(target), _range(published) if published else None
    bad = target if inside is None else published if published and outside is None else ""
    if inside is None or bad:
        allowed = f"1 … {PORT_MAX}, at most {LISTED_MAX} in a range"
        spot.say(notes, ComposeRefusal.BAD_FORM, f"the port {quoted(bad)}", allowed, f"write it like {FORM}")
        return []
    if outside is not None and len(outside) != len(inside):
        found = f"{len(outside)} published ports for {len(inside)}"
        fix = "make both ranges equally long: ports are not chosen by chance"
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, found, "ranges of equal length", fix)
        return []
    numbers = zip(inside, outside or [0] * len(inside), strict=True)
    return [Port(name=f"{protocol}-{one}", container=one, published=other, protocol=protocol) for one, other in numbers]


def _short(spot: Spot, notes: Notes, *, may_publish: bool) -> list[Port]:
    text = text_of(spot, notes, "1")
    rest, slash, protocol = text.partition("/")
    if slash and protocol not in PROTOCOLS:
        spot.say(notes, ComposeRefusal.BAD_CHOICE, f"the protocol {quoted(protocol)}", ", ".join(PROTOCOLS))
        return []
    host, _, target = rest.rpartition(":")
    address, _, published = host.rpartition(":")
    if address:
        says = f"the address {quoted(address)} is not supported: {PORT_REFUSED['host_ip']}"
        spot.say(notes, ComposeRefusal.UNSUPPORTED_VALUE, says, "", f"write {published}:{target}")
        return []
    if host and not may_publish:
        spot.say(notes, ComposeRefusal.BAD_FORM, quoted(text), "ports of the container alone", f"write {target}")
        return []
    if rest.startswith(":"):
        spot.say(notes, ComposeRefusal.BAD_FORM, quoted(text), FORM, f"write {target}")
        return []
    return _ports(spot, notes, published, target, protocol or "tcp")


def _long(spot: Spot, notes: Notes) -> list[Port]:
    keys = fields(spot, notes, PORT, PORT_REFUSED)
    if "target" not in keys:
        spot.say(notes, ComposeRefusal.MISSING_KEY, "no target", "the port in the container", "write `target: 80`")
        return []
    if "mode" in keys and word_of(keys["mode"], notes, ("host", "ingress"), "host") != "host":
        reason = "host: a node publishes what it runs, and the mesh finds it from everywhere"
        keys["mode"].say(notes, ComposeRefusal.UNSUPPORTED_VALUE, "ingress", reason, "write `mode: host`")
    protocol = word_of(keys["protocol"], notes, PROTOCOLS, "tcp") if "protocol" in keys else "tcp"
    published = text_of(keys["published"], notes) if "published" in keys else ""
    made = _ports(spot, notes, published, text_of(keys["target"], notes, "1"), protocol)
    if "name" in keys and len(made) == 1:
        name = text_of(keys["name"], notes, "port")
        agreed(keys["name"], notes, check_name, "the name of a port", name)
        return [Port(name=name, container=one.container, published=one.published, protocol=protocol) for one in made]
    if "name" in keys and made:
        keys["name"].say(
            notes, ComposeRefusal.CONTRADICTION, "one name for several ports", "", "write a port an element"
        )
    return made


def ports(ports_at: Spot | None, expose_at: Spot | None, notes: Notes) -> tuple[Port, ...]:
    """COMPOSE-12. All ports of a service by name; one that is only exposed and also listed in `ports` is one port."""
    found: dict[str, Port] = {}
    for spot in [] if ports_at is None else items(ports_at, notes, LISTED_MAX):
        long = isinstance(spot.node, Mapping)
        for port in _long(spot, notes) if long else _short(spot, notes, may_publish=True):
            clash = found.get(port.name) or next(
                (one for one in found.values() if port.published and _where(one) == _where(port)), None
            )
            if clash is not None:
                says = f"{port.name} at {port.published or port.container}, and {clash.name} at {clash.published}"
                fix = "take one out, or give each a `name` and a port of its own in the long form"
                spot.say(notes, ComposeRefusal.CONTRADICTION, says, "each name and published port once", fix)
            elif not port.published and not long:
                says = f"{port.container} is published nowhere: the mesh reaches it"
                spot.say(
                    notes, ComposeAdvice.NOT_PUBLISHED, says, "", f"move it to `expose`, or write 8080:{port.container}"
                )
            found.setdefault(port.name, port)
    known = {(port.container, port.protocol) for port in found.values()}
    for spot in [] if expose_at is None else items(expose_at, notes, LISTED_MAX):
        for port in _short(spot, notes, may_publish=False):
            if (port.container, port.protocol) in known:
                continue
            if found.setdefault(port.name, port) != port:
                fix = "give the other one another name"
                spot.say(notes, ComposeRefusal.CONTRADICTION, f"{port.name} is another port", "each name once", fix)
    if len(found) > LISTED_MAX:
        at = ports_at or expose_at
        assert at is not None
        at.say(notes, ComposeRefusal.TOO_LARGE, f"{len(found)} ports", f"at most {LISTED_MAX}", "")
    return tuple(found[name] for name in sorted(found))


def _where(port: Port) -> tuple[int, str]:
    return port.published, port.protocol
