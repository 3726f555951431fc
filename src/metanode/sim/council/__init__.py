"""A world of seats that do nothing but agree: IBFT alone, with stand-in signatures, under storms from a seed."""
