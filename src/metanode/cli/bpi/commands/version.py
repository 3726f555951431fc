"""`bpi version`."""

import platform
from importlib.metadata import version as installed

from metanode import __version__
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.host.data_directory import FORMAT
from metanode.primitives.bls import SCHEME
from metanode.records.genesis import RULES_VERSION

LIBRARIES = ("cryptography", "PyNaCl", "msgspec", "rocksdict", "py-arkworks-bls12381")
"""The libraries whose version can matter to a consensus."""


@leaf()
@pass_session
def version(session: Session) -> None:
    """Print the versions of everything that must fit together."""
    libraries = {name: installed(name) for name in LIBRARIES}
    data = {
        "bpi": __version__,
        "rules_version": RULES_VERSION,
        "directory_format": FORMAT,
        "bls_engine": SCHEME.engine.name,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": libraries,
    }

    def human() -> None:
        session.output.line(f"bpi {__version__}")
        session.output.line(f"rules {RULES_VERSION} · data directory format {FORMAT} · BLS by {SCHEME.engine.name}")
        session.output.line(f"python {data['python']} · {data['platform']}")
        session.output.line(" · ".join(f"{name} {number}" for name, number in libraries.items()))

    session.output.result("version/1", data, human)
