"""Data sets as bytes: read with budgets, written anew, laid over by edits; nothing of the database."""
