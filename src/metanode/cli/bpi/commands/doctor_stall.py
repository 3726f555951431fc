"""`bpi doctor stall`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.completing import files as complete_files
from metanode.cli.bpi.guilt import write_file
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.offline import genesis_option, invalid
from metanode.cli.bpi.reach import connect, node_url
from metanode.cli.bpi.trust import TrustedGenesis, trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session, pass_session

RECENT: Final = 50
"""Blocks that are looked through for heights that needed more than one round."""


@dataclass(slots=True)
class Brought:
    """What nodes told, or files: the name of each node or file, its bytes, and what they mean. `silent`: who did not
    answer, and the code."""

    sources: list[str] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)

    def add(self, source: str, data: bytes, trusted: TrustedGenesis) -> None:
        """Check and keep a transcript. Raises `Failure` with 21 where it does not hold."""
        from metanode.client.verify import GenesisBasis, hear_transcript
        from metanode.primitives.refusal import Rejected

        try:
            self.told.append(hear_transcript(data, GenesisBasis(trusted.genesis)))
        except Rejected as rejected:
            raise invalid(source, rejected) from None
        self.sources.append(source)
        self.files.append(data)


@leaf()
@click.argument("files", nargs=-1, metavar="[TRANSCRIPT…]", shell_complete=complete_files)
@click.option("--height", type=click.IntRange(1), default=None, help="A height of the past; by default the open one.")
@click.option("--url", "urls", multiple=True, metavar="URL", help="Ask this node; once for each of several.")
@genesis_option()
@click.option("-o", "--output", "target", default="", metavar="FOLDER", help="Write what each node told, and proofs.")
@pass_session
def stall(
    session: Session, files: tuple[str, ...], height: int | None, urls: tuple[str, ...], genesis_file: str, target: str
) -> ExitStatus | None:
    """Tell why a height needed more rounds, or stands still now: who was silent, slow, cut off, behind, lying.

    Asks every node of the local network, or those of --url, for the words that validators signed, and checks each word
    here. More nodes tell more: only two sides show a partition. With files, written by -o, no node is asked. A height
    that stands still ends with 20, one of which nobody kept anything with 30.
    """
    from metanode.chain.stall import Cause, explain
    from metanode.cli.bpi.stalling import facts_of
    from metanode.primitives.refusal import Rejected

    if files and (urls or height):
        message = "either files or nodes: --url and --height ask nodes"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="bpi doctor stall --help")
    trusted = trusted_genesis(session, genesis_file)
    session.output.line(trusted.words)
    brought = Brought()
    if files:
        for name in files:
            brought.add(name, read_bytes(name), trusted)
    else:
        _ask(session, urls or _all_urls(session), height or 0, trusted, brought)
    try:
        explained = explain(brought.told)
    except Rejected as rejected:
        raise invalid(" ".join(brought.sources), rejected) from None
    development = trusted.genesis.development
    written = _write(brought, explained, Path(target)) if target else {}
    recent = _recent(session, brought) if not files and not height and explained.cause is Cause.NONE else []
    facts = facts_of(explained, written, development=development) | {
        "asked": [_asked(source, told) for source, told in zip(brought.sources, brought.told, strict=True)],
        "silent": brought.silent,
        "written": list(written.values()),
        "recent": recent,
    }
    session.output.result("doctor.stall/1", facts, lambda: _human(session, explained, facts, brought))
    if explained.cause is Cause.UNKNOWN:
        return ExitStatus.DATA_UNAVAILABLE
    return ExitStatus.CONSENSUS if explained.stands_still else None


def _all_urls(session: Session) -> tuple[str, ...]:
    """Every node of the local network, unless one was named."""
    network = LocalNetwork(session.data)
    if network.is_there and session.configuration.setting("node").origin == "default":
        return tuple(node.url for node in network.nodes)
    return (node_url(session),)


def _ask(session: Session, urls: tuple[str, ...], height: int, trusted: TrustedGenesis, brought: Brought) -> None:
    """A transcript of each node; where some are a height further than others, of that height by all who have begun it.
    Raises the last `ClientError` where none answers."""
    from metanode.client import ClientError

    heights: dict[str, int] = {}
    failed: ClientError | None = None
    for url in urls:
        try:
            with connect(session, url, 5.0) as client:
                heights[url] = height or client.evidence.transcript(0).height
        except ClientError as error:
            failed, brought.silent[url] = error, error.code
    wanted = max(heights.values(), default=0)
    for url, own in heights.items():
        try:
            with connect(session, url, 10.0) as client:
                view = client.evidence.transcript(_reachable(client.node.status().height, own, wanted))
        except ClientError as error:
            failed, brought.silent[url] = error, error.code
            continue
        brought.add(url, bytes.fromhex(view.file), trusted)
    if not brought.told and failed is not None:
        raise failed


def _reachable(tip: int, own: int, wanted: int) -> int:
    """The height that all are asked for, or a node's own open one where it is not so far."""
    return wanted if wanted <= tip + 1 else max(own, tip + 1)


