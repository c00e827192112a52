"""The rows of the index: what they say of objects, and how they are written."""
