// Texts to try: their cosine similarities as a table that is warmer where texts are nearer.

const MOST_TEXTS = 50, MOST_LABEL = 60;

byId("try-form").addEventListener("submit", async event => {
  event.preventDefault();
  const texts = byId("texts").value.split("\n").map(text => text.trim()).filter(Boolean);
  tell("try-message", "");
  byId("result").textContent = "";
  if (!texts.length || texts.length > MOST_TEXTS) {
    tell("try-message", `The table shows 1 to ${MOST_TEXTS} texts, and there are ${texts.length}.`);
    return;
  }
  byId("embed").disabled = true;
  try {
    await embed(texts);
  } catch (error) {
    byId("cosines").replaceChildren();
    tell("try-message", error.message);
  }
  byId("embed").disabled = false;
});

async function embed(texts) {
  const started = performance.now();
  const body = JSON.stringify({ model: byId("model").value, input: texts });
  const response = await ask("v1/embeddings", { method: "POST", headers: { "content-type": "application/json" }, body });
  const { data, usage } = await response.json();
  const took = performance.now() - started;
  const counted = `${texts.length} ${texts.length === 1 ? "text" : "texts"}, ${usage.total_tokens} tokens`;
  byId("result").textContent = `${counted}, answered in ${took.toFixed(0)} ms`;
  byId("cosines").replaceChildren(...heatMap(texts, cosines(data.map(item => item.embedding))));
}

/** The cosine of each vector with each; NaN where one has no length. */
function cosines(vectors) {
  const dot = (one, other) => one.reduce((sum, value, place) => sum + value * other[place], 0);
  const lengths = vectors.map(vector => Math.sqrt(dot(vector, vector)));
  return vectors.map((one, row) => vectors.map((other, column) => dot(one, other) / (lengths[row] * lengths[column])));
}

/** From the lowest cosine, which has no colour, to 1. */
function heatMap(texts, values) {
  const least = Math.min(1, ...values.flat().filter(value => !Number.isNaN(value)));
  const numbers = texts.map((text, index) => element("th", { scope: "col", title: text, ariaLabel: label(text) }, `${index + 1}`));
  const head = element("thead", {}, element("tr", {}, element("td"), ...numbers));
  const rows = texts.map((text, row) => element("tr", {}, rowHead(text, row), ...values[row].map(value => cell(value, least))));
  const caption = element("caption", { className: "note" }, "Cosine similarity");
  const table = element("table", { className: "heat" }, caption, head, element("tbody", {}, ...rows));
  const scale = element("p", { className: "scale note" }, written(least), element("i"), "1.00");
  return [scale, element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Cosine similarities" }, table)];
}

function rowHead(text, row) {
  return element("th", { scope: "row", title: text }, element("span", {}, `${row + 1}`), element("bdi", {}, label(text)));
}

function cell(value, least) {
  const made = element("td", { title: value.toFixed(4) }, written(value));
  const warmth = least < 1 ? (value - least) / (1 - least) : 1;
  made.style.setProperty("--warmth", Number.isNaN(warmth) ? 0 : Math.min(1, Math.max(0, warmth)));
  return made;
}

function label(text) {
  const characters = [...text];
  return characters.length > MOST_LABEL ? `${characters.slice(0, MOST_LABEL - 1).join("")}…` : text;
}

function written(value) {
  return Number.isNaN(value) ? "–" : value.toFixed(2).replace(/^-0\.00$/, "0.00");
}
