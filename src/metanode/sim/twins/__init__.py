"""Twins campaigns: every way in which two machines with one key and cut links can meet, counted and played."""

from metanode.sim.twins.catalogue import Catalogue
from metanode.sim.twins.scenario import EVERYBODY, Cut, Scenario, Space, read_name
from metanode.sim.twins.stage import Outcome, Stage

__all__ = ["EVERYBODY", "Catalogue", "Cut", "Outcome", "Scenario", "Space", "Stage", "read_name"]
