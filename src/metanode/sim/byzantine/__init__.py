"""Liars: nodes that say with their own keys what the rules forbid. One file a kind of lie."""
