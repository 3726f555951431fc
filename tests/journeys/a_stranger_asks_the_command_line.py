"""A stranger who has only the program: versions, settings, completion, a genesis file; no network runs yet."""

import json
import os
import subprocess
import sys
from pathlib import Path

from metanode.host.development import development_genesis
from metanode.records.genesis import dump_toml, genesis_hash
from metanode.records.parameters import Parameters


def bpi(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BPI_")}
    environment["XDG_CONFIG_HOME"] = str(folder / "user")
    command = [sys.executable, "-m", "metanode.cli.bpi.main", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_program_says_what_it_is(tmp_path: Path) -> None:
    short, long = bpi(tmp_path, "--version"), bpi(tmp_path, "version")
    assert (short.returncode, long.returncode) == (0, 0)
    assert long.stdout.startswith(short.stdout)


def test_a_setting_is_set_found_and_explained(tmp_path: Path) -> None:
    assert bpi(tmp_path, "config", "set", "coin", "EUR").returncode == 0
    assert bpi(tmp_path, "config", "get", "coin").stdout == "EUR\n"
    assert json.loads(bpi(tmp_path, "config", "show", "--json").stdout)["settings"]["coin"] == "EUR"
    assert str(tmp_path / "bpi.toml") in bpi(tmp_path, "config", "explain").stdout
    assert str(tmp_path / "bpi.toml") in bpi(tmp_path, "config", "path").stdout


def test_bash_completes_a_command(tmp_path: Path) -> None:
    script = bpi(tmp_path, "completion", "bash").stdout
    shim = tmp_path / "bpi"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m metanode.cli.bpi.main "$@"\n')
    shim.chmod(0o755)
    ask = f'{script}\nCOMP_WORDS=(bpi genesis ch); COMP_CWORD=2; _bpi_completion "{shim}"; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "check\n"


def test_a_genesis_is_checked_and_a_flipped_one_is_not(tmp_path: Path) -> None:
    genesis = development_genesis(4, 26600, "demo", Parameters(), 1_000)
    text = dump_toml(genesis)
    (tmp_path / "good.toml").write_text(text)
    good = bpi(tmp_path, "genesis", "check", "good.toml", "--json")
    assert json.loads(good.stdout)["chain"] == genesis_hash(genesis).hex()
    first, second = genesis.validators[0].possession.hex(), genesis.validators[1].possession.hex()
    (tmp_path / "bad.toml").write_text(text.replace(first, second))
    bad = bpi(tmp_path, "genesis", "check", "bad.toml")
    assert (bad.returncode, bad.stdout) == (50, "")
    assert "genesis.bad-possession" in bad.stderr
