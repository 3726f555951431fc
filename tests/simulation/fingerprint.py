"""Prints the fingerprint of some worlds: equal seeds must give equal ones in every process."""

from tests.simulation.soak import storms

WORLDS = (
    ("everything_at_once", 4, 5),
    ("equivocating_proposer", 5, 1),
    ("two_of_four_wiped", 4, 3),
    ("rolling_update_in_weather", 4, 2),
    ("lying_agent", 4, 3),
)

if __name__ == "__main__":
    for name, count, seed in WORLDS:
        print(name, storms()[name].play(count, seed).fingerprint)
