"""The pretend world: the same node on links, disks and clocks that obey a seed."""
