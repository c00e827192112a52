"""Links for people outside, the patient portal, and what visitors see."""
