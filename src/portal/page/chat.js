// Dialogs and messages: who sees which, and how they look. Changes nothing by itself; what people press goes to the
// portal, and its answer comes back over the live feed.

import { flat, inline, rich } from "./bb.js";
import { attachment, files, keyboard } from "./blocks.js";
import { setText, startEditing } from "./compose.js";
import { $, copy, day, desk, face, h, hour, nameOf, now, post, toast } from "./kit.js";

const REACTIONS = {
  like: "👍", dislike: "👎", redHeart: "❤️", faceWithTearsOfJoy: "😂", laugh: "😄", fire: "🔥", cry: "😢", angry: "😠",
  wonder: "😮", kiss: "😘", thinkingFace: "🤔", partyingFace: "🥳", clappingHands: "👏", foldedHands: "🙏", okHand: "👌",
  handshake: "🤝", eyes: "👀", questionMark: "❓", exclamationMark: "❗", lightBulb: "💡", whiteHeavyCheckMark: "✅",
  crossMark: "❌", hundredPoints: "💯", bomb: "💣", poo: "💩", facepalm: "🤦", raisedHand: "✋", flexedBiceps: "💪",
};
const QUICK = ["like", "redHeart", "faceWithTearsOfJoy"];
const sign = (code) => REACTIONS[code] ?? "🙂";
const spoken = (code) => code.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** Keyboards that were pressed and lock after one press. */
const used = new Set();

// --- dialogs

/** The dialogs of whoever we are: key, chat (if there is one yet), name, what it is, last message. */
export function dialogs() {
  const own = [];
  const me = desk.users.get(desk.me);
  const last = new Map();
  for (const message of desk.messages.values()) last.set(message.chat, message);
  const taken = new Set();
  for (const chat of desk.chats.values()) {
    const inside = chat.members.includes(desk.me);
    if (!inside && !(chat.kind === "line" && !me?.guest)) continue;
    if (chat.kind === "private") {
      const other = chat.members.find((id) => id !== desk.me);
      if (!desk.bots.has(other)) continue;
      taken.add(other);
      own.push({ key: String(other), chat, face: other, name: nameOf(other), about: about(other), last: last.get(chat.id) });
    } else {
      const what = chat.kind === "line" ? `Open line, ${chat.session}` : `Group of ${chat.members.length}`;
      own.push({ key: `chat${chat.id}`, chat, face: chat.id, name: chat.name, about: what, last: last.get(chat.id) });
    }
  }
  for (const bot of me?.guest ? [] : desk.bots.values()) {
    if (!taken.has(bot.id) && !bot.hidden) own.push({ key: String(bot.id), face: bot.id, name: nameOf(bot.id), about: about(bot.id) });
  }
  return own.sort((a, b) => (b.last?.id ?? 0) - (a.last?.id ?? 0) || a.key.localeCompare(b.key));
}

function about(id) {
  const bot = desk.bots.get(id);
  const mode = bot?.fetch ? "fetches its events" : "gets events by webhook";
  return bot ? `Bot ${id}, ${bot.type === "bot" ? "" : `${bot.type}, `}${mode}` : "";
}

export const current = () => dialogs().find((dialog) => dialog.key === desk.dialog);

function unread(dialog) {
  if (!dialog.chat || dialog.key === desk.dialog) return 0;
  const seen = desk.seen.get(`${desk.me}/${dialog.chat.id}`) ?? 0;
  let count = 0;
  for (const message of desk.messages.values()) {
    if (message.chat === dialog.chat.id && message.id > seen && message.author !== desk.me) count += 1;
  }
  return count;
}

