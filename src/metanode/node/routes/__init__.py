"""Plain wiring: what a room asks for, told to whom it concerns. One file a neighbour, translations only."""
