"""`bpi forensics`."""

from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.guilt import MEANINGS, shown_words, write_file
from metanode.cli.bpi.offline import genesis_option, invalid
from metanode.cli.bpi.showing import short
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.files import read_bytes
from metanode.cli.session import Session, pass_session


@leaf()
@click.argument("files", nargs=-1, required=True, metavar="TESTIMONY…")
@genesis_option()
@click.option("-o", "--output", "target", default="", metavar="FOLDER", help="Write a proof for each who is guilty.")
@pass_session
def forensics(session: Session, files: tuple[str, ...], genesis_file: str, target: str) -> ExitStatus | None:
    """Name who made two headers of one height final, from what nodes of both sides kept; no node is asked.

    Each file is what bpi evidence testimony wrote: a header and its certificate, and the votes and justifications of
    that height. At least f + 1 validators are named, each with a proof that convicts by itself, or it is said what is
    missing and who must have it; that ends with 30.
    """
    from metanode.chain.forensics import investigate
    from metanode.client.verify import GenesisBasis, hear_testimony
    from metanode.primitives.refusal import Rejected

    trusted = trusted_genesis(session, genesis_file)
    session.output.line(trusted.words)
    heard = []
    for name in files:
        try:
            heard.append(hear_testimony(read_bytes(name), GenesisBasis(trusted.genesis)))
        except Rejected as rejected:
            raise invalid(name, rejected) from None
    try:
        findings = investigate(_material(heard))
    except Rejected as rejected:
        raise invalid(" ".join(files), rejected) from None
    written = _write(heard[0], findings, Path(target)) if target else {}
    facts = _facts(heard, findings, written)
    session.output.result("forensics/1", facts, lambda: _human(session, heard, findings, facts))
    return None if findings.enough else ExitStatus.DATA_UNAVAILABLE


def _material(heard: list[Any]) -> Any:
    """All of it together. Raises `Rejected` where the testimonies are of different heights or sets."""
    from metanode.chain.forensics import ForensicsRefusal, Material
    from metanode.primitives.refusal import Rejected

    first = heard[0]
    for other in heard:
        if (other.commit.height, other.validators.hash) != (first.commit.height, first.validators.hash):
            detail = f"heights {first.commit.height} and {other.commit.height}, or different sets: ask for one height"
            raise Rejected(ForensicsRefusal.NO_FORK, detail)
    return Material(
        chain_id=first.chain_id,
        validators=first.validators,
        certificates=tuple((one.header, one.commit) for one in heard),
        votes=tuple(vote for one in heard for vote in one.votes),
        justifications=tuple(why for one in heard for why in one.justifications),
    )


def _write(heard: Any, findings: Any, folder: Path) -> dict[int, str]:
    """A file a proof; one proof may convict several. The name of the file by seat."""
    from metanode.primitives.codec import encode
    from metanode.records.evidence import evidence_digest
    from metanode.records.evidence_file import evidence_file

    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for seat, evidence in findings.proofs:
        path = folder / f"{evidence_digest(evidence).hex()[:16]}.evidence"
        write_file(path, encode(evidence_file(heard.chain_id, heard.set_changes, evidence)))
        written[seat] = str(path)
    return written


def _facts(heard: list[Any], findings: Any, written: dict[int, str]) -> dict[str, Any]:
    from metanode.records.vote import NO_ROUND

    validators = heard[0].validators
    return {
        "enough": findings.enough,
        "height": findings.first.height,
        "needed": findings.needed,
        "certificates": [
            {"round": commit.round, "header": commit.header_hash.hex()} for commit in (findings.first, findings.second)
        ],
        "guilty": [
            {
                "seat": seat,
                "name": validators[seat].name,
                "vote_key": validators[seat].vote_key.hex(),
                "kind": str(evidence.__struct_config__.tag),
                "shows": list(shown_words(evidence)),
                "file": written.get(seat, ""),
            }
            for seat, evidence in findings.proofs
        ],
        "way_down": [
            {"round": link.round, "prepared_round": None if link.prepared_round == NO_ROUND else link.prepared_round}
            for link in findings.links
        ],
        "missing": [
            {
                "round": gap.round,
                "header": gap.header_hash.hex(),
                "held_by": [validators[seat].name for seat in gap.seats],
            }
            for gap in findings.missing
        ],
        "doubtful": sum(one.doubtful for one in heard),
    }


def _human(session: Session, heard: list[Any], findings: Any, facts: dict[str, Any]) -> None:
    line, styled = session.output.line, session.output.styled
    line(f"height    {facts['height']} · {len(heard[0].validators)} validators, {facts['needed']} must have lied")
    for certificate in facts["certificates"]:
        line(f"final     {short(certificate['header'], 16)} · round {certificate['round']}")
    for step in facts["way_down"]:
        shown = step["prepared_round"]
        on = "nothing prepared" if shown is None else f"a certificate of round {shown}"
        line(f"because   the second was proposed in round {step['round']} on {on}")
    for one in facts["guilty"]:
        line(f"{styled('guilty', 'bad')}    {one['name']} (seat {one['seat']}): {MEANINGS[one['kind']]}")
        for words in one["shows"]:
            line(f"          {words}")
        if one["file"]:
            line(f"          {one['file']}")
    for gap in facts["missing"]:
        line(f"missing   why {short(gap['header'], 16)} was proposed in round {gap['round']}: a testimony of one of")
        line(f"          {', '.join(gap['held_by'])}, who signed for that proposal and had it")
    if facts["doubtful"]:
        line(f"left out  {facts['doubtful']} votes and justifications that nobody signed")
    if findings.enough:
        line(f"{styled('NAMED', 'good')}  {len(facts['guilty'])} of at least {facts['needed']}")
    else:
        line(f"{styled('NOT ENOUGH', 'warning')}  {len(facts['guilty'])} named, {facts['needed']} must have lied")
