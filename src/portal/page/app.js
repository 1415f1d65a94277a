// The page: listens to the portal, keeps what it told, and lets the other files draw it.

import { current, dialogs, open, showBusy, showDialogs, showTalk, tell } from "./chat.js";
import { startComposing } from "./compose.js";
import { showLevel, showParts, startInspector, traffic } from "./inspector.js";
import { $, ask, desk, h, nameOf, post } from "./kit.js";

let started = false;
const THEMES = ["auto", "light", "dark"];

/** Takes over what the portal told; `whole`: it is everything, not a difference. */
function take(told, whole) {
  const keyed = (list) => new Map(list.map((one) => [one.id, one]));
  desk.ahead = told.now - Date.now();
  [desk.level, desk.levelAt] = [told.level, told.now];
  if (whole) {
    desk.portal = told.portal;
    desk.messages.clear();
    [desk.events, desk.calls] = [[], []];
  }
  for (const name of ["users", "bots", "chats"]) if (told[name]) desk[name] = keyed(told[name]);
  for (const name of ["commands", "busy", "faults", "standing"]) if (told[name]) desk[name] = told[name];
  for (const message of told.messages ?? []) desk.messages.set(message.id, message);
  for (const id of told.gone ?? []) desk.messages.delete(id);
}

function hello(told) {
  take(told, true);
  $("host").textContent = desk.portal.host;
  $("link").textContent = "Live";
  $("link").dataset.state = "live";
  const said = new URLSearchParams(location.hash.slice(1));
  const people = persons();
  const wanted = Number(said.get("user") ?? localStorage.getItem("me") ?? 0);
  desk.me = people.some((user) => user.id === wanted) ? wanted : desk.me || (people.find((user) => user.id === 27) ?? people[0])?.id || 0;
  desk.dialog = dialogs().some((dialog) => dialog.key === said.get("dialog")) ? said.get("dialog") : desk.dialog;
  showPeople();
  traffic(told.events ?? [], told.calls ?? [], true);
  draw();
  const first = current() ?? dialogs()[0];
  // Only the first time: whoever reads something else when the portal comes back stays there.
  if (first) open(first.key, !started).then(() => deepLink(said)).catch(() => {});
  started = true;
}

/** `#dialog=602&user=27&context={…}`: a link that opens the bot with a context. */
async function deepLink(said) {
  const context = said.get("context");
  if (!context || !desk.bots.has(Number(desk.dialog))) return;
  let value = context;
  try {
    value = JSON.parse(context);
  } catch {
    // A context that is no JSON is a text.
  }
  await post("context", { user: desk.me, bot: Number(desk.dialog), context: value });
}

function news(told) {
  take(told, false);
  if (told.users) showPeople();
  if (told.bots && !current()) {
    const first = dialogs()[0];
    if (first) open(first.key, false);
  }
  draw(told.messages ?? [], told.gone ?? []);
  traffic(told.events ?? [], told.calls ?? [], false);
}

function draw(messages = [], gone = []) {
  showTalk();
  tell(messages, gone);
  showDialogs();
  showBusy();
  showParts();
  showLevel();
}

// --- people

const persons = () => [...desk.users.values()].filter((user) => !user.bot && user.active);

function showPeople() {
  const option = (user) => h("option", { value: user.id, selected: user.id === desk.me }, `${user.name} (${user.id})`);
  const crowd = (user) => user.id > 9000;
  const groups = [["People", (user) => !user.guest && !crowd(user)], ["Guests of open lines", (user) => user.guest], ["The crowd of a load", crowd]];
  $("me").replaceChildren(...groups.map(([label, fits]) => [label, persons().filter(fits)])
    .filter(([, users]) => users.length).map(([label, users]) => h("optgroup", { label }, ...users.map(option))));
}

function become(id) {
  desk.me = id;
  localStorage.setItem("me", id);
  if (!current()) desk.dialog = dialogs()[0]?.key ?? "";
  showPeople();
  draw();
  if (desk.dialog) open(desk.dialog, false);
}

async function addPerson() {
  const said = await ask("Add a person", "Add", [{ name: "name", label: "Name", value: "" }]);
  if (!said) return;
  const { id } = await post("user", { name: said.name });
  localStorage.setItem("me", id);
  desk.users.set(id, { id, name: said.name, active: true });
  become(id);
}

async function newGroup() {
  const everybody = [...persons().filter((user) => user.id < 9000), ...desk.bots.values()];
  const said = await ask("New group", "Create", [
    { name: "name", label: "Name", value: "Project" },
    { name: "members", label: "Members", many: true, choices: everybody.map(({ id }) => [id, nameOf(id), true]) },
  ]);
  if (!said) return;
  const members = [desk.me, ...said.members.map(Number).filter((id) => id !== desk.me)];
  const { chat } = await post("group", { name: said.name, members });
  when(() => desk.chats.has(chat), () => open(`chat${chat}`, true));
}

async function newLine() {
  const said = await ask("New open line", "Open", [{ name: "bot", label: "Served by", choices: [...desk.bots.values()].map(({ id }) => [id, nameOf(id)]) }]);
  if (!said?.bot) return;
  const { chat, guest } = await post("line", { bot: Number(said.bot) });
  when(() => desk.users.has(guest) && desk.chats.has(chat), () => {
    desk.dialog = `chat${chat}`;
    become(guest);
  });
}

async function addBot() {
  const said = await ask("Add a bot", "Add", [{ name: "bot", label: "Bot", choices: [...desk.bots.values()].map(({ id }) => [id, nameOf(id)]) }]);
  if (said?.bot) await post("join", { user: desk.me, bot: Number(said.bot), dialog: desk.dialog });
}

/** Runs once the live feed has brought it. */
function when(there, then, tries = 100) {
  if (there()) then();
  else if (tries) setTimeout(() => when(there, then, tries - 1), 30);
}

// --- looks

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = `Theme: ${name}`;
  localStorage.setItem("theme", name);
}

function start() {
  theme(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
  $("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]));
  $("fold").addEventListener("click", () => {
    $("inspector").hidden = !$("inspector").hidden;
    $("fold").setAttribute("aria-expanded", String(!$("inspector").hidden));
    document.body.classList.toggle("folded", $("inspector").hidden);
  });
  $("me").addEventListener("change", () => become(Number($("me").value)));
  $("add-user").addEventListener("click", addPerson);
  $("new-group").addEventListener("click", newGroup);
  $("new-line").addEventListener("click", newLine);
  $("add-bot").addEventListener("click", addBot);
  startComposing();
  startInspector();
  const feed = new EventSource("/_desk/live");
  feed.addEventListener("hello", (event) => hello(JSON.parse(event.data)));
  feed.addEventListener("news", (event) => news(JSON.parse(event.data)));
  feed.addEventListener("error", () => {
    $("link").textContent = "The portal is gone; trying again…";
    $("link").dataset.state = "gone";
  });
  setInterval(() => { showBusy(); showLevel(); }, 500);
}

start();
