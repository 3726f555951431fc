"""What commands about clusters have in common: which cluster is meant, whole lists, names of accounts, how much."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol, TypeVar

import click

from metanode.api.exits import ExitStatus
from metanode.api.shapes import PAGE_MAX
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import Client
from metanode.records.address import read_address

Item = TypeVar("Item", covariant=True)

cluster_option: Final = click.option("--cluster", default="", metavar="NAME", help="The only one there is by default.")
"""Which cluster is meant."""
NONE: Final = "none"
"""In place of the elements of a list: it shall be empty."""


class Page(Protocol[Item]):
    """A page of a list."""

    @property
    def items(self) -> tuple[Item, ...]:
        """What is on it."""
        ...

    @property
    def next(self) -> str:
        """Where the next one begins."""
        ...


def every(ask: Callable[[str, int], Page[Item]], most: int) -> Iterator[Item]:
    """At most so many items of a list, page by page."""
    cursor = ""
    while most > 0:
        page = ask(cursor, min(most, PAGE_MAX))
        yield from page.items
        most -= len(page.items)
        cursor = page.next
        if not cursor:
            return


def chosen_cluster(client: Client, named: str) -> str:
    """The cluster that was named, else the only one there is. Raises `Failure`."""
    if named:
        return named
    names = [line.cluster for line in client.cluster.list(limit=PAGE_MAX).items]
    if len(names) == 1:
        return names[0]
    said = f"there are several: {', '.join(names[:8])}" if names else "there is no cluster on this chain"
    fix = "--cluster names one" if names else "bpi cluster create makes one"
    raise Failure(CliRefusal.NO_CLUSTER, ExitStatus.NOT_FOUND, said, fix=fix)


def shower(session: Session, client: Client) -> Callable[[str], str]:
    """How accounts are shown: by the name that genesis or a key here gives, else by the address."""
    names = Names(session, local_genesis(session), client).by_address()
    return lambda address: names.get(read_address(address), address)


def cores(millicores: int) -> str:
    """Thousandths of cores for people: `1.5`, `4`."""
    return f"{millicores / 1_000:g}"


def memory(kib: int) -> str:
    """Memory for people: `512M`, `3.5G`."""
    return f"{kib / 1024**2:.3g}G" if kib >= 1024**2 else f"{kib / 1024:.3g}M"


def read_pair(text: str, what: str) -> tuple[str, str]:
    """`key=value`. Raises a usage error."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r}: {what} is written KEY=VALUE")
    return key, value


def counted_states(counts: dict[str, Any]) -> str:
    """`3 active · 1 lost`, or nothing."""
    return " · ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
