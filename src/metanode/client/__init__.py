"""The public Python SDK: typed calls over HTTP, transactions built and signed here, answers checked here."""

from metanode.client.client import Client
from metanode.client.failures import ClientError, DeadlinePassed, Unreachable

__all__ = ["Client", "ClientError", "DeadlinePassed", "Unreachable"]
