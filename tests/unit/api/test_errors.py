"""Every code a caller can be told has an exit status, a rule and a fix."""

import re
from pathlib import Path

import pytest

from metanode.api.errors import EXPLANATIONS, ApiError, ApiRefusal, ErrorForm, error_form, explain
from metanode.api.exits import ExitStatus
from metanode.api.ledger_codes import CODES, REFUSED, ROOMS
from metanode.chain.light import LightRefusal
from metanode.chain.mempool import PoolRefusal
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.images import ImageRefusal, RegistryRefusal
from metanode.docklock.mesh.refusals import MeshRefusal
from metanode.host.agent.content import MISSING
from metanode.host.agent.engines import AgentRefusal
from metanode.host.agent.volumes import VolumeRefusal
from metanode.host.blobs import BlobRefusal
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.ledger import AdmissionRefusal, LedgerRefusal
from metanode.ledger.accounts import AccountsRefusal, AuthorityRefusal
from metanode.ledger.coin import CoinRefusal
from metanode.ledger.frame import WorkRefusal
from metanode.ledger.governance import GovernanceRefusal
from metanode.primitives.refusal import Refusal
from metanode.records.agent_request import RequestRefusal
from metanode.records.cluster import ClusterValueRefusal
from metanode.records.demand import DemandRefusal
from metanode.records.determinism import DeterminismRefusal
from metanode.records.secret import SecretRefusal
from metanode.records.workload import SpecRefusal

ROOT = Path(__file__).resolve().parents[3]
TOLD = (
    PoolRefusal,
    AdmissionRefusal,
    LedgerRefusal,
    AuthorityRefusal,
    AccountsRefusal,
    CoinRefusal,
    WorkRefusal,
    GovernanceRefusal,
    DemandRefusal,
    SpecRefusal,
    ClusterValueRefusal,
    ClusterRefusal,
    SecretRefusal,
    VolumeRefusal,
    RuntimeRefusal,
    MeshRefusal,
    AgentRefusal,
    RequestRefusal,
    ImageRefusal,
    RegistryRefusal,
    BlobRefusal,
    DeterminismRefusal,
)


@pytest.mark.parametrize("refusals", TOLD, ids=lambda r: r.__name__)
def test_every_code_of_pool_and_ledger_is_explained(refusals: type[Refusal]) -> None:
    assert [str(member) for member in refusals if str(member) not in CODES] == []


def test_no_code_is_explained_that_nobody_says() -> None:
    said = {str(member) for refusals in (*TOLD, LightRefusal) for member in refusals}
    assert sorted(set(CODES) - said - {MISSING}) == []


def test_every_code_of_this_room_is_explained() -> None:
    assert set(EXPLANATIONS) == {str(member) for member in ApiRefusal}


def test_every_explanation_cites_a_rule_that_is_listed() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "protocol").glob("*.md"))
    listed = set(re.findall(r"\*\*([A-Z]+-[A-Z]*\d+)\*\*", pages))
    cited = {e.rule for e in (*EXPLANATIONS.values(), *CODES.values(), *ROOMS.values(), REFUSED)}
    assert sorted(cited - listed) == []


def test_an_error_is_told_in_six_fields() -> None:
    assert error_form(ApiError("coin.insufficient", "holds 3, 4 are due")) == ErrorForm(
        code="coin.insufficient",
        exit=ExitStatus.INSUFFICIENT,
        message="holds 3, 4 are due",
        rule="LEDGER-C2",
        fix="lower the amount, or fund the account first",
        retryable=False,
    )
    assert error_form(ApiError("pool.full")).message == "pool.full"
    assert error_form(ApiError("pool.full", fix="offer 7 more")).fix == "offer 7 more"


def test_a_code_is_explained_by_itself_by_its_room_or_as_a_refused_transaction() -> None:
    assert explain("pool.expired").exit == ExitStatus.EXPIRED
    assert explain("light.commit").exit == ExitStatus.INVALID_PROOF
    assert explain("nobody.knows") == REFUSED


def test_what_a_cluster_refuses_ends_as_the_product_says() -> None:
    assert explain(ClusterRefusal.IMAGE_NOT_ADMITTED).exit == ExitStatus.DENIED_BY_POLICY
    assert explain(ClusterRefusal.QUOTA).exit == ExitStatus.INSUFFICIENT
    assert explain(ClusterRefusal.NOT_AN_OPERATOR).exit == ExitStatus.NOT_ALLOWED
    assert explain(ClusterRefusal.CIRCLE).exit == ExitStatus.CONFIGURATION
    assert explain(SpecRefusal.OTHER_TERMS).exit == ExitStatus.INVALID_PROOF
    assert {explain(member).exit for member in DemandRefusal} == {ExitStatus.CONFIGURATION}


@pytest.mark.parametrize(
    ("code", "exit_status", "http_status", "retryable"),
    [
        (ApiRefusal.MALFORMED, 2, 400, False),
        (ApiRefusal.INVALID_ARGUMENTS, 2, 400, False),
        (ApiRefusal.NOT_FOUND, 3, 404, False),
        (ApiRefusal.CONFLICT, 5, 409, False),
        (ApiRefusal.PRUNED, 30, 410, False),
        (ApiRefusal.BEYOND_HEAD, 3, 404, True),
        (ApiRefusal.UNAUTHENTICATED, 4, 401, False),
        (ApiRefusal.RATE_LIMITED, 60, 429, True),
        (ApiRefusal.TIMED_OUT, 61, 504, True),
        (ApiRefusal.UNREACHABLE, 60, 503, True),
        (ApiRefusal.ALREADY_KNOWN, 0, 200, False),
    ],
)
def test_exit_statuses_are_those_of_the_product(
    code: ApiRefusal, exit_status: int, http_status: int, *, retryable: bool
) -> None:
    meaning = explain(code)
    assert (meaning.exit, meaning.http_status, meaning.retryable) == (exit_status, http_status, retryable)
