"""The index built anew from the volumes alone."""
