// The admin API: JSON in and out, problems as errors (RFC 9457).

const base = "/admin/api";
const signInListeners = new Set();

/// An answer other than success. `status` is 0 where there was no answer at all.
export class Problem extends Error {
  constructor(status, reason, detail) {
    super(detail);
    this.status = status;
    this.reason = reason;
  }
}

/// Called whenever a call is refused for want of a login.
export function onSignInNeeded(listener) {
  signInListeners.add(listener);
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}) => call("POST", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);

/// A part of a path: a route's id has spaces and slashes.
export const segment = encodeURIComponent;

export async function call(method, path, body, { signal } = {}) {
  const answer = await ask(path.startsWith("/admin/") ? path : base + path, {
    method,
    signal,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return answer.status === 204 ? null : answer.json();
}

/// An answer whose body is not read yet; throws a ``Problem`` for what is no success.
export async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "the gateway does not answer");
  }
  if (answer.ok) return answer;
  const problem = await describe(answer);
  if (answer.status === 401 && !url.endsWith("/login")) for (const listener of signInListeners) listener();
  throw problem;
}

async function describe(answer) {
  try {
    const document = await answer.json();
    return new Problem(answer.status, document.reason ?? "", document.detail ?? document.title ?? answer.statusText);
  } catch {
    return new Problem(answer.status, "", `${answer.status} ${answer.statusText}`);
  }
}
