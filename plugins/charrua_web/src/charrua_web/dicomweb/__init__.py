"""DICOMweb (PS3.18): one module for each kind of resource."""