def _asked(source: str, told: Any) -> dict[str, Any]:
    """What a node says of itself: not proved."""
    return {
        "source": source,
        "node": told.said.node,
        "height": told.height,
        "round": told.said.round,
        "votes": len(told.votes),
        "complete": told.complete,
        "since_ms": told.said.notes.began_ms,
        "at_ms": told.said.at_ms,
    }


def _recent(session: Session, brought: Brought) -> list[dict[str, int]]:
    """Heights among the last ones that needed more than one round, the latest first."""
    from metanode.client import ClientError

    try:
        with connect(session, brought.sources[0]) as client:
            items = client.block.list(limit=RECENT).items
    except ClientError:
        return []
    return [{"height": item.height, "round": item.round} for item in items if item.round]


def _write(brought: Brought, explained: Any, folder: Path) -> dict[int, str]:
    """What each node told, and a proof for each who lied; the names of the proofs by seat."""
    from metanode.primitives.codec import encode
    from metanode.records.evidence import evidence_digest
    from metanode.records.evidence_file import evidence_file

    folder.mkdir(parents=True, exist_ok=True)
    for data, told in zip(brought.files, brought.told, strict=True):
        write_file(folder / f"{Path(told.said.node).name}-{told.height}.transcript", data)
    written: dict[int, str] = {}
    first = explained.case.told[0]
    for finding in explained.findings:
        for evidence in finding.evidence:
            path = folder / f"{evidence_digest(evidence).hex()[:16]}.evidence"
            write_file(path, encode(evidence_file(first.chain_id, first.set_changes, evidence)))
            written[finding.seat] = str(path)
    return written


def _human(session: Session, explained: Any, facts: dict[str, Any], brought: Brought) -> None:
    from metanode.cli.bpi.stalling import round_words, seat_words

    line, styled = session.output.line, session.output.styled
    case = explained.case
    for told in brought.told:
        kept = f"{len(told.votes)} signed votes, each checked here"
        whole = "" if told.complete else " (it has more: these are the latest rounds)"
        line(f"asked     {told.said.node} · height {told.height} · {kept}{whole}")
    for url, code in brought.silent.items():
        line(f"asked     {url} · no transcript ({code})")
    if case.round:
        shown = f"round {case.decided} made it final" if case.decided >= 0 else f"it is in round {case.round}"
        line(f"height    {case.height} · {len(case.validators)} validators, quorum {case.validators.quorum} · {shown}")
    for story in explained.rounds:
        line(f"round     {round_words(explained, story)}")
    for finding in explained.findings:
        line(f"seat {finding.seat:<4} {seat_words(explained, finding)}")
    for one in facts["seats"]:
        for words in one["shows"]:
            line(f"          {words}")
    for one in facts["recent"]:
        height, rounds = one["height"], one["round"] + 1
        line(f"earlier   height {height} needed {rounds} rounds: bpi doctor stall --height {height}")
    style = "bad" if explained.stands_still else "warning" if case.round else "good"
    word = "STALLED" if explained.stands_still else "EXPLAINED" if case.round else "WELL"
    line(f"{styled(word, style)}  {facts['sentence']}{' · next: ' + facts['next_step'] if facts['next_step'] else ''}")
