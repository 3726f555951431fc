"""Accounts, coins and votes."""

from tests.unit.ledger.world import START_MS, address, key
from tests.unit.node.requests.world import Chain

from metanode.api.accounts import (
    AccountGet,
    AccountLine,
    AccountList,
    AccountPage,
    AccountView,
    Balance,
    CoinGet,
    CoinList,
    CoinPage,
    CoinView,
    GovernanceGet,
    GovernanceList,
    LaneView,
    ProposalPage,
    ProposalView,
)
from metanode.api.errors import ApiError, ApiRefusal
from metanode.node.requests.governance import proposal_state
from metanode.records.address import show_address
from metanode.records.calls import (
    AccountsGrantRole,
    AccountsSetPolicy,
    CoinDefine,
    CoinMint,
    CoinTransfer,
    GovernancePropose,
    GovernanceVote,
    SetParameter,
)
from metanode.records.parameters import Parameters

ALICE, BOB, CAROL = (show_address(address(name)) for name in ("alice", "bob", "carol"))
STRANGER = show_address(address("stranger"))


def pay(name: str, amount: int) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address(name), amount=bytes([amount]))


def gold_chain() -> Chain:
    """Alice has defined a coin without decimals and minted 30 for Bob."""
    chain = Chain()
    define = CoinDefine(coin="GOLD", decimals=0, supply_max=b"\x64", minters=(address("alice"),))
    mint = CoinMint(coin="GOLD", to=address("bob"), amount=b"\x1e")
    chain.final(chain.transaction("alice", define, mint))
    return chain


def test_an_account_by_name_and_by_address() -> None:
    chain = gold_chain()
    two = tuple(sorted((key("bob"), key("x"))))
    chain.final(chain.transaction("bob", AccountsSetPolicy(keys=two, threshold=2), lane=3))
    expected = AccountView(
        address=BOB,
        name="bob",
        exists=True,
        keys=tuple(k.hex() for k in two),
        threshold=2,
        roles=(),
        lanes=(
            LaneView(lane=0, next_nonce=0, next_nonce_pooled=0),
            LaneView(lane=3, next_nonce=1, next_nonce_pooled=1),
        ),
        balances=(
            Balance(coin="BPI", amount="1000", decimals=2),
            Balance(coin="GOLD", amount="30", decimals=0),
        ),
        height=2,
    )
    assert chain.ask("account.get", AccountGet(account="bob")) == expected
    assert chain.ask("account.get", AccountGet(account=BOB)) == expected


def test_nonces_of_final_state_and_of_what_waits() -> None:
    chain = Chain()
    chain.final(chain.transaction("alice", pay("bob", 1)))
    waiting = [
        chain.transaction("alice", pay("bob", 2), nonce=1),
        chain.transaction("alice", pay("bob", 3), nonce=2),
        chain.transaction("alice", pay("bob", 4), nonce=9),
        chain.transaction("alice", pay("bob", 5), lane=2),
    ]
    chain.wait_in_pool(*waiting)
    view = chain.ask("account.get", AccountGet(account="alice"))
    assert view.lanes == (
        LaneView(lane=0, next_nonce=1, next_nonce_pooled=3),
        LaneView(lane=2, next_nonce=0, next_nonce_pooled=1),
    )
    assert view.roles == ("root",)
    assert view.keys == (key("alice").hex(),)


def test_an_address_nobody_credited_is_empty() -> None:
    assert Chain().ask("account.get", AccountGet(account=STRANGER)) == AccountView(
        address=STRANGER,
        name="",
        exists=False,
        keys=(),
        threshold=1,
        roles=(),
        lanes=(LaneView(lane=0, next_nonce=0, next_nonce_pooled=0),),
        balances=(),
        height=0,
    )


def test_an_account_nobody_knows() -> None:
    chain = Chain()
    assert chain.ask("account.get", AccountGet(account="mallory")) == ApiError(
        ApiRefusal.NOT_FOUND, "genesis names no account 'mallory'"
    )
    mistyped = ALICE[:-1] + ("q" if ALICE[-1] != "q" else "p")
    assert chain.ask("account.get", AccountGet(account=mistyped)) == ApiError(
        ApiRefusal.INVALID_ARGUMENTS, f"account {mistyped!r}: mistyped"
    )


def test_accounts_page_by_page() -> None:
    chain = Chain()
    chain.final(chain.transaction("alice", pay("stranger", 5)))
    pages: list[AccountPage] = []
    cursor = ""
    while not pages or cursor:
        pages.append(chain.ask("account.list", AccountList(cursor=cursor, limit=3)))
        cursor = pages[-1].next
    lines = [line for page in pages for line in page.items]
    known = {"alice": 995, "bob": 1000, "carol": 0, "stranger": 5, **{f"operator-{n}": 0 for n in range(4)}}
    expected = [
        AccountLine(
            address=show_address(address(name)),
            name="" if name == "stranger" else name,
            coin="BPI",
            amount=str(known[name]),
        )
        for name in sorted(known, key=address)
    ]
    assert lines == expected
    assert [len(page.items) for page in pages] == [3, 3, 2]


