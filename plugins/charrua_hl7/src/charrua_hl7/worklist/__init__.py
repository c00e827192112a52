"""The worklist: one entry for each scheduled procedure step, however it came."""
