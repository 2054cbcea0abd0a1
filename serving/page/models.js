// Which models are served, and whether the server is ready for requests.

let modelsKnown = false;
let wasReady = true;

async function loadModels() {
  let models;
  try {
    models = (await (await ask("v1/models", { seconds: 10 })).json()).data;
  } catch (error) {
    tell("models-note", keyWanted ? "They are shown to who has a key." : error.message);
    return;
  }
  modelsKnown = true;
  byId("key-form").hidden = true;
  tell("models-note", "");
  byId("models").replaceChildren(...models.map(described));
  const chosen = byId("model").value;
  byId("model").replaceChildren(...models.map(({ id }) => element("option", { value: id, selected: id === chosen }, id)));
  byId("model-choice").hidden = models.length < 2;
  byId("embed").disabled = !models.length;
}

function described(model) {
  const facts = [
    ["dimension", model.dimension],
    ["max tokens", model.max_tokens],
    ["fingerprint", element("span", { className: "path" }, model.fingerprint)],
  ];
  const rows = facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("div", {}, element("h3", {}, model.id), element("dl", { className: "facts-list" }, ...rows));
}

async function lookWhetherReady() {
  const status = await ask("ready", { seconds: 10 }).then(response => response.status, error => error.status);
  const ready = status === 200;
  const [told, style] = ready ? ["ready", "good"] : status ? ["not ready", "warn"] : ["does not answer", "bad"];
  if (byId("state").textContent !== told) byId("state").textContent = told;
  byId("state").className = `state ${style}`;
  byId("state").hidden = false;
  // What was started anew may serve other models.
  if (ready && !wasReady) modelsKnown = false;
  wasReady = ready;
}
