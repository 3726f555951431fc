"""Running containers by consent."""