def test_holders_of_a_coin() -> None:
    chain = gold_chain()
    assert chain.ask("account.list", AccountList(coin="GOLD")) == AccountPage(
        items=(AccountLine(address=BOB, name="bob", coin="GOLD", amount="30"),), next="", height=1
    )
    first = chain.ask("account.list", AccountList(coin="BPI", limit=1))
    second = chain.ask("account.list", AccountList(coin="BPI", limit=1, cursor=first.next))
    assert sorted(line.name for page in (first, second) for line in page.items) == ["alice", "bob"]
    assert chain.ask("account.list", AccountList(coin="TIN")) == ApiError(ApiRefusal.NOT_FOUND, "no coin 'TIN'")


def test_a_cursor_of_another_list_is_refused() -> None:
    for cursor in ("12", "z" * 40, "12:3"):
        assert Chain().ask("account.list", AccountList(cursor=cursor)).code == ApiRefusal.INVALID_ARGUMENTS
    assert Chain().ask("governance.list", GovernanceList(cursor="x")) == ApiError(
        ApiRefusal.INVALID_ARGUMENTS, "cursor 'x' is not a number"
    )


def test_coins() -> None:
    chain = gold_chain()
    fee_coin = CoinView(
        coin="BPI",
        decimals=2,
        issuer=ALICE,
        minters=(ALICE,),
        supply="2000",
        supply_max="5000",
        fee_coin=True,
        height=1,
    )
    gold = CoinView(
        coin="GOLD", decimals=0, issuer=ALICE, minters=(ALICE,), supply="30", supply_max="100", fee_coin=False, height=1
    )
    assert chain.ask("coin.get", CoinGet(coin="GOLD")) == gold
    assert chain.ask("coin.list", CoinList()) == CoinPage(items=(fee_coin, gold), next="")
    assert chain.ask("coin.list", CoinList(limit=1)) == CoinPage(items=(fee_coin,), next="BPI")
    assert chain.ask("coin.list", CoinList(limit=1, cursor="BPI")) == CoinPage(items=(gold,), next="")
    assert chain.ask("coin.get", CoinGet(coin="TIN")) == ApiError(ApiRefusal.NOT_FOUND, "no coin 'TIN'")


def test_proposals_the_latest_first() -> None:
    chain = Chain()
    slower = SetParameter(name="block_period_ms", value=500)
    chain.vote_in(slower)
    faster = SetParameter(name="block_period_ms", value=100)
    chain.final(chain.transaction("operator-2", GovernancePropose(action=faster)))
    chain.final(chain.transaction("operator-1", GovernanceVote(proposal=2, approve=False)))
    operators = [show_address(address(f"operator-{n}")) for n in range(4)]
    period = Parameters().proposal_period_ms
    passed = ProposalView(
        proposal=1,
        proposer=operators[0],
        action={"type": "set-parameter", "name": "block_period_ms", "value": 500},
        sentence="set parameter block_period_ms to 500",
        state="passed",
        approvals=tuple(operators[:3]),
        rejections=(),
        needed=3,
        expires_ms=START_MS + 1_000 + period,
        height=4,
    )
    still_open = ProposalView(
        proposal=2,
        proposer=operators[2],
        action={"type": "set-parameter", "name": "block_period_ms", "value": 100},
        sentence="set parameter block_period_ms to 100",
        state="open",
        approvals=(operators[2],),
        rejections=(operators[1],),
        needed=3,
        expires_ms=START_MS + 3_000 + period,
        height=4,
    )
    assert chain.ask("governance.list", GovernanceList()) == ProposalPage(items=(still_open, passed), next="")
    assert chain.ask("governance.list", GovernanceList(limit=1)) == ProposalPage(items=(still_open,), next="2")
    assert chain.ask("governance.list", GovernanceList(limit=1, cursor="2")) == ProposalPage(items=(passed,), next="")
    assert chain.ask("governance.get", GovernanceGet(proposal=1)) == passed
    assert chain.ask("governance.get", GovernanceGet(proposal=3)) == ApiError(ApiRefusal.NOT_FOUND, "no proposal 3")


def test_how_votes_stand() -> None:
    outcomes = ("", "approved", "applied", "rejected", "void governance.unknown-validator", "expired")
    assert [proposal_state(outcome) for outcome in outcomes] == [
        "open",
        "passed",
        "passed",
        "failed",
        "failed",
        "expired",
    ]


def test_a_role_is_shown() -> None:
    chain = Chain()
    chain.final(chain.transaction("alice", AccountsGrantRole(account=address("carol"), role="auditor")))
    assert chain.ask("account.get", AccountGet(account="carol")).roles == ("auditor",)
