"""A workload's specification: what runs, how, how it is renewed. Known by the SHA-256 of its bytes; only its terms are
on chain."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.demand import (
    LISTED_MAX,
    PORT_MAX,
    Demand,
    check_ascending,
    check_count,
    check_demand,
    check_name,
    check_range,
    check_word,
)
from metanode.records.determinism import InputFile, check_deterministic, check_deterministic_terms

SPEC_BYTES_MAX: Final = 65_536
"""Largest specification: larger configuration belongs into a volume or the image."""
TERMS_BYTES_MAX: Final = 8_192
"""Largest terms: they are part of a transaction, and of the state."""
WORDS_MAX: Final = 256
"""Most words of a command, and variables of an environment."""
WORD_BYTES_MAX: Final = 16_384
"""Longest word of a command, or value of a variable."""
PATH_BYTES_MAX: Final = 1_024
"""Longest path inside a container."""
REPLICAS_MAX: Final = 5_000
"""Most replicas of a workload."""
PERIOD_MS_MAX: Final = 86_400_000
"""Longest delay, interval or grace: a day."""
SECRET_VERSION_MAX: Final = 1 << 32
"""No version of a secret reaches it."""
DEADLINE_MS_MAX: Final = 30 * PERIOD_MS_MAX
"""Longest deadline of a job: thirty days."""
BASIS_POINTS: Final = 10_000
"""Ten thousand basis points are the whole."""

KINDS: Final = ("service", "job")
"""A service is to run for ever; a job is to end with exit code 0."""
ORDERS: Final = ("start-first", "stop-first")
"""Whether a rolling update starts the new replica before it stops the old one."""
ON_FAILURE: Final = ("rollback", "pause", "continue")
"""What an update does when more than its maximum of replicas failed."""
CONDITIONS: Final = ("started", "healthy", "completed")
"""What a dependency must have reached before those who depend on it are placed."""
RESTARTS: Final = ("no", "on-failure", "always")
"""When a node starts a replica again by itself."""
PROBES: Final = ("command", "http", "tcp")
"""How a health check looks."""
BALANCES: Final = ("round-robin", "least-connections", "local-first")
"""How the mesh chooses among the replicas of a service."""
PROTOCOLS: Final = ("tcp", "udp")
"""What a port speaks."""
SIGNALS: Final = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL")
"""Signals that may ask a container to stop."""
CAPABILITIES: Final = ("NET_BIND_SERVICE",)
"""Linux capabilities that may be kept; all others are always dropped, on every engine."""
PIDS_MAX: Final = 32_768
"""Most processes and threads of a replica."""
GRACE_MS_MAX: Final = 3_600_000
"""Longest time to stop in: an hour."""
LOG_FILES_MAX: Final = 32
"""Most files of output of a replica."""
SYSTEM_FOLDERS: Final = ("/dev", "/proc", "/sys")
"""Filled by the engine: nothing is mounted there or below."""
CROWDED_FOLDERS: Final = ("/", "/bin", "/etc", "/lib", "/lib64", "/sbin", "/tmp", "/usr")  # noqa: S108
"""Where no secret is: its folder becomes a file system of its own, and would hide what is there."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}", re.ASCII)
_USER: Final = re.compile(
    r"(?:[0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})(?::(?:[0-9]{1,10}|[a-z_][a-z0-9_-]{0,31}))?", re.ASCII
)


class SpecRefusal(Refusal):
    """Why a specification cannot be run."""

    BAD_PATH = "spec.bad-path"
    """Not an absolute, normal path inside the container."""
    BAD_VARIABLE = "spec.bad-variable"
    """Not the name of an environment variable."""
    BAD_USER = "spec.bad-user"
    """Not `user`, `uid`, `user:group` or `uid:gid`."""
    TOO_LONG = "spec.too-long"
    """A word, value or path longer than it may be, or one that holds a zero byte."""
    CONTRADICTION = "spec.contradiction"
    """Two parts that cannot both hold."""
    OTHER_TERMS = "spec.other-terms"
    """The terms on chain are not those of the specification whose digest is pinned there."""


class Dependency(Wire):
    """Another workload of the cluster, and what it must have reached first."""

    workload: str
    condition: str


class Port(Wire):
    """A port that the container listens on, by name for the mesh; `published` on the node too (0: not)."""

    name: str
    container: int
    published: int
    protocol: str


class Update(Wire):
    """How a new revision replaces the old one: so many at a time, in which order, a pause between them, how long each
    is watched, the failed share (basis points of the replicas) that stops it, and what happens then."""

    parallelism: int
    order: str
    delay_ms: int
    monitor_ms: int
    failures_max_bp: int
    on_failure: str


class Job(Wire):
    """How a job ends: each replica must exit with 0, after at most `retries` further attempts each, within
    `deadline_ms` of header time since it was applied (0: no deadline)."""

    retries: int
    deadline_ms: int


