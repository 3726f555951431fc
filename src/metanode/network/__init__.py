"""Carrying words between strangers: encrypted, authenticated links (bpci) and where the others are (discovery)."""
