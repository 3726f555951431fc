"""A pretend cluster: real agents and the real `cluster` module, with runtimes, clocks and wires that obey a seed."""