class Terms(Wire):
    """PLACE-2. What of a specification is on chain: all that the committee needs to place and renew it, and others to
    reach it. `networks`: workloads that share one can call each other; `ports` is what they find, `balance` which
    replica (MESH-5)."""

    workload: str
    kind: str
    demand: Demand
    update: Update
    job: Job
    dependencies: tuple[Dependency, ...]
    ports: tuple[Port, ...]
    networks: tuple[str, ...]
    deterministic: bool
    balance: str = BALANCES[0]


class Variable(Wire):
    """An environment variable."""

    name: str
    value: str


class Mount(Wire):
    """A named volume at a path of the container."""

    volume: str
    target: str
    read_only: bool


class SecretFile(Wire):
    """SECRET-5. A secret of the cluster as a file on tmpfs. `version` and `commitment` (32 bytes) say which content is
    meant: known once whoever applies it has looked or sealed; 0 and empty before that."""

    secret: str
    version: int
    commitment: bytes
    target: str
    mode: int


class Temporary(Wire):
    """A directory in memory: at most `size_kib` (0: as much as the container's memory), which it is part of."""

    target: str
    size_kib: int


class HealthCheck(Wire):
    """How the node finds out whether a replica is well. `command`: exit code 0. `http`: status 200 … 399 of a GET of
    `path` at `port`. `tcp`: `port` accepts. `retries` failures in a row are unhealthy; those in the first
    `start_period_ms` do not count."""

    probe: str
    command: tuple[str, ...]
    port: int
    path: str
    interval_ms: int
    timeout_ms: int
    retries: int
    start_period_ms: int


class Restart(Wire):
    """What the node does when a replica ends: start it again on which `condition`, at most so often (0: no limit)
    within the window, after a delay that doubles up to five minutes."""

    condition: str
    attempts_max: int
    delay_ms: int
    window_ms: int


class WorkloadSpec(Wire, tag="metanode.workload.1"):
    """PLACE-2. Everything a node needs to run a replica. Lists of names and targets ascending, each once.

    `image`: the reference as people write it; what counts is `terms.demand.image`. `command` and `arguments` replace
    the image's entrypoint and its arguments where not empty. `health` none or one. `egress`: `host:port` that it may
    reach. `agreement`: digest of the policy bundle it runs under, empty for none.
    """

    terms: Terms
    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: tuple[Variable, ...]
    working_directory: str
    user: str
    hostname: str
    read_only: bool
    temporary: tuple[Temporary, ...]
    capabilities: tuple[str, ...]
    mounts: tuple[Mount, ...]
    secrets: tuple[SecretFile, ...]
    pids_max: int
    stop_signal: str
    stop_grace_ms: int
    log_bytes_max: int
    log_files_max: int
    health: tuple[HealthCheck, ...]
    restart: Restart
    egress: tuple[str, ...]
    agreement: bytes
    inputs: tuple[InputFile, ...] = ()
    outputs: tuple[str, ...] = ()


WORKLOAD_SPECS: Final = Decoder[WorkloadSpec](WorkloadSpec, SPEC_BYTES_MAX)


def spec_digest(spec: WorkloadSpec) -> Hash:
    """PLACE-2. The name of a specification: SHA-256 of its canonical bytes, as of any other content."""
    return Hash(sha256(encode(spec)).digest())


def check_path(what: str, path: str) -> None:
    """PLACE-2. An absolute path below /, in its one form. Raises `Rejected`."""
    parts = path.split("/")
    if not path.startswith("/") or path == "/" or any(part in ("", ".", "..") for part in parts[1:]):
        raise Rejected(SpecRefusal.BAD_PATH, f"{what} {path[:80]!r}: absolute, below /, without ., .. and //")
    _check_text(what, path, PATH_BYTES_MAX)


def check_variable(what: str, name: str) -> None:
    """PLACE-2. The name of an environment variable. Raises `Rejected`."""
    if not _VARIABLE.fullmatch(name):
        raise Rejected(SpecRefusal.BAD_VARIABLE, f"{what} {name[:80]!r}: letters, digits, _, . and -, no digit first")


def check_user(what: str, user: str) -> None:
    """PLACE-2. Who runs in a container. Raises `Rejected`."""
    if not _USER.fullmatch(user):
        raise Rejected(SpecRefusal.BAD_USER, f"{what} {user[:80]!r}: like 1000, 1000:1000, app, app:app")


def _check_text(what: str, text: str, most: int = WORD_BYTES_MAX) -> None:
    if len(text.encode()) > most or "\0" in text:
        raise Rejected(SpecRefusal.TOO_LONG, f"{what}: at most {most} bytes and no zero byte")


