"""The agent of one node: what the chain assigned to it, against what runs here."""

from metanode.docklock.agent.machine import Agent

__all__ = ["Agent"]
