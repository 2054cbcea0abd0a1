"""The dashboard can be imported, and asks for nothing that a replica does not count."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import serving
from serving.lanes.lanes import Lane
from serving.metrics import Metrics, ModelMeter
from serving.served_model import ServedModel
from tests.serving.fake_encoder import FakeEncoder

DASHBOARD: dict[str, Any] = json.loads((Path(serving.__file__).parent / "grafana_dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES: dict[str, dict[str, Any]] = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
QUERIES = [variable["definition"] for variable in VARIABLES.values() if variable["type"] == "query"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]] + QUERIES

METRIC = re.compile(r"\bencorpus_\w+")
# A metric with what it is narrowed to, a grouping, or the label whose values a variable has.
SELECTED = re.compile(r"(encorpus_\w+)\{([^}]*)\}")
SUMMED = re.compile(r"by \(([^)]*)\) \((?:rate\()?(encorpus_\w+)")
LISTED = re.compile(r"label_values\((encorpus_\w+), (\w+)\)")


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of every sample that a replica has once it has served, by the sample's name."""
    metrics, encoder = Metrics("r1"), FakeEncoder()
    meter = ModelMeter(metrics, "small", encoder.token_budget)
    model = ServedModel("small", encoder, 1 << 16, batch_floor=0.1, deadline_seconds=30, meter=meter)
    metrics.watch(model)
    metrics.request("/v1/embeddings", "small", 200, 0.1)
    model.lanes.submit(Lane.ONLINE, encoder.tokenize(["a"])).result(30)
    model.stop()
    families = text_string_to_metric_families(metrics.exposition())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def test_it_has_the_shape_that_grafana_imports():
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["title"]
    assert "id" not in DASHBOARD  # which is that of another Grafana's database
    assert [VARIABLES[name]["type"] for name in ("datasource", "model", "replica")] == ["datasource", "query", "query"]


def test_its_panels_are_told_apart_and_lie_beside_each_other():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24  # Grafana's columns


def test_every_question_is_asked_of_the_chosen_source():
    asking = (
        PANELS
        + [target for panel in PANELS for target in panel["targets"]]
        + [VARIABLES["model"], VARIABLES["replica"]]
    )
    assert {(one["datasource"]["type"], one["datasource"]["uid"]) for one in asking} == {
        ("prometheus", "${datasource}")
    }


def test_every_metric_that_it_asks_for_is_counted(labels):
    assert {name for told in EXPRESSIONS for name in METRIC.findall(told)} <= set(labels)


def test_every_label_that_it_asks_for_is_there(labels):
    asked = {(name, label) for told in EXPRESSIONS for name, label in LISTED.findall(told)}
    for told in EXPRESSIONS:
        asked |= {(name, label) for name, by in SELECTED.findall(told) for label in re.findall(r"(\w+)=~", by)}
        asked |= {(name, label) for by, name in SUMMED.findall(told) for label in by.split(", ")}
    assert {(name, label) for name, label in asked if label not in labels[name]} == set()


def test_every_label_in_a_legend_is_one_that_is_summed_by():
    for panel in PANELS:
        for target in panel["targets"]:
            kept = {label for by, _ in SUMMED.findall(target["expr"]) for label in by.split(", ")}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


def test_every_metric_of_a_replica_is_on_it(labels):
    """But the number of micro-batches, which their seconds count, too."""
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in labels}
    asked = {re.sub("_(bucket|sum|count)$", "", name) for told in EXPRESSIONS for name in METRIC.findall(told)}
    assert families - asked == {"encorpus_micro_batches_total"}
