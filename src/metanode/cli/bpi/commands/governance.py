"""`bpi governance …`: what validators' operators decide together."""

from dataclasses import replace
from typing import Any

import click

from metanode.api.accounts import ProposalView
from metanode.api.exits import ExitStatus
from metanode.api.transactions import TransactionStatus
from metanode.cli.bpi.keys import accounts_folder
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import as_data, instant
from metanode.cli.bpi.validator_file import read_validator
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.host.keys import list_accounts
from metanode.records.address import address_of_key, show_address
from metanode.records.calls import (
    Action,
    AddValidator,
    GovernancePropose,
    GovernanceVote,
    RemoveValidator,
    RotateKeys,
    SetParameter,
    SetRulesVersion,
)

ACTIONS = {
    "set-parameter": ("NAME", "VALUE"),
    "add-validator": ("FILE",),
    "remove-validator": ("NAME",),
    "rotate-keys": ("FILE",),
    "set-rules-version": ("VERSION", "HEIGHT"),
}
"""What can be proposed, and what it needs."""


@leaf()
@click.argument("action", type=click.Choice(list(ACTIONS)))
@click.argument("arguments", nargs=-1)
@sending
@pass_session
def propose(session: Session, action: str, arguments: tuple[str, ...], how: How) -> ExitStatus | None:
    """Put an action to the vote, as a validator's operator; the proposal is its first approval.

    \b
    set-parameter NAME VALUE         block_period_ms 100
    add-validator FILE               validator.toml of bpi node init
    remove-validator NAME
    rotate-keys FILE                 validator.toml with the new keys
    set-rules-version VERSION HEIGHT
    """  # noqa: D301 - click's mark for lines that stay as they are
    due = ACTIONS[action]
    if len(arguments) != len(due):
        message = f"{action} takes {' '.join(due)}"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="see bpi governance propose --help")
    chosen = _action(action, arguments)
    desk = Sending(session, _as_operator(session, how))

    def after(status: TransactionStatus) -> tuple[dict[str, Any], list[str]]:
        events = desk.client.receipt.get(status.identity).events
        number = next(event["proposal"] for event in events if event["type"] == "governance.proposed")
        view = desk.client.governance.get(number)
        return {"proposal": number}, [f"proposal {number} · {_standing(view)}   try:  bpi governance vote {number}"]

    return desk.send(GovernancePropose(action=chosen), after=after)


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        message = f"{what}: {text!r} is no whole number"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="see bpi governance propose --help")
    return int(text)


def _action(action: str, arguments: tuple[str, ...]) -> Action:
    match action:
        case "set-parameter":
            return SetParameter(name=arguments[0], value=_number(arguments[1], "VALUE"))
        case "remove-validator":
            return RemoveValidator(name=arguments[0])
        case "set-rules-version":
            return SetRulesVersion(version=_number(arguments[0], "VERSION"), height=_number(arguments[1], "HEIGHT"))
        case "add-validator":
            validator = read_validator(arguments[0])
            return AddValidator(**{name: getattr(validator, name) for name in AddValidator.__struct_fields__})
        case _:
            validator = read_validator(arguments[0])
            return RotateKeys(**{name: getattr(validator, name) for name in RotateKeys.__struct_fields__})


def _as_operator(session: Session, how: How, voted: tuple[str, ...] = ()) -> How:
    """The same with an account: where none is named, a validator's operator whose key is here and who has not voted."""
    if how.account or session.setting("account"):
        return how
    with connect(session) as client:
        operators = {seat.operator for seat in client.validator.list().items} - set(voted)
    for account in list_accounts(accounts_folder(session)):
        if show_address(address_of_key(account.file.public_key)) in operators:
            return replace(how, account=account.name)
    message = "no key of a validator's operator is here" + (" that has not voted yet" if voted else "")
    raise Failure(
        CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND, message, fix="--account names the operator's account"
    )


@leaf()
@click.argument("proposal", type=click.IntRange(0))
@click.option("--approve/--reject", default=True, help="Approve by default.")
@sending
@pass_session
def vote(session: Session, proposal: int, approve: bool, how: How) -> ExitStatus | None:  # noqa: FBT001
    """Vote on a proposal, as a validator's operator."""
    with connect(session) as client:
        view = client.governance.get(proposal)
    session.output.note(f"proposal {proposal}: {view.sentence}")
    desk = Sending(session, _as_operator(session, how, (*view.approvals, *view.rejections)))

    def after(_: TransactionStatus) -> tuple[dict[str, Any], list[str]]:
        seen = desk.client.governance.get(proposal)
        return {"proposal": proposal, "proposal_state": seen.state}, [f"proposal {proposal} · {_standing(seen)}"]

    return desk.send(GovernanceVote(proposal=proposal, approve=approve), after=after)


def _standing(view: ProposalView) -> str:
    of = f" of {view.needed}" if view.state == "open" else ""
    return f"{view.state} · {len(view.approvals)}{of} approvals"


@leaf()
@click.argument("proposal", required=False, type=click.IntRange(0))
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@pass_session
def show(session: Session, proposal: int | None, limit: int) -> None:
    """Show a proposal and its votes; all of them, the latest first, where none is named."""
    with connect(session) as client:
        if proposal is None:
            page = client.governance.list(limit=limit)
            rows = [(v.proposal, v.state, f"{len(v.approvals)}/{v.needed}", v.sentence) for v in page.items]
            columns = ("proposal", "state", "approvals", "asks to")
            session.output.result(
                "proposal.list/1", as_data(page), lambda: session.output.table(columns, rows, "no proposal yet")
            )
            return
        view = client.governance.get(proposal)

    def human() -> None:
        line = session.output.line
        line(f"proposal    {view.proposal}: {view.sentence}")
        line(f"state       {_standing(view)} · expires {instant(view.expires_ms)}")
        line(f"proposer    {view.proposer}")
        for voter in view.approvals:
            line(f"approves    {voter}")
        for voter in view.rejections:
            line(f"rejects     {voter}")

    session.output.result("proposal/1", as_data(view), human)
