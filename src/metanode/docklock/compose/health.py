"""COMPOSE-11. Health checks: the commands of Compose, and the HTTP and TCP probes that it has no word for."""

from typing import Final

from metanode.docklock.compose.fields import fields, texts
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.keys import HEALTHCHECK, HEALTHCHECK_REFUSED, PROBE, PROBE_HTTP, PROBE_TCP
from metanode.docklock.compose.nodes import Scalar, Sequence, Spot
from metanode.docklock.compose.scalars import period_ms, text_of, truth, whole
from metanode.docklock.compose.words import SHELL
from metanode.records.demand import PORT_MAX
from metanode.records.workload import PERIOD_MS_MAX, WORDS_MAX, HealthCheck

INTERVAL_MS: Final = 30_000
"""Time between two checks, as in Compose."""
TIMEOUT_MS: Final = 30_000
"""Longest time of a check, as in Compose."""
RETRIES: Final = 3
"""Failures in a row, as in Compose."""
INTERVAL_MS_MIN: Final = 100
"""Shortest interval: the agreed minimum of a specification."""
TIMEOUT_MS_MIN: Final = 10
"""Shortest timeout: the agreed minimum of a specification."""


def _test(spot: Spot, notes: Notes) -> tuple[str, ...]:
    """The command of a check; nothing for NONE."""
    if isinstance(spot.node, Scalar):
        return (*SHELL, text_of(spot, notes))
    words = tuple(text for text, _ in texts(spot, notes, WORDS_MAX))
    match words:
        case ("NONE",):
            return ()
        case () if not isinstance(spot.node, Sequence):
            return ()  # no list: that was noted
        case ("CMD", _, *_):
            return words[1:]
        case ("CMD-SHELL", line):
            return (*SHELL, line)
        case _:
            allowed = '["NONE"], ["CMD", program, …], ["CMD-SHELL", line]'
            spot.say(notes, ComposeRefusal.BAD_FORM, quoted(" ".join(words)), allowed, 'put "CMD" in front')
            return ()


def _probe(spot: Spot, notes: Notes) -> tuple[str, int, str] | None:
    """Kind, port and path of `x-metanode.probe`."""
    kinds = fields(spot, notes, PROBE, extensions=False)
    if len(kinds) != 1:
        spot.say(notes, ComposeRefusal.MISSING_KEY, f"{len(kinds)} probes", "one of http, tcp", "name one")
        return None
    kind, at = next(iter(kinds.items()))
    found = fields(at, notes, PROBE_HTTP if kind == "http" else PROBE_TCP, extensions=False)
    if "port" not in found:
        at.say(notes, ComposeRefusal.MISSING_KEY, "no port", "1 … 65535", "write `port: 8080`")
        return None
    port = whole(found["port"], notes, 1, PORT_MAX)
    path = text_of(found["path"], notes, "/") if "path" in found else "/"
    if not path.startswith("/"):
        found["path"].say(notes, ComposeRefusal.BAD_FORM, quoted(path), "a path", f"write /{path[:40]}")
    return kind, port, path if kind == "http" else ""


def health_check(check: Spot | None, probe: Spot | None, notes: Notes) -> HealthCheck | None:
    """COMPOSE-11. The one check of a service; nothing where there is none."""
    keys = {} if check is None else fields(check, notes, HEALTHCHECK, HEALTHCHECK_REFUSED)
    probed = None if probe is None else _probe(probe, notes)
    if check is None and probe is None:
        return None
    disabled = "disable" in keys and truth(keys["disable"], notes)
    words = _test(keys["test"], notes) if "test" in keys else ()
    if probe is not None and ("test" in keys or disabled):
        fix = "take out healthcheck.test or x-metanode.probe"
        probe.say(notes, ComposeRefusal.CONTRADICTION, "a probe, and healthcheck says otherwise", "one", fix)
    if disabled and words:
        keys["test"].say(notes, ComposeRefusal.CONTRADICTION, "a test that is disabled", "", "take one of the two out")
    if check is not None and not disabled and "test" not in keys and probe is None:
        fix = "write `test: [CMD, …]`, or x-metanode.probe"
        check.say(notes, ComposeRefusal.MISSING_KEY, "no test; checks of images are not known here", "test", fix)
    timing = {
        key: period_ms(keys[key], notes, least, PERIOD_MS_MAX) if key in keys else default
        for key, least, default in (
            ("interval", INTERVAL_MS_MIN, INTERVAL_MS),
            ("timeout", TIMEOUT_MS_MIN, TIMEOUT_MS),
            ("start_period", 0, 0),
        )
    }
    retries = whole(keys["retries"], notes, 1, 1_000) if "retries" in keys else RETRIES
    if disabled or (probed is None and not words):
        return None
    kind, port, path = probed or ("command", 0, "")
    return HealthCheck(
        probe=kind,
        command=words if probed is None else (),
        port=port,
        path=path,
        interval_ms=timing["interval"],
        timeout_ms=timing["timeout"],
        retries=retries,
        start_period_ms=timing["start_period"],
    )
