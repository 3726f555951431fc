"""The agent of one node: what runs here, by consent."""
