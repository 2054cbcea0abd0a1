"""The subcommands, a module each: `run(arguments, console)` does the work and returns the exit status.

They are imported only when asked for, so that `encorpus --help` loads neither TensorFlow nor Ray.
"""
