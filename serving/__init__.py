"""The worker behind HTTP on Ray Serve: people and batch jobs share one encoder."""
