"""encorpus's third room, and the home of the `encorpus` command."""
