// The Prometheus text of GET /metrics, and what two of them tell of the time between. Pure functions.

const SAMPLE = /^(encorpus_\w+)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** The application's own samples; `series` tells each from all others. */
function samplesOf(text) {
  return text.split("\n").map(line => SAMPLE.exec(line)).filter(Boolean).map(([, name, labels = "", value]) => {
    const { lane, replica } = Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, told]) => [key, told]));
    return { name, lane, replica, series: `${name} ${labels}`, value: Number(value) };
  });
}

/** A gauge's sum over models and replicas. */
function total(samples, name, lane) {
  return samples.filter(sample => sample.name === name && sample.lane === lane).reduce((sum, { value }) => sum + value, 0);
}

/**
 * By how much a counter grew, over models and replicas; lane may be undefined.
 *
 * What a replica had counted before it was first seen, or before it began anew, is not of this time. A replica that was
 * there counts from 0 what it had no counter for: those come with the first event.
 */
function growth(before, now, name, lane) {
  const there = new Set(before.map(sample => sample.replica));
  const last = new Map(before.map(sample => [sample.series, sample.value]));
  return now.filter(sample => sample.name === name && sample.lane === lane).reduce((sum, sample) => {
    const from = last.get(sample.series) ?? (there.has(sample.replica) ? 0 : sample.value);
    return sum + Math.max(0, sample.value - from);
  }, 0);
}

/** What is shown of two scrapes, `seconds` apart: rates a second, and tokens that wait. */
function figuresOf(before, now, seconds) {
  const figures = { refused: growth(before, now, "encorpus_shed_total") / seconds };
  for (const lane of ["online", "batch"]) {
    figures[`${lane} tokens`] = growth(before, now, "encorpus_tokens_total", lane) / seconds;
    figures[`${lane} rows`] = growth(before, now, "encorpus_rows_total", lane) / seconds;
    figures[`${lane} waiting`] = total(now, "encorpus_waiting_tokens", lane);
  }
  return figures;
}
