"""The cage of deterministic jobs (docs/protocol/deterministic.md): what a job sees of the machine is made, and written
down, by a supervisor of its own."""
