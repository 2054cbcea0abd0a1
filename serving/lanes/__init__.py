"""Two lanes into one encoder: `lanes` chooses each micro-batch, `lane_thread` encodes it. Knows no HTTP and no Ray."""
