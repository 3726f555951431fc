"""How workloads call each other: names, who may call whom, which replica answers, what agents say to each other."""

from metanode.docklock.mesh.machine import Mesh
from metanode.docklock.mesh.refusals import MeshRefusal

__all__ = ["Mesh", "MeshRefusal"]
