"""The mesh outside: sockets in the network namespaces of containers, sessions with other agents, bytes between them."""
