"""The tree stands alone: it names no machine's folder, no registry's host, nothing that others cannot see."""

import re

from tests.architecture.source import ROOT, committed_files

FORBIDDEN = {
    "a folder of one machine": re.compile(rb"(?<![\w.])/wor[k](?![\w-])|(?<![\w.])/hom[e]/(?!\$)|(?<![\w.])/roo[t]/"),
    "a folder beside the repository": re.compile(rb"(?<![\w-])share[d]/"),
    "a registry's host": re.compile(
        rb"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io|proxy\.golang\.org|debian\.org|maven\.org",
        re.IGNORECASE,
    ),
}
ALLOWED = {("pyproject.toml", b'vectors_folder = "../share' + b'd/vectors"')}
"""The one setting that names a folder outside, and only as a default that may be absent."""


def test_nothing_committed_names_what_others_cannot_see() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {what}: {line.strip()[:80]!r}"
        for file in committed_files()
        for number, line in enumerate(file.read_bytes().splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line) and (str(file.relative_to(ROOT)), line.strip()) not in ALLOWED
    ]
    assert not found, "\n".join(found)
