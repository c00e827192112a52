"""What is done with studies: edited, assigned, deleted, undone, sent, attached to. JSON for pages and scripts, and the
calls of the manual (appendix 5)."""
