// The page's parts, and what joins them: the address chooses the view, the event stream feeds all of them.

import { current, go, href, onAddress, tell, views } from "./address.js";
import { get, onSignInNeeded } from "./api.js";
import { showChanges } from "./changes.js";
import { onPlainClick, setText } from "./dom.js";
import { closeEntry, showEntry } from "./entry.js";
import { EventStream } from "./events.js";
import { showJobs } from "./jobs.js";
import { shortcut, showShortcuts } from "./keys.js";
import { connection, session, take } from "./live.js";
import { showLog } from "./log.js";
import { logOut, openLogin } from "./login.js";
import { notify } from "./notices.js";
import { showOverview } from "./overview.js";
import { showRoutes } from "./routes.js";
import { askToPauseOrResume, showBanners } from "./status.js";

const part = (id) => document.getElementById(id);

showOverview(part("overview"));
showLog(part("requests"));
showRoutes(part("routes"));
showJobs(part("replays"));
showChanges(part("changes"));
const entry = showEntry(part("entry"));

const stream = new EventStream(take, (state) => { connection.value = state; });
showBanners(() => stream.retry());

// Views

onAddress(({ view }) => {
  for (const each of views) part(each).hidden = each !== view;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = view[0].toUpperCase() + view.slice(1);
  document.title = `${title} · Neutrino Gateway`;
});
for (const link of document.querySelectorAll("nav a[data-view]")) {
  link.addEventListener("click", onPlainClick(() => show(link.dataset.view)));
}

/// The log comes back with the filters that it was left with.
let logAddress = null;
onAddress((place) => {
  if (place.view !== "requests") return;
  logAddress = { ...place, request: null };
  document.querySelector("nav a[data-view=requests]").href = href(logAddress);
});
function show(view) {
  go(view === "requests" && logAddress && current().view !== "requests" ? logAddress : { view });
}

// The header's buttons

part("pause").addEventListener("click", askToPauseOrResume);
part("help").addEventListener("click", showShortcuts);
part("logout").addEventListener("click", logOut);
part("theme").addEventListener("click", () => nameTheme(window.nextTheme()));
nameTheme(document.documentElement.dataset.theme);

function nameTheme(name) {
  setText(part("theme"), { auto: "◐", light: "☀", dark: "☾" }[name]);
  part("theme").setAttribute("aria-label", `Colours: ${name}`);
  part("theme").title = `Colours: ${name} (t)`;
}

// Keys

views.forEach((view, index) => shortcut(view[0].toUpperCase() + view.slice(1), [String(index + 1), () => show(view)]));
shortcut("Search the log", ["/", () => {
  if (current().view !== "requests") show("requests");
  part("filter-text").focus();
}]);
shortcut("Next and previous request of the log", ["j", () => step(1)], ["k", () => step(-1)]);
shortcut("Older and newest page", ["o", () => click("[rel=next]")], ["n", () => go({ ...current(), before: null })]);
shortcut("Replay the open request", ["r", () => entry.replay()]);
shortcut("Close the request, leave a field", ["Escape", closeEntry]);
shortcut("Pause or resume dispatching", ["p", askToPauseOrResume]);
shortcut("Light, dark or as the system", ["t", () => part("theme").click()]);
shortcut("This list", ["?", showShortcuts]);

/// Opens the next request where one is open; else moves the focus.
function step(by) {
  if (current().view !== "requests") return;
  const links = [...document.querySelectorAll("a[data-request]")].filter((link) => link.checkVisibility());
  const open = links.findIndex((link) => link.closest("tr").classList.contains("chosen"));
  const from = open >= 0 ? open : links.indexOf(document.activeElement);
  const next = links[Math.min(Math.max(from + by, 0), links.length - 1)];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  if (open >= 0) next.click();
  else next.focus();
}

function click(selector) {
  const link = document.querySelector(selector);
  if (link?.checkVisibility()) link.click();
}

// Begin

onSignInNeeded(() => openLogin(begin));

async function begin() {
  session.value = await get("/session").catch((problem) => {
    // What may be done is not known: nothing is offered.
    notify(`Who you are cannot be told: ${problem.message}. Load the page again to change something.`, "failed");
    return { role: "read", login_required: false };
  });
  document.querySelector("h1").title = session.value.version ?? "";
  document.body.classList.toggle("read-only", session.value.role !== "full");
  part("logout").hidden = !session.value.login_required || session.value.role === "none";
  if (session.value.role === "none" && session.value.login_required) {
    openLogin(begin);
    return;
  }
  tell();
  stream.retry();
}

await begin();
stream.run();
