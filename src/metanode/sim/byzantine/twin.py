"""A liar with two computers and one key: each follows the rules, has a guard and a mind of its own, and knows nothing
of the other. It attacks all that rests on one word a seat: IBFT-M2, EVID-3, and links known by their key alone."""

from metanode.sim.byzantine.speaker import VouchingNode
from metanode.sim.machine_room import MachineRoom


class Twin(MachineRoom):
    """Either of the two: `Play.doubles` puts up the second. Neither asks what the other has said."""

    node_class = VouchingNode
