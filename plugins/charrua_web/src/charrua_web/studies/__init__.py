"""The study list and the page of a study: what is asked, what is told, and what comes by itself."""
