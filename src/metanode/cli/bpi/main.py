"""Where `bpi` begins. `--version` answers before anything else is imported."""

import sys
from collections.abc import Sequence

from metanode import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `bpi` with these arguments, by default the process's own. Returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if list(words) == ["--version"]:
        if sys.stdout is not None:  # nothing to say to who closed it: `bpi --version >&-`
            print(f"bpi {__version__}")  # noqa: T201
        return 0
    from metanode.cli.bpi.program import bpi
    from metanode.cli.run import run

    return run(bpi, "bpi", words)


if __name__ == "__main__":
    sys.exit(main())
