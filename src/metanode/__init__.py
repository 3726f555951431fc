"""Metanode: services in containers, decided by a BFT committee, with receipts that prove themselves."""

__version__ = "0.1.0"
"""The version of the program. Protocol, rules and directory formats have versions of their own."""
