// The message field: writing, changing a message, files, and suggestions for commands and mentions. Draws no message.

import { current } from "./chat.js";
import { $, ask, desk, h, nameOf, post, toast } from "./kit.js";

const LARGEST_FILE = 20 * 1024 * 1024;
let editing = null;
let chosen = -1;
let offered = [];

const field = () => $("text");

function fit() {
  field().style.blockSize = "auto";
  field().style.blockSize = `${Math.min(field().scrollHeight + 2, 180)}px`;
}

export function setText(text) {
  field().value = text;
  fit();
  field().focus();
  offer();
}

export function startEditing(message) {
  editing = message.id;
  $("editing").hidden = false;
  setText(message.text);
}

function stopEditing() {
  editing = null;
  $("editing").hidden = true;
  setText("");
}

async function send() {
  const text = field().value.trim();
  if (!text || !desk.dialog) return;
  const target = editing;
  field().value = "";
  $("editing").hidden = true;
  editing = null;
  fit();
  close();
  try {
    if (target) await post("edit", { user: desk.me, message: target, text });
    else await post("say", { user: desk.me, dialog: desk.dialog, text });
  } catch {
    // What was written is not lost; why it was not sent, the toast says.
    if (!field().value) setText(text);
  }
}

// --- suggestions

/** What fits the word before the cursor: commands of the bots here after `/`, members after `@`. */
function fitting() {
  const before = field().value.slice(0, field().selectionStart);
  const members = current()?.chat?.members ?? [desk.me, Number(desk.dialog)];
  const command = /(?:^|\n)\/([^\s]*)$/.exec(before);
  if (command) {
    const here = desk.commands.filter((one) => !one.hidden && (one.common || members.includes(one.bot)) && one.name.startsWith(command[1]));
    return here.map((one) => ({ from: before.length - command[1].length - 1, put: `/${one.name} `, name: `/${one.name}`, about: [one.params, one.title].filter(Boolean).join(" — "), by: nameOf(one.bot) }));
  }
  const mention = /(?:^|\s)@([^\s@]*)$/.exec(before);
  if (!mention) return [];
  const wanted = mention[1].toLowerCase();
  const people = members.filter((id) => id !== desk.me && nameOf(id).toLowerCase().includes(wanted));
  return people.map((id) => ({ from: before.length - mention[1].length - 1, put: `[USER=${id}]${nameOf(id)}[/USER] `, name: nameOf(id), about: desk.bots.has(id) ? "bot" : "", by: "" }));
}

function offer() {
  offered = fitting().slice(0, 8);
  chosen = offered.length ? 0 : -1;
  drawOffers();
}

function drawOffers() {
  const box = $("suggestions");
  box.hidden = !offered.length;
  box.replaceChildren(...offered.map((one, at) => h("li", {
    role: "option", id: `suggestion-${at}`, "aria-selected": String(at === chosen),
    onmousedown: (event) => { event.preventDefault(); take(at); },
  }, h("span", { class: "name" }, one.name), h("span", {}, one.about), h("span", { class: "faint" }, one.by))));
  if (chosen >= 0) field().setAttribute("aria-activedescendant", `suggestion-${chosen}`);
  else field().removeAttribute("aria-activedescendant");
}

function close() {
  offered = [];
  chosen = -1;
  drawOffers();
}

function take(at) {
  const one = offered[at];
  const end = field().selectionStart;
  field().setRangeText(one.put, one.from, end, "end");
  close();
  fit();
}

function keys(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (offered.length && steps[event.key]) {
    chosen = (chosen + steps[event.key] + offered.length) % offered.length;
    drawOffers();
    event.preventDefault();
  } else if (event.key === "Escape") {
    if (offered.length) close();
    else if (editing) stopEditing();
  } else if (offered.length && event.key === "Tab" && !event.shiftKey) {
    take(chosen);
    event.preventDefault();
  } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    // A command that is written out is sent; a beginning of one is completed.
    const whole = offered.length && field().value.trim() === offered[chosen].name;
    if (offered.length && !whole) take(chosen);
    else send();
  }
}

// --- files

async function upload(file) {
  if (!file || !desk.dialog) return;
  if (file.size > LARGEST_FILE) return toast("The page takes files of up to 20 MB.");
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let from = 0; from < bytes.length; from += 32768) binary += String.fromCharCode(...bytes.subarray(from, from + 32768));
  await post("upload", { user: desk.me, dialog: desk.dialog, name: file.name, content: btoa(binary), text: field().value.trim() });
  setText("");
}

/** Opens the bot as a link with a context does. */
export async function withContext() {
  const said = await ask("Open the bot with a context", "Open", [{ name: "context", label: "Context, as JSON", long: true, value: "{\"source\": \"desk\"}" }]);
  if (!said) return;
  let context;
  try {
    context = JSON.parse(said.context);
  } catch {
    return toast("That is no JSON.");
  }
  await post("context", { user: desk.me, bot: Number(desk.dialog), context });
  toast(`The bot hears of it. The same as a link: #dialog=${desk.dialog}&user=${desk.me}&context=…`);
}

export function startComposing() {
  $("compose").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  field().addEventListener("keydown", keys);
  field().addEventListener("input", () => { fit(); offer(); });
  field().addEventListener("blur", close);
  $("stop-editing").addEventListener("click", stopEditing);
  $("attach").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => { upload($("file").files[0]); $("file").value = ""; });
  $("log").addEventListener("dragover", (event) => event.preventDefault());
  $("log").addEventListener("drop", (event) => { event.preventDefault(); upload(event.dataTransfer.files[0]); });
  $("with-context").addEventListener("click", withContext);
}
