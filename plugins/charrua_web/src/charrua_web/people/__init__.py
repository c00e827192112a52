"""People over HTTP and on pages: users and what they see, their sessions and tokens, and what each does for themselves."""
