// Requests to the server that the page came from, with the API key where it asks for one.

const KEY = "encorpus-api-key";
const byId = id => document.getElementById(id);

let keyWanted = false;

/** The answer to a request. Throws an Error whose message is for the visitor, with `status` where there was an answer. */
async function ask(path, { seconds = 120, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key && { authorization: `Bearer ${key}` }) };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(seconds * 1000) });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (response.ok) return response;
  const message = await messageOf(response);
  if (response.status === 401) askForKey(key ? message : "");
  throw Object.assign(new Error(message), { status: response.status });
}

async function messageOf(response) {
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? `The server answered with status ${response.status}.`;
  const wait = response.headers.get("retry-after");
  return wait ? `${message} (Retry after ${wait} s.)` : message;
}

function askForKey(message) {
  keyWanted = true;
  byId("key-form").hidden = false;
  tell("key-message", message);
}

/** Shows a message in its place, or hides the place where there is none. */
function tell(id, message) {
  byId(id).textContent = message;
  byId(id).hidden = !message;
}

/** An element with these properties and children; strings become text. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

byId("key-form").addEventListener("submit", event => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("key").value);
  keyWanted = false;
  tell("key-message", "");
  loadModels();
});
