"""The pages made from the code are what the code says now, and no link leads nowhere."""

import subprocess
import sys

from tests.architecture.source import ROOT


def test_the_reference_is_up_to_date_and_every_link_leads_somewhere() -> None:
    command = [sys.executable, str(ROOT / "tools" / "docs.py"), "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
