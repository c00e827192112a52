"""Virtual servers: JPEG and JSON take objects and make something else of them, REPORTS is where all reports come from."""
