"""Metanode: services in containers, decided by a BFT committee, with receipts that prove themselves."""
