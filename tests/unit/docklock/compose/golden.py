"""The example files with the world they are read in, and what they come to. Run as a module, it writes the outcomes
anew: look at the difference before it is committed."""

import json
import sys
from pathlib import Path

from tests.architecture.source import ROOT
from tests.unit.docklock.compose.samples import outside, shown

from metanode.docklock.compose import Outside, Understood, understand
from metanode.docklock.compose.kubernetes import convert

EXAMPLES = ROOT / "examples" / "compose"
OUTCOMES = Path(__file__).parent / "outcomes"
NAMES = ("shop", "monitoring", "pipeline")
VARIABLES = {"GRAFANA_URL": "https://watch.example.org", "TZ": "Europe/Berlin", "LOG_LEVEL": "debug"}
FILES = {"grafana.env": "GF_LOG_MODE=console\nGF_USERS_DEFAULT_THEME='dark' # easy on the eyes\n"}


def world() -> Outside:
    """Variables and files that the examples name."""
    return outside(VARIABLES, FILES)


def read(name: str) -> Understood:
    """What an example comes to."""
    return understand((EXAMPLES / f"{name}.yaml").read_text(), world())


def outcome(name: str) -> str:
    """The specifications and findings of an example as JSON."""
    found = read(name)
    application = found.application
    assert application is not None
    workloads = [{"replicas": one.replicas, "line": one.line, "spec": shown(one.spec)} for one in application.workloads]
    whole = {
        "name": application.name,
        "cluster": application.cluster,
        "secrets": [[one.name, one.kind, one.where] for one in application.secrets],
        "findings": [one.sentence for one in found.findings],
        "workloads": workloads,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def manifests(name: str) -> str:
    """The manifests of an example for Kubernetes."""
    application = read(name).application
    assert application is not None
    return convert(application).text


def main() -> None:
    """Write the outcomes of all examples."""
    OUTCOMES.mkdir(exist_ok=True)
    for name in NAMES:
        (OUTCOMES / f"{name}.json").write_text(outcome(name))
        (OUTCOMES / f"{name}.kubernetes.yaml").write_text(manifests(name))
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