export function showDialogs() {
  const shown = dialogs();
  const focused = document.activeElement?.closest?.("#dialogs")
    ? document.activeElement.dataset.key : null;
  $("dialogs").replaceChildren(...shown.map((dialog) => {
    const count = unread(dialog);
    const last = dialog.last && (dialog.last.deleted ? "Message deleted" : flat(dialog.last.text) || (dialog.last.files.length ? "File" : "Attachment"));
    return h("li", {}, h("button", {
      type: "button", class: "dialog", "data-key": dialog.key,
      "aria-current": dialog.key === desk.dialog ? "true" : null, onclick: () => open(dialog.key, true),
    },
    face(dialog.face, dialog.name),
    h("span", { class: "dialog-words" },
      h("span", { class: "dialog-name" }, dialog.name),
      h("span", { class: "dialog-last" }, last || dialog.about)),
    dialog.last ? h("span", { class: "faint" }, hour(dialog.last.at)) : null,
    count ? h("span", { class: "count" }, String(count), h("span", { class: "unseen" }, " unread")) : null));
  }));
  if (focused) $("dialogs").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/** Opens a dialog; a bot hears of it the first time. `focus`: the person asked for it just now. */
export async function open(key, focus) {
  if (!/^chat/.test(key) && !desk.bots.has(Number(key))) {
    toast(`${nameOf(Number(key))} is no bot, and people do not chat with each other here.`);
    return;
  }
  desk.dialog = key;
  location.hash = `dialog=${key}&user=${desk.me}`;
  showTalk();
  showDialogs();
  if (focus) $("text").disabled ? $("talk-title").focus() : $("text").focus();
  if (!/^chat/.test(key) && !current()?.chat) await post("open", { user: desk.me, bot: Number(key) });
}

// --- the open dialog

let built = { chat: null, me: 0, nodes: new Map() };

/** Draws the open dialog from nothing. */
export function showTalk() {
  const dialog = current();
  $("talk-title").textContent = dialog?.name ?? "No dialog";
  $("talk-about").textContent = dialog ? dialog.about : "Register a bot at this portal, then it appears here.";
  $("talk-face").replaceChildren(...(dialog ? [face(dialog.face, dialog.name)] : []));
  $("with-context").hidden = !dialog || Boolean(dialog.chat && dialog.chat.kind !== "private");
  $("add-bot").hidden = !dialog?.chat || dialog.chat.kind === "private";
  const closed = dialog?.chat?.text_field === false;
  $("closed").hidden = !closed;
  $("text").disabled = !dialog || closed;
  if (built.chat === dialog?.chat?.id && built.me === desk.me && built.key === desk.dialog) return;
  built = { chat: dialog?.chat?.id, me: desk.me, key: desk.dialog, nodes: new Map() };
  // Who switches dialogs does not want its whole past read out.
  $("log").setAttribute("aria-busy", "true");
  $("messages").replaceChildren();
  for (const message of desk.messages.values()) place(message);
  separate();
  $("log").scrollTop = $("log").scrollHeight;
  requestAnimationFrame(() => $("log").removeAttribute("aria-busy"));
  read();
}

/** Draws what came new, changed, or went. */
export function tell(messages, gone) {
  const log = $("log");
  const below = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  for (const message of messages) place(message);
  for (const id of gone) {
    built.nodes.get(id)?.remove();
    built.nodes.delete(id);
  }
  separate();
  const own = messages.some((message) => message.author === desk.me && message.chat === built.chat);
  if (below || own) log.scrollTop = log.scrollHeight;
  read();
}

function read() {
  const chat = current()?.chat;
  if (!chat) return;
  let last = 0;
  for (const message of desk.messages.values()) if (message.chat === chat.id) last = Math.max(last, message.id);
  desk.seen.set(`${desk.me}/${chat.id}`, last);
  sessionStorage.setItem("seen", JSON.stringify([...desk.seen]));
}

function place(message) {
  if (message.chat !== built.chat || built.chat === undefined) return;
  const node = draw(message);
  const old = built.nodes.get(message.id);
  built.nodes.set(message.id, node);
  if (old) {
    const inside = old.contains(document.activeElement);
    old.replaceWith(node);
    if (inside) node.focus();
    return;
  }
  const later = [...$("messages").children].find((other) => Number(other.dataset.id) > message.id);
  $("messages").insertBefore(node, later ?? null);
}

/** Days between messages, and names only where somebody begins. */
function separate() {
  $("messages").querySelectorAll(".day").forEach((line) => line.remove());
  let before = "";
  let author = "";
  for (const node of [...$("messages").children]) {
    const today = day(Number(node.dataset.at));
    if (today !== before) {
      node.before(h("li", { class: "day" }, h("span", {}, today)));
      author = "";
    }
    before = today;
    node.classList.toggle("goes-on", author === node.dataset.author && !node.classList.contains("system"));
    author = node.dataset.author;
  }
}

const hooks = {
  open: (key) => open(key, true),
  say: (text) => say(text),
  put: (text) => setText(text),
  jump: (dialog, id) => jump(dialog, id),
};

export const say = (text) => post("say", { user: desk.me, dialog: desk.dialog, text });

async function jump(dialog, id) {
  if (dialog && dialog !== desk.dialog && dialogs().some((known) => known.key === dialog)) await open(dialog, false);
  const node = built.nodes.get(id);
  if (!node) return toast(`Message ${id} is not in this dialog.`);
  node.scrollIntoView({ block: "center" });
  node.focus();
}

function draw(message) {
  const own = message.author === desk.me && !message.system;
  const name = message.system ? "System message" : nameOf(message.author);
  const kind = `msg${own ? " own" : ""}${message.system ? " system" : ""}${message.deleted ? " deleted" : ""}`;
  const bubble = h("div", { class: "bubble" });
  if (message.deleted) bubble.append(h("p", { class: "words" }, "This message was deleted."));
  else bubble.append(...body(message));
  const head = h("p", { class: "head" }, h("span", { class: "name" }, name),
    desk.bots.has(message.author) ? h("span", { class: "badge" }, "bot") : null);
  const foot = h("p", { class: "foot" }, message.edited && !message.deleted ? "changed · " : "",
    h("time", { datetime: new Date(message.at).toISOString() }, hour(message.at)));
  bubble.append(foot);
  const column = h("div", { class: "column" }, head, bubble);
  if (!message.deleted) {
    if (message.keyboard.length) column.append(keyboard(message.keyboard, used.has(message.id), (button, index) => press(message, button, index)));
    column.append(reactions(message), tools(message, own));
  }
  return h("li", { class: kind, tabindex: "-1", "data-id": message.id, "data-at": message.at, "data-author": message.author,
    "aria-label": `${name}, ${hour(message.at)}` },
  message.system || own ? null : face(message.author, name), column);
}

function body(message) {
  const parts = [];
  if (message.forwarded_from !== null) parts.push(h("p", { class: "forwarded" }, `Forwarded from ${nameOf(message.forwarded_from)}`));
  const replied = message.reply_to && desk.messages.get(message.reply_to);
  if (replied) {
    parts.push(h("button", { type: "button", class: "reply-to", onclick: () => jump("", replied.id) },
      h("span", { class: "name" }, nameOf(replied.author)), h("span", {}, flat(replied.text) || "Attachment")));
  }
  if (message.text) parts.push(h("div", { class: "words" }, message.system ? inline(message.text, hooks) : rich(message.text, hooks)));
  if (message.attach) parts.push(attachment(message.attach, hooks));
  if (message.files.length) parts.push(files(message.files));
  return parts;
}

function reactions(message) {
  const chips = Object.entries(message.reactions).map(([code, users]) => {
    const mine = users.includes(desk.me);
    return h("button", { type: "button", class: mine ? "chip mine" : "chip", "aria-pressed": String(mine), title: users.map(nameOf).join(", "),
      "aria-label": `${spoken(code)}, ${users.length}`, onclick: () => react(message, code, !mine) }, `${sign(code)} ${users.length}`);
  });
  return chips.length ? h("div", { class: "chips", role: "group", "aria-label": "Reactions" }, ...chips) : "";
}

const react = (message, reaction, add) =>
  post("react", { user: desk.me, message: message.id, reaction, action: add ? "add" : "delete" });

function tools(message, own) {
  const tool = (label, shown, onclick) => h("button", { type: "button", class: "tool", "aria-label": label, title: label, onclick }, shown);
  const quick = QUICK.map((code) => tool(`React: ${spoken(code)}`, sign(code), () => react(message, code, !message.reactions[code]?.includes(desk.me))));
  const more = tool("More reactions", "＋", (event) => {
    const all = Object.keys(REACTIONS).filter((code) => !QUICK.includes(code));
    event.currentTarget.replaceWith(...all.map((code) => tool(`React: ${spoken(code)}`, sign(code), () => react(message, code, true))));
  });
  const rest = own ? [tool("Change the message", "✎", () => startEditing(message)), tool("Delete the message", "🗑", () => post("delete", { user: desk.me, message: message.id }))] : [];
  return h("div", { class: "tools", role: "group", "aria-label": "What you can do with the message" }, ...quick, more,
    tool("Copy the text", "⧉", () => copy(message.text, "The text")), ...rest);
}

/** A button of a keyboard. */
function press(message, button, index) {
  if (button.BLOCK === "Y" && button.COMMAND) {
    used.add(message.id);
    place(message);
  }
  if (button.COMMAND) return post("press", { user: desk.me, message: message.id, index });
  const value = String(button.ACTION_VALUE ?? "");
  switch (button.ACTION) {
    case "PUT": return setText(value);
    case "SEND": return say(value);
    case "COPY": return copy(value, "The text");
    case "CALL": return copy(value, `The phone number ${value}`);
    case "DIALOG": return open(value, true);
    default: return toast("This button does nothing here.");
  }
}

/** Who is at work in the open dialog. */
export function showBusy() {
  const chat = current()?.chat?.id;
  const working = desk.busy.filter((line) => line.chat === chat && line.until > now());
  const words = working.map(({ bot, code }) => {
    const what = code.replace("IMBOT_AGENT_ACTION_", "").replaceAll("_", " ").toLowerCase();
    return `${nameOf(bot)} is ${what || "typing"}…`;
  }).join(" ");
  if ($("busy").textContent !== words) $("busy").textContent = words;
}
