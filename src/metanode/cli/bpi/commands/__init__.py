"""One thin file a command or a small family: declare, call, show, exit with a named status."""
