"""`bpi doctor`."""

from dataclasses import asdict

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.checks import Check, machine_checks, network_checks, skew_check
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.reach import node_url
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session

STYLES = {"pass": "good", "warn": "warning", "fail": "bad"}
"""Of the verdicts."""


@leaf()
@pass_session
def doctor(session: Session) -> ExitStatus | None:
    """Look for what could go wrong: clock, disk, ports, versions, limits, keys, nodes.

    Each line is pass, warn or fail, with what would help. A fail ends with 52.
    """
    network = LocalNetwork(session.data)
    checks = list(machine_checks(session.data))
    if network.is_there:
        checks += network_checks(network)
    if network.running or session.configuration.setting("node").origin != "default":
        checks.append(skew_check(node_url(session)))
    failed = sum(check.verdict == "fail" for check in checks)
    data = {"ok": not failed, "checks": [asdict(check) for check in checks]}
    session.output.result("doctor/1", data, lambda: _human(session, checks))
    return ExitStatus.TEST_FAILED if failed else None


def _human(session: Session, checks: list[Check]) -> None:
    output = session.output
    width = max(len(check.name) for check in checks)
    for check in checks:
        verdict = output.styled(check.verdict, STYLES[check.verdict])
        output.line(f"{verdict}  {check.name:<{width}}  {check.seen}" + (f" · fix: {check.fix}" if check.fix else ""))
