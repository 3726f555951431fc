"""One run of a command: its global options, and what follows from them."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click

from metanode.cli.configuration import Configuration
from metanode.cli.failure import Failure
from metanode.cli.output import Output


@dataclass
class Session:
    """Filled by the options while click reads them, before or after the command; read by the command."""

    flags: dict[str, str] = field(default_factory=dict)
    as_json: bool = False
    verbosity: int = 0

    @cached_property
    def configuration(self) -> Configuration:
        """Flags, environment and files of this run."""
        return Configuration(self.flags, os.environ, Path.cwd())

    @cached_property
    def output(self) -> Output:
        """Where this command speaks. A broken configuration takes its colours, not its voice."""
        try:
            color = self.setting("color")
        except Failure:
            color = "auto"
        return Output(as_json=self.as_json, color=color)

    def setting(self, name: str) -> str:
        """The value of a configuration key, by precedence. Raises `Failure`."""
        return self.configuration.setting(name).value

    @property
    def data(self) -> Path:
        """The folder of the local network."""
        return Path(self.setting("data"))


pass_session = click.make_pass_decorator(Session)
"""Gives the session to a command as its first argument."""
