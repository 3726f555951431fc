"""Accounts: who may speak for them, what they hold, which nonces are next."""

from metanode.api.accounts import (
    AccountGet,
    AccountLine,
    AccountList,
    AccountPage,
    AccountView,
    Balance,
    LaneView,
)
from metanode.api.errors import ApiRefusal
from metanode.api.shapes import PAGE_MAX
from metanode.chain.mempool import Mempool
from metanode.ledger.queries import (
    AccountDetails,
    account_details,
    accounts_after,
    balance,
    coin_details,
    holders_after,
)
from metanode.node.desk import Desk
from metanode.node.requests.finding import account_named, account_names
from metanode.primitives.names import Address
from metanode.primitives.refusal import Rejected
from metanode.records.address import ADDRESS_BYTES, show_address


def _lanes(details: AccountDetails, pooled: dict[int, int]) -> tuple[LaneView, ...]:
    """Lane 0, and every other that was used or in which something waits."""
    final = dict(enumerate(details.nonces))
    lanes = sorted({0: 0, **{lane: 0 for lane, nonce in final.items() if nonce}, **pooled})
    return tuple(
        LaneView(lane=lane, next_nonce=final.get(lane, 0), next_nonce_pooled=pooled.get(lane, final.get(lane, 0)))
        for lane in lanes
    )


def account_get(desk: Desk, pool: Mempool, asked: AccountGet) -> AccountView:
    """HTTP-22. One account: at most `PAGE_MAX` balances are shown. An address nobody credited has an empty one."""
    address = account_named(desk, asked.account)
    details = account_details(desk.ledger, address, PAGE_MAX)
    balances = []
    for holding in details.holdings:
        coin = coin_details(desk.ledger, holding.coin)
        assert coin is not None, "nobody holds what was never defined"
        balances.append(Balance(coin=holding.coin, amount=str(holding.amount), decimals=coin.decimals))
    return AccountView(
        address=show_address(address),
        name=account_names(desk).get(address, ""),
        exists=details.exists,
        keys=tuple(key.hex() for key in details.keys or _genesis_keys(desk, address)),
        threshold=details.threshold,
        roles=details.roles,
        lanes=_lanes(details, pool.next_nonces(address)),
        balances=tuple(balances),
        height=desk.tip.height,
    )


def _genesis_keys(desk: Desk, address: Address) -> tuple[bytes, ...]:
    """The key an address was made of, where genesis tells it; the state need not keep it."""
    for account in desk.genesis.accounts:
        if account.address == address:
            return account.keys
    return ()


def _after(cursor: str) -> bytes:
    """The address a page goes on after. Raises `Rejected` with `INVALID_ARGUMENTS`."""
    if not cursor:
        return b""
    if len(cursor) != 2 * ADDRESS_BYTES or any(character not in "0123456789abcdef" for character in cursor):
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, f"cursor {cursor!r} is not of this list")
    return bytes.fromhex(cursor)


def account_list(desk: Desk, asked: AccountList) -> AccountPage:
    """Accounts by address, all or those holding a coin. A page of holders may end early and still have a next one."""
    coin = asked.coin or desk.genesis.fee_coin
    after = _after(asked.cursor)
    if asked.coin:
        if coin_details(desk.ledger, coin) is None:
            raise Rejected(ApiRefusal.NOT_FOUND, f"no coin {coin!r}")
        page = holders_after(desk.ledger, coin, after, asked.limit)
        amounts = [(holding.address, holding.amount) for holding in page.holders]
        following = page.next_after
    else:
        addresses = accounts_after(desk.ledger, after, asked.limit + 1)
        following = addresses[asked.limit - 1] if len(addresses) > asked.limit else b""
        amounts = [(address, balance(desk.ledger, address, coin)) for address in addresses[: asked.limit]]
    names = account_names(desk)
    return AccountPage(
        items=tuple(
            AccountLine(address=show_address(address), name=names.get(address, ""), coin=coin, amount=str(amount))
            for address, amount in amounts
        ),
        next=following.hex(),
        height=desk.tip.height,
    )
