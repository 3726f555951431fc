"""What this process believes without asking anybody: the genesis in the local folder, or one that was named."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session
from metanode.records.genesis import Genesis, genesis_hash, load_toml

HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class TrustedGenesis:
    """A genesis and where it was found."""

    genesis: Genesis
    path: Path

    @property
    def chain_id(self) -> bytes:
        """Its hash: the chain's identity."""
        return genesis_hash(self.genesis)

    @property
    def words(self) -> str:
        """How it is told to people."""
        return f"trusting genesis {self.chain_id.hex()[:4]}… (local file)"


def local_genesis_path(session: Session) -> Path | None:
    """The genesis of the data folder, of a network or of one node; None where there is none."""
    data = session.data
    candidates = (data / "genesis.toml", LocalNetwork(data).genesis)
    return next((path for path in candidates if path.is_file()), None)


def local_genesis(session: Session) -> TrustedGenesis | None:
    """The genesis of the data folder, None where there is none. Raises `Rejected` where it is none."""
    path = local_genesis_path(session)
    return None if path is None else TrustedGenesis(load_toml(read_text(str(path))), path)


def trusted_genesis(session: Session, named: str) -> TrustedGenesis:
    """The genesis that was named, else the local one. Raises `Failure` where there is nothing to trust."""
    if named:
        return TrustedGenesis(load_toml(read_text(named)), Path(named))
    found = local_genesis(session)
    if found is None:
        message = f"nothing to trust: no genesis in {session.data}"
        fix = "--genesis names the file you got from somebody you trust; a node's own word is not enough"
        raise Failure(CliRefusal.NO_GENESIS, ExitStatus.NOT_FOUND, message, fix=fix)
    return found


def check_chain(trusted: TrustedGenesis | None, chain_id: str) -> None:
    """The node must be of the chain that is trusted here. Raises `Failure`."""
    if trusted is not None and trusted.chain_id.hex() != chain_id:
        ours = trusted.chain_id.hex()
        message = f"the node is of chain {chain_id[:16]}…, {trusted.path} is chain {ours[:16]}…"
        raise Failure(CliRefusal.OTHER_CHAIN, ExitStatus.CONFLICT, message, fix="--node or --data names the other one")


def basis_facts(trusted: TrustedGenesis, now_ms: int) -> dict[str, Any]:
    """LIGHT-3. On what a check rests, for programs: times in milliseconds, `recent` within the trusting period."""
    age_ms, period_ms = max(0, now_ms - trusted.genesis.started_ms), trusted.genesis.parameters.trusting_period_ms
    return {
        "kind": "genesis",
        "hash": trusted.chain_id.hex(),
        "age_ms": age_ms,
        "trusting_period_ms": period_ms,
        "recent": age_ms <= period_ms,
    }


def basis_words(trusted: TrustedGenesis, basis: dict[str, Any]) -> list[str]:
    """LIGHT-3. The same for people; genesis older than the trusting period is worth a sentence, not a refusal: whoever
    has the file for reasons of his own may follow from it."""
    lines = [f"{trusted.words} · checked by this process, not by the node"]
    if not basis["recent"]:
        age, period = basis["age_ms"] // HOUR_MS, basis["trusting_period_ms"] // HOUR_MS
        lines.append(
            f"genesis is {age} hours old, the trusting period is {period}: validators who left since then could"
        )
        lines.append("have sold their keys and signed another chain; compare the head with somebody you trust")
    return lines
