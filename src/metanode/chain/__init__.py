"""Agreeing on blocks."""
