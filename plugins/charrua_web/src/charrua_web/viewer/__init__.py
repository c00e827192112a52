"""The viewer of images: its page and its settings. What it does is in the front end, `src/viewer/`."""
