"""Index and volumes held against each other."""
