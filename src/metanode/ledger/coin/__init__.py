"""Coins: definitions, supplies, balances. Σ holdings = supply, always."""

from metanode.ledger.coin.module import COIN, CoinRefusal
from metanode.ledger.coin.state import CoinDefinition, balance_key, supply_key

__all__ = ["COIN", "CoinDefinition", "CoinRefusal", "balance_key", "supply_key"]
