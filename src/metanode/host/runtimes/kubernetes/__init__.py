"""The `kubernetes` engine: one attempt is one Pod of a cluster that is already there."""
