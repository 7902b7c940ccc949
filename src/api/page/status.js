// Asks for the page again every other second and puts its parts in place of the old ones: there is one renderer, the server's.
// Without this script the browser reloads the whole page now and then instead.
"use strict";
const EVERY_MS = 2000, HIDDEN_EVERY_MS = 15000;
const live = document.getElementById("live");
let heardAt = new Date();

async function refresh() {
  try {
    const answer = await fetch(location.origin + "/", { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.title = page.title;
    heardAt = new Date();
    live.textContent = "live";
    document.body.classList.remove("stale");
  } catch {
    live.textContent = "no answer since " + heardAt.toLocaleTimeString() + ": what stands here is old";
    document.body.classList.add("stale");
  }
  setTimeout(refresh, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
