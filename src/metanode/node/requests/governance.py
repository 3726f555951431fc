"""What is put to the vote."""

from metanode.api.accounts import GovernanceGet, GovernanceList, ProposalPage, ProposalState, ProposalView
from metanode.api.errors import ApiRefusal
from metanode.api.plain import plain
from metanode.api.sentences import action_sentence
from metanode.ledger.queries import ProposalDetails, proposal_details, proposals_before
from metanode.node.desk import Desk
from metanode.node.requests.finding import read_number
from metanode.node.requests.words import glossary
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address


def proposal_state(outcome: str) -> ProposalState:
    """How a vote stands, by what the ledger remembers: passed from the approval on, failed where it was rejected, or
    could not be applied any more."""
    match outcome:
        case "":
            return "open"
        case "approved" | "applied":
            return "passed"
        case "expired":
            return "expired"
        case _:
            return "failed"


def _view(desk: Desk, details: ProposalDetails) -> ProposalView:
    proposal = details.proposal
    return ProposalView(
        proposal=details.number,
        proposer=show_address(proposal.proposer),
        action=plain(proposal.action),
        sentence=action_sentence(proposal.action, glossary(desk)),
        state=proposal_state(proposal.outcome),
        approvals=tuple(show_address(operator) for operator in proposal.approving),
        rejections=tuple(show_address(operator) for operator in proposal.opposing),
        needed=details.quorum,
        expires_ms=proposal.expires_ms,
        height=desk.tip.height,
    )


def governance_get(desk: Desk, asked: GovernanceGet) -> ProposalView:
    """One proposal."""
    details = proposal_details(desk.ledger, asked.proposal)
    if details is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no proposal {asked.proposal}")
    return _view(desk, details)


def governance_list(desk: Desk, asked: GovernanceList) -> ProposalPage:
    """Proposals, the latest first. They are numbered from 1 without a gap."""
    before = read_number(asked.cursor) if asked.cursor else 0
    items = tuple(_view(desk, details) for details in proposals_before(desk.ledger, before, asked.limit))
    return ProposalPage(items=items, next=str(items[-1].proposal) if items and items[-1].proposal > 1 else "")
