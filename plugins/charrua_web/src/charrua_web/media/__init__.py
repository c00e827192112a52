"""Studies to take away: DICOM files as media have them, with a DICOMDIR and a light viewer that any browser opens."""
