"""Fixtures for the tests of Charrua and of its plugins (pytest11)."""
