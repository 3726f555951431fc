"""The command lines: thin commands that declare, call, show and exit with a named status."""
