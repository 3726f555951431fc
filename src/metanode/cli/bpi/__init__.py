"""`bpi`: the chain and the machines, from a terminal."""
