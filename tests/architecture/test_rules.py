"""Numbered rules: what the protocol pages list is what the code cites, neither more nor less."""

import re
from collections import Counter

from tests.architecture.source import MODULES, ROOT, docstring_text, tree

PREFIXES = (
    "BYTES", "BLS", "IBFT", "GUARD", "POOL", "PROP", "SYNC", "LIGHT", "EVID", "LEDGER", "STATE", "BPCI", "GEN", "HTTP",
    "DISK", "CHAIN", "FORK", "STALL", "COMPOSE", "PLACE", "WREC", "IMG", "RUN",
    "CLUSTER", "AGENT", "MESH", "DOCKER", "KUBE", "SECRET", "VOLUME", "PROBE", "DET",
)  # fmt: skip
"""One a protocol page; another word before a hyphen and a number (SHA-256, EIP-2335) is no rule."""
LISTED = re.compile(r"\*\*([A-Z]+-[A-Z]*\d+)\*\*")
CITED = re.compile(rf"\b((?:{'|'.join(PREFIXES)})-[A-Z]*\d+)\b")


def listed() -> list[str]:
    """Every rule in the order of the pages."""
    pages = sorted((ROOT / "docs" / "protocol").glob("*.md"))
    return [rule for page in pages for rule in LISTED.findall(page.read_text())]


def cited() -> set[str]:
    """Every rule that a docstring names."""
    return {rule for module in MODULES for rule in CITED.findall(docstring_text(tree(module)))}


def test_every_rule_is_listed_once_under_a_known_prefix() -> None:
    assert [rule for rule, times in Counter(listed()).items() if times > 1] == []
    assert [rule for rule in listed() if not CITED.fullmatch(rule)] == []


def test_every_cited_rule_is_listed() -> None:
    unlisted = sorted(cited() - set(listed()))
    assert not unlisted, "cited, but on no protocol page: " + " ".join(unlisted)


def test_every_listed_rule_is_cited() -> None:
    unused = sorted(set(listed()) - cited())
    assert not unused, "listed, but cited by no code: " + " ".join(unused)
