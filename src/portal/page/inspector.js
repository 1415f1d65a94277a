// What a bot's author wants to see: each event as it was sent, each call with its answer, the request counter, and the
// means to make things go wrong. Reads the state; changes the portal only where somebody presses a button.

import { current } from "./chat.js";
import { $, ask, copy, desk, h, moment, nameOf, now, post, size, toast } from "./kit.js";

/** The traffic list keeps so many lines. */
const KEPT = 400;
const lines = new Map();

// --- traffic

export function traffic(events, calls, whole) {
  if (whole) {
    lines.clear();
    $("traffic").replaceChildren();
  }
  const fresh = [...events.map((one) => ({ ...one, kind: "event" })), ...calls.map((one) => ({ ...one, kind: "call" }))];
  fresh.sort((a, b) => a.at - b.at || a.n - b.n);
  for (const one of fresh) {
    const key = `${one.kind}${one.n}`;
    const node = one.kind === "event" ? eventLine(one) : callLine(one);
    lines.set(key, { one, node });
    $("traffic").prepend(node);
  }
  while (lines.size > KEPT) {
    const [key, { node }] = lines.entries().next().value;
    node.remove();
    lines.delete(key);
  }
  pairUp();
  $("no-traffic").hidden = lines.size > 0;
}

/** How long after an event its bot said something in the same chat. */
function pairUp() {
  const open = [...lines.values()].filter(({ one }) => one.kind === "event" && one.reply === undefined && one.chat);
  for (const { one, node } of open.slice(-80)) {
    for (const message of desk.messages.values()) {
      if (message.bot !== one.bot || message.chat !== Number(one.chat) || message.at < one.at) continue;
      one.reply = message.at - one.at;
      node.querySelector(".reply").textContent = `bot's answer after ${one.reply} ms`;
      break;
    }
  }
}

function line(one, arrow, title, state, ...facts) {
  const details = h("details", {},
    h("summary", {},
      h("span", { class: `arrow ${one.kind}`, "aria-hidden": "true" }, arrow),
      h("span", { class: "unseen" }, one.kind === "event" ? "Event to a bot: " : "Call: "),
      h("span", { class: "what" }, title),
      h("span", { class: `state ${state[0]}` }, state[1]),
      h("span", { class: "facts" }, ...facts)),
    h("div", { class: "open" }));
  details.addEventListener("toggle", () => {
    if (details.open) show(one, details.querySelector(".open"));
  });
  return h("li", { "data-kind": one.kind, hidden: hiddenKind(one.kind) }, details);
}

const hiddenKind = (kind) => $("show").value !== "all" && $("show").value !== kind;

function eventLine(one) {
  const good = one.status >= 200 && one.status < 300;
  const state = !one.sent ? ["bad", "no address"] : one.status === null ? ["bad", "no answer"] : [good ? "good" : "bad", String(one.status)];
  const what = one.event.replace(/^ONIMBOTV2/, "");
  return line(one, "→", what, state,
    h("span", {}, `${nameOf(one.bot)} · ${moment(one.at)} · answered in ${one.took} ms`),
    h("span", { class: "reply" }), one.text || one.command ? h("q", {}, one.text || one.command) : null);
}

function callLine(one) {
  const fault = one.decision === "fault" || one.decision === "refused";
  const words = one.status === null ? "cut off" : String(one.status);
  const state = [fault || one.status === null || one.status >= 300 ? "bad" : "good", words];
  const what = { executed: one.detail ? `message ${one.detail}` : "done", repeated: `already message ${one.detail}`, refused: one.detail, fault: `fault: ${one.detail}` }[one.decision];
  return line(one, "←", one.method.replace(/^imbot\.v2\./, ""), state,
    h("span", {}, `${one.bot ? nameOf(one.bot) : one.identity} · ${moment(one.at)} · counter ${one.level} of ${desk.portal.burst}${one.batched ? " · in a batch" : ""}`),
    one.decision === "fault" ? null : h("span", { class: fault ? "said bad" : "said" }, what),
    one.faults.length ? h("span", { class: "struck" }, `fault: ${one.faults.join(", ")}`) : null,
    one.text ? h("q", {}, one.text) : null);
}

