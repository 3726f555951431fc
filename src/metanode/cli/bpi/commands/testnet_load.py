"""`bpi testnet load`."""

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.commands.testnet import development_network
from metanode.cli.bpi.load import Crowd, Report, fund, run_load
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client
from metanode.host.entropy import random_bytes
from metanode.host.keys import DEVELOPMENT_PASSWORD, load_account


@leaf()
@click.option("--rate", type=click.IntRange(1, 20_000), default=100, show_default=True, help="Transactions a second.")
@click.option("--seconds", type=click.IntRange(1, 3_600), default=10, show_default=True)
@click.option("--senders", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Fresh accounts.")
@pass_session
def load(session: Session, rate: int, seconds: int, senders: int) -> ExitStatus | None:
    """Send transfers at a steady rate and tell how many became final, and how soon.

    Fresh senders are funded from the faucet first. Batches leave whatever the answers take; final is what the node's
    own events said. What was accepted and not seen final within 30 s counts as lost and ends with 20.
    """
    network = development_network(session)
    urls = [node.url for node in network.running]
    if not urls:
        raise Failure(CliRefusal.NOT_RUNNING, ExitStatus.CONFLICT, "no node runs", fix="bpi up")
    output = session.output
    with Client(urls[0], timeout_s=30.0) as client:
        crowd = Crowd.fresh(bytes.fromhex(client.node.status().chain_id), senders, random_bytes(32))
        output.note(f"funding {senders} fresh senders from the faucet")
        fund(client, load_account(network.accounts, "faucet", DEVELOPMENT_PASSWORD), crowd.addresses(), rate * seconds)
    output.note(f"sending {rate}/s for {seconds} s to {len(urls)} nodes")
    report = run_load(urls, crowd, rate, seconds)
    output.result("testnet.load/1", _data(report, rate, seconds, senders), lambda: _human(session, report))
    return ExitStatus.CONSENSUS if report.lost else None


def _data(report: Report, rate: int, seconds: int, senders: int) -> dict[str, object]:
    return {
        "rate": rate,
        "seconds": seconds,
        "senders": senders,
        "sent": report.sent,
        "refused": report.refused,
        "codes": report.codes,
        "final": report.final,
        "lost": report.lost,
        "final_per_second": round(report.final / report.took_s, 1),
        "p50_s": round(report.percentile(0.50), 3),
        "p95_s": round(report.percentile(0.95), 3),
        "p99_s": round(report.percentile(0.99), 3),
    }


def _human(session: Session, report: Report) -> None:
    line = session.output.line
    line(f"sent      {report.sent}")
    if report.refused:
        line(f"refused   {report.refused}: {', '.join(f'{code} {count}' for code, count in report.codes.items())}")
    line(f"final     {report.final} · {report.final / report.took_s:.0f} a second · lost {report.lost}")
    points = " · ".join(f"p{part} {report.percentile(part / 100):.2f} s" for part in (50, 95, 99))
    line(f"finality  {points}")
