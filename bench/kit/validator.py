"""One validator as a process: python -m bench.kit.validator FOLDER. What `bpi node run` does, without its words."""

import os
import sys
from pathlib import Path

from metanode.host.run import run

if __name__ == "__main__":
    run(Path(sys.argv[1]), os.environ, lambda url: print(url, flush=True))