async function show(one, place) {
  const answer = await fetch(`/_desk/${one.kind}/${one.n}`);
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    place.replaceChildren(h("p", { class: "empty" }, told.error ?? "It cannot be shown."));
    return;
  }
  place.replaceChildren(...(one.kind === "event" ? eventDetails(told) : callDetails(told)));
}

const json = (value) => JSON.stringify(value, null, 2);

const block = (title, text) => [h("h3", {}, title), h("pre", { tabindex: "0", "aria-label": title }, text)];

const copies = (...buttons) => h("p", { class: "buttons" }, ...buttons.filter(([, text]) => text).map(([label, text]) =>
  h("button", { type: "button", class: "quiet", onclick: () => copy(text, "The line") }, label)));

function eventDetails(told) {
  const parts = [h("dl", { class: "pairs" },
    ...pair("Sent to", told.url ?? "nobody: the bot has no address"), ...pair("Size", size(told.size)),
    ...pair("Bot's HTTP answer", told.status === null ? "none" : `${told.status} in ${told.took} ms ${told.answer}`)),
  copies(["Copy as curl", told.curl], ["Copy the form", told.form])];
  if (told.normalized) parts.push(...block("Normalized, as a handler gets it", told.normalized));
  if (told.decoded) parts.push(...block("Decoded, by PHP's rules", json(told.decoded)));
  parts.push(...block("Form, as sent", told.form.replaceAll("&", "\n&")));
  return parts;
}

function callDetails(told) {
  const answer = told.answer === null && told.decision === "fault" ? "none: the fault gave something else" : json(told.answer);
  return [h("dl", { class: "pairs" },
    ...pair("Method", told.method), ...pair("As", told.identity), ...pair("Request counter after it", `${told.level} of ${desk.portal.burst}`),
    ...pair("Faults", told.faults.join(", ") || "none"), ...pair("What became of it", `${told.decision}${told.detail ? `: ${told.detail}` : ""}, HTTP ${told.status ?? "none"}`)),
  copies(["Copy as curl", told.curl]),
  ...block("Parameters", json(told.params)), ...block("Result", answer)];
}

const pair = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

// --- the request counter

export function showLevel() {
  const { burst = 50, rate = 2 } = desk.portal;
  const passed = Math.max(0, now() - desk.levelAt) / 1000;
  const level = Math.max(0, Math.ceil(desk.level - passed * rate));
  $("level").max = burst;
  [$("level").low, $("level").high, $("level").value] = [burst * 0.5, burst * 0.8, level];
  $("level-text").textContent = `${level} of ${burst}`;
}

// --- faults and load

const once = (label, action) => ({ label, path: "faults", body: { action, times: 1 } });
const GROUPS = [
  ["The next call…", [
    once("503, too many requests", "QUERY_LIMIT_EXCEEDED"),
    once("429, operating time is up", "OPERATION_TIME_LIMIT"),
    once("500, internal error", "INTERNAL_SERVER_ERROR"),
    once("502, a page of HTML", { status: 502, body: "<h1>502 Bad Gateway</h1>" }),
    once("cut off before it is done", "reset_before"),
    once("cut off after it was done", "reset_after_execute"),
    once("half of the JSON", "truncate_json"),
    once("never answered", "hang"),
  ]],
  ["Every call…", [
    { label: "2 seconds slower", path: "faults", body: { action: { delay_ms: 2000 } } },
    { label: "half of them refused", path: "faults", body: { match: { probability: 0.5 }, action: "QUERY_LIMIT_EXCEEDED" } },
    { label: "fill the request counter", path: "do", body: { action: "drain_rate_limit" } },
    { label: "empty the request counter", path: "do", body: { action: "reset_rate_limit" } },
    { label: "expire all tokens", path: "do", body: { action: "expire_token_now" } },
  ]],
  ["The next event…", [
    { label: "sent twice", path: "faults/events", body: { fault: "duplicate", times: 1 } },
    { label: "3 seconds late", path: "faults/events", body: { fault: { delay_ms: 3000 }, times: 1 } },
    { label: "with a wrong token", path: "faults/events", body: { fault: "wrong_token", times: 1 } },
    { label: "under an unknown name", path: "faults/events", body: { fault: "unknown_event", times: 1 } },
    { label: "with a text of 1 MB", path: "faults/events", body: { fault: "large_text", times: 1 } },
  ]],
];