def _check_update(update: Update) -> None:
    check_range("parallelism", update.parallelism, 1, REPLICAS_MAX)
    check_word("the order of updates", update.order, ORDERS)
    check_range("the delay of updates", update.delay_ms, 0, PERIOD_MS_MAX)
    check_range("the monitor time of updates", update.monitor_ms, 0, PERIOD_MS_MAX)
    check_range("the maximum failure ratio", update.failures_max_bp, 0, BASIS_POINTS)
    check_word("what follows a failed update", update.on_failure, ON_FAILURE)


def check_terms(terms: Terms) -> None:
    """PLACE-2. Terms that could be kept. Raises `Rejected` with a `DemandRefusal` or `SpecRefusal`."""
    check_name("workload", terms.workload)
    check_word("the kind", terms.kind, KINDS)
    check_demand(terms.demand)
    _check_update(terms.update)
    check_range("retries", terms.job.retries, 0, 1_000)
    check_range("the deadline", terms.job.deadline_ms, 0, DEADLINE_MS_MAX)
    for what, names in (
        ("dependencies", tuple(one.workload for one in terms.dependencies)),
        ("ports", tuple(one.name for one in terms.ports)),
        ("networks", terms.networks),
    ):
        check_count(what, len(names))
        check_ascending(what, names)
        for name in names:
            check_name(what, name)
    for dependency in terms.dependencies:
        check_word("the condition of a dependency", dependency.condition, CONDITIONS)
        if dependency.workload == terms.workload:
            raise Rejected(SpecRefusal.CONTRADICTION, f"{terms.workload} depends on itself")
    check_word("how it is balanced", terms.balance, BALANCES)
    for port in terms.ports:
        check_range("a container's port", port.container, 1, PORT_MAX)
        check_range("a published port", port.published, 0, PORT_MAX)
        check_word("the protocol of a port", port.protocol, PROTOCOLS)
    if terms.deterministic:
        check_deterministic_terms(terms.workload, terms.kind, terms.demand)
    published = tuple(sorted({port.published for port in terms.ports if port.published}))
    if published != terms.demand.ports:
        raise Rejected(SpecRefusal.CONTRADICTION, f"publishes {published}, but demands the ports {terms.demand.ports}")


def _check_health(check: HealthCheck) -> None:
    check_word("the probe", check.probe, PROBES)
    _check_words("the words of a health check", check.command)
    if (check.probe == "command") != bool(check.command) or (check.probe != "command") != bool(check.port):
        raise Rejected(SpecRefusal.CONTRADICTION, "a command probe has a command, the others a port")
    check_range("the port of a health check", check.port, 0, PORT_MAX)
    _check_text("the path of a health check", check.path, PATH_BYTES_MAX)
    for what, value, least in (
        ("interval", check.interval_ms, 100),
        ("timeout", check.timeout_ms, 10),
        ("start period", check.start_period_ms, 0),
    ):
        check_range(f"the {what} of a health check", value, least, PERIOD_MS_MAX)
    check_range("the retries of a health check", check.retries, 1, 1_000)


def _check_words(what: str, words: tuple[str, ...]) -> None:
    check_count(what, len(words), WORDS_MAX)
    for word in words:
        _check_text(what, word)


def _check_files(spec: WorkloadSpec) -> None:
    """Mounts, secrets and temporary directories: normal paths, none twice, and no volume that is not demanded."""
    targets = [
        *(("the target of a volume", one.target) for one in spec.mounts),
        *(("the target of a secret", one.target) for one in spec.secrets),
        *(("a temporary directory", one.target) for one in spec.temporary),
    ]
    check_count("mounts, secrets and temporary directories", len(targets), 2 * LISTED_MAX)
    for what, target in targets:
        check_path(what, target)
        if _is_below(target, SYSTEM_FOLDERS):
            raise Rejected(SpecRefusal.BAD_PATH, f"{what} {target[:80]!r}: not in {', '.join(SYSTEM_FOLDERS)}")
    if len({target for _, target in targets}) < len(targets):
        raise Rejected(SpecRefusal.CONTRADICTION, "two things are mounted at the same path")
    for listed, keys in (
        ("mounts", tuple(one.target for one in spec.mounts)),
        ("secrets", tuple(one.target for one in spec.secrets)),
        ("temporary directories", tuple(one.target for one in spec.temporary)),
    ):
        check_ascending(listed, keys)
    for temporary in spec.temporary:
        if _is_below(temporary.target, (one.target for one in spec.mounts)):
            raise Rejected(SpecRefusal.CONTRADICTION, f"a volume would hide {temporary.target}")
        check_range("the size of a temporary directory, in KiB,", temporary.size_kib, 0, spec.terms.demand.memory_kib)
    _check_secrets(spec)
    used = tuple(sorted({one.volume for one in spec.mounts}))
    if used != spec.terms.demand.volumes:
        raise Rejected(SpecRefusal.CONTRADICTION, f"mounts {used}, but demands the volumes {spec.terms.demand.volumes}")


