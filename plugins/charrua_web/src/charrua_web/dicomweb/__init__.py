"""The services of DICOMweb (PS3.18)."""
