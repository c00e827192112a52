"""Uploads from browsers: many small files in a request, large files and ZIP archives in pieces that can be taken up again."""