def _is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders, or below one."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def secret_folder(target: str) -> str:
    """The folder of a secret's file, which becomes a tmpfs of its own."""
    return target.rpartition("/")[0] or "/"


def _check_secrets(spec: WorkloadSpec) -> None:
    """SECRET-5. Secrets in folders of their own, readable by the container's user, bound to a content or not yet."""
    folders = {secret_folder(one.target) for one in spec.secrets}
    for secret in spec.secrets:
        check_name("secret", secret.secret)
        check_range("the mode of a secret", secret.mode, 0, 0o777)
        check_range("the version of a secret", secret.version, 0, SECRET_VERSION_MAX)
        if len(secret.commitment) != (32 if secret.version else 0):
            raise Rejected(SpecRefusal.CONTRADICTION, f"the secret {secret.secret}: a version without its content")
        if not secret.mode & 0o400:
            raise Rejected(SpecRefusal.CONTRADICTION, f"mode {secret.mode:04o}: its own user could not read it")
        if secret_folder(secret.target) in CROWDED_FOLDERS:
            raise Rejected(SpecRefusal.BAD_PATH, f"the target {secret.target[:80]!r}: in a folder of its own")
        if _is_below(secret_folder(secret.target), (other.target for other in spec.secrets)):
            raise Rejected(SpecRefusal.CONTRADICTION, f"{secret.target} is below another secret")
    mounts = tuple(one.target for one in spec.mounts)
    for target in (*mounts, *(one.target for one in spec.temporary)):
        if _is_below(target, folders) or (target in mounts and any(_is_below(folder, (target,)) for folder in folders)):
            raise Rejected(SpecRefusal.CONTRADICTION, f"{target} and the folder of secrets would hide each other")


def check_spec(spec: WorkloadSpec) -> None:
    """PLACE-2. A specification that a node could run. Raises `Rejected` by a `DemandRefusal` or `SpecRefusal`."""
    check_terms(spec.terms)
    _check_text("the image", spec.image, PATH_BYTES_MAX)
    _check_words("the words of the command", spec.command)
    _check_words("the arguments", spec.arguments)
    check_count("variables", len(spec.environment), WORDS_MAX)
    check_ascending("variables", tuple(one.name for one in spec.environment))
    for variable in spec.environment:
        check_variable("the variable", variable.name)
        _check_text(f"the value of {variable.name}", variable.value)
    if spec.working_directory not in ("", "/"):
        check_path("the working directory", spec.working_directory)
    if spec.user:
        check_user("the user", spec.user)
    if spec.hostname:
        check_name("hostname", spec.hostname)
    _check_files(spec)
    for capability in spec.capabilities:
        check_word("a capability", capability, CAPABILITIES)
    check_ascending("capabilities", spec.capabilities)
    check_range("pids_max", spec.pids_max, 1, PIDS_MAX)
    check_word("the stop signal", spec.stop_signal, SIGNALS)
    check_range("the grace before a kill", spec.stop_grace_ms, 0, GRACE_MS_MAX)
    check_range("log_bytes_max", spec.log_bytes_max, 4_096, 1 << 30)
    check_range("log_files_max", spec.log_files_max, 1, LOG_FILES_MAX)
    check_count("health checks", len(spec.health), 1)
    for check in spec.health:
        _check_health(check)
    check_word("the restart condition", spec.restart.condition, RESTARTS)
    check_range("the attempts of a restart", spec.restart.attempts_max, 0, 1_000)
    check_range("the delay of a restart", spec.restart.delay_ms, 0, PERIOD_MS_MAX)
    check_range("the window of a restart", spec.restart.window_ms, 0, PERIOD_MS_MAX)
    check_count("destinations", len(spec.egress))
    check_ascending("destinations", spec.egress)
    for destination in spec.egress:
        _check_text("a destination", destination, 255)
    outside = {
        "volumes": spec.mounts,
        "secrets": spec.secrets,
        "a health check": spec.health,
        "destinations": spec.egress,
        "ports": spec.terms.ports,
    }
    check_deterministic(spec.inputs, spec.outputs, outside, deterministic=spec.terms.deterministic)
    if len(spec.agreement) not in (0, 32):
        raise Rejected(SpecRefusal.CONTRADICTION, "the agreement is named by 32 bytes, or by none")


def check_pinned(spec: WorkloadSpec, digest: bytes, terms: Terms) -> None:
    """PLACE-2. Before a node runs anything: the specification is the one pinned, its terms those on chain."""
    if spec_digest(spec) != digest or spec.terms != terms:
        raise Rejected(SpecRefusal.OTHER_TERMS, f"of {terms.workload}: pinned {digest.hex()[:16]}…")
