"""One table of methods with typed requests and answers; server, client and documents derive from it."""
