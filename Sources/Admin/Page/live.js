// What the gateway last told, for whoever shows it.

/// A value and those who want to know of it. `watch` calls at once where there is one already.
function watched(value = null) {
  const listeners = new Set();
  return {
    get value() { return value; },
    set value(next) {
      value = next;
      if (next === null) return;
      for (const listener of listeners) listener(next);
    },
    watch(listener) {
      listeners.add(listener);
      if (value !== null) listener(value);
    },
  };
}

export const connection = watched({ state: "connecting" });
/// `{ role, login_required, version }`
export const session = watched();
export const queue = watched();
export const pods = watched();
export const routes = watched();
/// `{ interval, points }`
export const history = watched();
/// Bulk replays that run, or changed a moment ago.
export const jobs = watched();

const pointsShown = 180;

/// Takes an event of the stream.
export function take(name, data) {
  switch (name) {
    case "queue":
      queue.value = { ...data, receivedAt: performance.now() };
      break;
    case "pods":
      pods.value = { ...data, receivedAt: performance.now() };
      break;
    case "routes":
      routes.value = data;
      break;
    case "replays":
      jobs.value = data;
      break;
    case "history":
      if (history.value) {
        const points = [...history.value.points.filter((point) => point.at !== data.at), data].slice(-pointsShown);
        history.value = { ...history.value, points };
      }
      break;
  }
}

/// One route as a call just answered it, ahead of the next event.
export function takeRoute(route) {
  if (!routes.value) return;
  routes.value = { ...routes.value, routes: routes.value.routes.map((each) => (each.id === route.id ? route : each)) };
}

/// One pod as a call just answered it.
export function takePod(pod) {
  if (!pods.value) return;
  pods.value = { ...pods.value, pods: pods.value.pods.map((each) => (each.id === pod.id ? pod : each)) };
}

/// Whether what is shown is current, so that ages go on counting.
const isLive = () => connection.value.state === "live";

/// Seconds since something of the stream came; frozen, as the figures are, while the connection is lost.
export function since(snapshot) {
  return isLive() ? (performance.now() - snapshot.receivedAt) / 1000 : 0;
}

/// Calls twice a second while someone looks and the data is current: what counts up or down.
export function onTick(action) {
  setInterval(() => {
    if (isLive() && !document.hidden) action();
  }, 500);
}

/// Whether this session may change anything.
export const mayChange = () => session.value?.role === "full";
