"""Objects on their way in: spooled, judged, placed and indexed together."""
