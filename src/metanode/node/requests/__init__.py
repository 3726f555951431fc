"""Questions from the public port: every method of the API table, answered out of what is final here."""

from metanode.node.requests.answering import answer, submit

__all__ = ["answer", "submit"]
