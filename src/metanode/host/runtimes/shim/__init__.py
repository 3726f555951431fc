"""The shim: a small process that is the parent of the containers of one agent and outlives it.

Only the standard library, `plan.py` and `refusals.py`: it is started with `python -I -S` and stays small.
"""