const press = (label, work) => h("button", { type: "button", class: "quiet", onclick: work }, label);

async function apply({ label, path, body }) {
  await post(path, body);
  toast(`Done: ${label}.`);
}

function buildFaults() {
  const groups = GROUPS.map(([title, faults]) => h("fieldset", {}, h("legend", {}, title),
    h("div", { class: "choices" }, ...faults.map((fault) => press(fault.label, () => apply(fault))))));
  const own = h("form", { class: "own" },
    h("p", {}, h("label", { for: "error" }, "Answer with"), h("select", { id: "error" })),
    h("p", {}, h("label", { for: "method" }, "On the method"), h("input", { id: "method", list: "methods", placeholder: "every one" }), h("datalist", { id: "methods" })),
    h("p", {}, h("label", { for: "times" }, "So many times"), h("input", { id: "times", type: "number", min: "1", value: "1" })),
    h("p", { class: "buttons" }, h("button", { type: "submit", class: "send" }, "Add the fault")));
  own.addEventListener("submit", (event) => {
    event.preventDefault();
    const method = $("method").value.trim();
    apply({ label: $("error").value, path: "faults", body: { match: method ? { method } : {}, times: Number($("times").value) || 1, action: $("error").value } });
  });
  const load = h("form", { class: "own" },
    h("p", {}, h("label", { for: "crowd" }, "Users"), h("input", { id: "crowd", type: "number", min: "1", max: "1000", value: "50" })),
    h("p", {}, h("label", { for: "crowd-text" }, "Each writes"), h("input", { id: "crowd-text", value: "Hello" })),
    h("p", { class: "buttons" }, h("button", { type: "submit", class: "send", id: "burst" }, "50 users write at once")),
    h("p", { id: "burst-told", role: "status" }));
  load.addEventListener("submit", burst);
  load.querySelector("#crowd").addEventListener("input", (event) => { $("burst").textContent = `${event.target.value || 0} users write at once`; });
  $("panel-faults").replaceChildren(
    h("h3", {}, "In force"), h("ul", { id: "in-force", class: "plain" }),
    h("p", { class: "buttons" }, press("End all faults", async () => { await post("faults/clear"); await post("restore"); toast("All faults have ended."); })),
    ...groups,
    h("fieldset", {}, h("legend", {}, "An error by its name"), own),
    h("fieldset", {}, h("legend", {}, "Load, to the open dialog"), load),
    h("fieldset", {}, h("legend", {}, "The portal and its bots"), h("div", { class: "choices" },
      press("delete the portal", () => apply({ label: "deleted", path: "do", body: { action: "delete_portal" } })),
      press("block for overload", () => apply({ label: "blocked", path: "do", body: { action: "block_overload" } })),
      press("end the plan with REST", () => apply({ label: "plan ended", path: "do", body: { action: "end_plan" } })),
      press("kick a bot from this chat", () => chooseBot("Kick", (bot) => ({ kick_bot_from_chat: { bot, chat: current()?.chat?.id ?? 0 } }))),
      press("delete a bot", () => chooseBot("Delete", (bot) => ({ delete_bot: bot }))),
      press("everything as at the start", () => apply({ label: "the portal is as new; its bots must register again", path: "reset" })))));
}

async function chooseBot(yes, action) {
  const said = await ask(`${yes} a bot`, yes, [{ name: "bot", label: "Bot", choices: [...desk.bots.keys()].map((id) => [id, nameOf(id)]) }]);
  if (said?.bot) await apply({ label: `${yes} ${nameOf(Number(said.bot))}`, path: "do", body: { action: action(Number(said.bot)) } });
}

