"""Edits as records laid over the objects (DESIGN §5): made, undone, kept in the journal beside the objects."""
