"""Measures Charrua beside Orthanc and DCMTK on the same files, and tries to make it lose objects.

Nothing here is imported by the product. See `README.md` for the commands.
"""
