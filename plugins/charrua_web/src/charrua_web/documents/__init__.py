"""What people add to a study while they look at it: measurements and key images, as objects that any archive understands."""
