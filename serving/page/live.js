// The rates of both lanes, read again and again while the page is looked at.

const PAUSE = 2, PAUSE_AFTER_FAILURE = 10, SHOWN = 300, SHOWN_AT_LEAST = 30; // seconds
const WIDTH = 300, HEIGHT = 40; // of a sparkline, in units of its own

const rounded = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const seconds = () => performance.now() / 1000;

const places = new Map();
let lastScrape = null;
let shown = []; // {at, seconds, figures}

function addPlace(list, figure, name) {
  const copy = byId("figure").content.cloneNode(true);
  copy.querySelector("dt").textContent = name;
  const [number, note, area, line] = ["b", "small", ".area", ".line"].map(part => copy.querySelector(part));
  number.dataset.figure = figure;
  places.set(figure, { number, note, area, line });
  list.append(copy);
}

for (const lane of ["online", "batch"]) {
  const list = document.querySelector(`[data-lane=${lane}] dl`);
  addPlace(list, `${lane} tokens`, "tokens/s");
  addPlace(list, `${lane} rows`, "rows/s");
  addPlace(list, `${lane} waiting`, "tokens waiting");
}
addPlace(document.querySelector(".refused dl"), "refused", "requests");

/** Reads the metrics once. Whether it worked. */
async function lookAtRates() {
  let samples;
  try {
    samples = samplesOf(await (await ask("metrics", { seconds: 10 })).text());
  } catch (error) {
    tell("live-note", error.status === 404 ? "This server offers no metrics." : `No rates at the moment. ${error.message}`);
    for (const { number } of places.values()) number.textContent = "–";
    return false;
  }
  const at = seconds();
  if (lastScrape) {
    const apart = at - lastScrape.at;
    shown.push({ at, seconds: apart, figures: figuresOf(lastScrape.samples, samples, apart) });
    shown = shown.filter(entry => entry.at > at - SHOWN);
    tell("live-note", "");
    draw(at);
  }
  lastScrape = { at, samples };
  return true;
}

function draw(now) {
  const latest = shown.at(-1).figures;
  const start = Math.min(shown[0].at, now - SHOWN_AT_LEAST);
  const across = at => (WIDTH * (at - start) / (now - start)).toFixed(1);
  for (const [figure, { number, note, area, line }] of places) {
    const points = shown.map(entry => [entry.at, entry.figures[figure]]);
    const most = Math.max(...points.map(([, value]) => value));
    const path = points.map(([at, value]) => {
      const y = HEIGHT * (1 - value / (most || 1));
      return `${across(at)},${y.toFixed(1)}`;
    }).join("L");
    line.setAttribute("d", `M${path}`);
    area.setAttribute("d", `M${across(shown[0].at)},${HEIGHT}L${path}V${HEIGHT}Z`);
    number.textContent = rounded.format(latest[figure]);
    note.textContent = `max ${rounded.format(most)}`;
  }
  const refused = shown.reduce((sum, entry) => sum + entry.figures.refused * entry.seconds, 0);
  places.get("refused").number.textContent = rounded.format(Math.round(refused));
  places.get("refused").note.textContent = "in 5 minutes";
  drawShares(latest);
}

function drawShares(latest) {
  const whole = latest["online tokens"] + latest["batch tokens"];
  for (const lane of ["online", "batch"]) {
    const share = whole ? `${Math.round(100 * latest[`${lane} tokens`] / whole)} % of tokens` : "idle";
    document.querySelector(`[data-share=${lane}]`).textContent = share;
  }
}

async function look() {
  let pause = PAUSE;
  if (!document.hidden) {
    const [, read] = await Promise.all([
      lookWhetherReady(),
      lookAtRates(),
      keyWanted || modelsKnown || loadModels(),
    ]);
    if (!read) pause = PAUSE_AFTER_FAILURE;
  }
  setTimeout(look, pause * 1000);
}

byId("host").textContent = location.host;
document.title = `${location.host}: encorpus serve`;
look();