async function burst(event) {
  event.preventDefault();
  $("burst-told").textContent = "They write…";
  const told = await post("burst", { dialog: desk.dialog, count: Number($("crowd").value) || 50, text: $("crowd-text").value })
    .catch((error) => { $("burst-told").textContent = error.message; });
  if (told) $("burst-told").textContent = `${told.said} messages, ${told.events} events, ${told.taken} answered 200; the slowest took ${told.slowest_ms} ms, all ${told.total_ms} ms.`;
}

// --- the portal

function buildPortal() {
  const { endpoint, webhook, member_id, host, movable_clock } = desk.portal;
  const register = `curl -sS ${webhook}imbot.v2.Bot.register -H 'Content-Type: application/json' -d '{"fields":{"code":"mine","botToken":"my-token","properties":{"name":"My bot"},"eventMode":"webhook","webhookUrl":"http://127.0.0.1:8080/"}}'`;
  $("panel-portal").replaceChildren(
    h("dl", { class: "pairs" }, ...pair("Name", host), ...pair("member_id", member_id), ...pair("REST endpoint", endpoint), ...pair("Incoming webhook", webhook)),
    h("p", { class: "buttons" }, press("Copy the webhook", () => copy(webhook, "The address")), press("Copy a line that registers a bot", () => copy(register, "The line")),
      ...(movable_clock ? [press("A minute later", () => apply({ label: "a minute later", path: "clock", body: { advance_s: 60 } })), press("An hour later", () => apply({ label: "an hour later", path: "clock", body: { advance_s: 3600 } }))] : [])),
    h("h3", {}, "Bots"), h("ul", { id: "portal-bots", class: "plain" }));
}

export function showParts() {
  if (!$("in-force")) return;
  const standing = Object.entries(desk.standing).filter(([, on]) => on).map(([name, on]) => `The portal: ${name.replaceAll("_", " ")}${on === true ? "" : ` ${on}`}`);
  const rules = desk.faults.map(({ on, does, times }) => `${on}: ${does}${times === null ? "" : `, ${times} more`}`);
  const all = [...standing, ...rules];
  const text = all.join("\n");
  if ($("in-force").dataset.told !== text || !all.length) {
    $("in-force").dataset.told = text;
    $("in-force").replaceChildren(...(all.length ? all : ["No fault."]).map((one) => h("li", {}, one)));
  }
  $("tab-faults").classList.toggle("alert", all.length > 0);
  if (!$("error").options.length && desk.portal.errors) {
    $("error").replaceChildren(...desk.portal.errors.map(({ code, status }) => h("option", { value: code }, `${code} (${status})`)));
    $("methods").replaceChildren(...desk.portal.methods.map((method) => h("option", { value: method })));
  }
  if (!$("portal-bots") && desk.portal.webhook) buildPortal();
  $("portal-bots")?.replaceChildren(...[...desk.bots.values()].map((bot) => h("li", {},
    h("strong", {}, `${nameOf(bot.id)} (${bot.id})`), ` ${bot.code}, ${bot.type}, ${bot.fetch ? "fetches its events" : bot.url ?? "no address"}`,
    h("p", { class: "faint" }, desk.commands.filter((one) => one.bot === bot.id).map((one) => `/${one.name}`).join(" ") || "no commands"))));
}

// --- tabs

export function startInspector() {
  buildFaults();
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab) => {
    for (const one of tabs) {
      const on = one === tab;
      one.setAttribute("aria-selected", String(on));
      one.tabIndex = on ? 0 : -1;
      $(one.getAttribute("aria-controls")).hidden = !on;
    }
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  $("show").addEventListener("change", () => lines.forEach(({ one, node }) => { node.hidden = hiddenKind(one.kind); }));
  $("clear-traffic").addEventListener("click", () => traffic([], [], true));
}
