"""A world of seats that do nothing but agree: IBFT alone, with stand-in signatures, under storms from a seed."""

from metanode.sim.council.council import Council, Outcome
from metanode.sim.council.weather import CALM, COUNTS, Weather, draw

__all__ = ["CALM", "COUNTS", "Council", "Outcome", "Weather", "draw"]
