"""Coins and their supplies."""

from metanode.api.accounts import CoinGet, CoinList, CoinPage, CoinView
from metanode.api.errors import ApiRefusal
from metanode.ledger.queries import CoinDetails, coin_details, coins_after
from metanode.node.desk import Desk
from metanode.primitives.refusal import Rejected
from metanode.records.address import show_address


def _view(desk: Desk, details: CoinDetails) -> CoinView:
    return CoinView(
        coin=details.coin,
        decimals=details.decimals,
        issuer=show_address(details.issuer),
        minters=tuple(show_address(minter) for minter in details.minters),
        supply=str(details.supply),
        supply_max=str(details.supply_max),
        fee_coin=details.coin == desk.genesis.fee_coin,
        height=desk.tip.height,
    )


def coin_get(desk: Desk, asked: CoinGet) -> CoinView:
    """One coin."""
    details = coin_details(desk.ledger, asked.coin)
    if details is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no coin {asked.coin!r}")
    return _view(desk, details)


def coin_list(desk: Desk, asked: CoinList) -> CoinPage:
    """Coins by name."""
    found = coins_after(desk.ledger, asked.cursor, asked.limit + 1)
    return CoinPage(
        items=tuple(_view(desk, details) for details in found[: asked.limit]),
        next=found[asked.limit - 1].coin if len(found) > asked.limit else "",
    )
