// What the other files share: the state that the portal told, a builder of elements, and the way to the portal.
// Text becomes text nodes and nothing else: there is no innerHTML in this page, and its policy forbids it.

/** What the portal told, and where this browser stands. */
export const desk = {
  me: 0, dialog: "", portal: {}, users: new Map(), bots: new Map(), chats: new Map(), commands: [],
  messages: new Map(), busy: [], faults: [], standing: {}, events: [], calls: [],
  level: 0, levelAt: 0, ahead: 0, seen: new Map(JSON.parse(sessionStorage.getItem("seen") ?? "[]")),
};

export const $ = (id) => document.getElementById(id);

/** An element. `class`, `on…` and `data-…` as named; true and false switch attributes; strings become text. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Asks the portal to do something. What it refuses is shown and thrown. */
export async function post(path, body) {
  const answer = await fetch(`/_desk/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    toast(told.error ?? `The portal answered ${answer.status}.`);
    throw new Error(told.error ?? answer.status);
  }
  return told;
}

let fading = 0;
export function toast(text) {
  const place = $("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => place.classList.remove("shown"), 6000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} is in the clipboard.`);
  } catch {
    toast("This browser gives no access to the clipboard.");
  }
}

/** The portal's clock, which may run ahead of ours. */
export const now = () => Date.now() + desk.ahead;

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const date = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
export const hour = (at) => clock.format(at);
export const moment = (at) => exact.format(at);
export const day = (at) => date.format(at);

export function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

export const nameOf = (id) => desk.users.get(id)?.name || (id ? `User ${id}` : "System");

export function face(id, name) {
  const initials = name.split(/\s+/).filter(Boolean).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
  const bot = desk.bots.has(id);
  return h("span", { class: bot ? "face bot" : "face", "data-hue": Math.abs(Number(id) || 0) % 6, "aria-hidden": "true" }, initials || "?");
}

/** An address that may become a link: http, https, or a path of the portal. Anything else is null. */
export function address(text) {
  const trimmed = String(text ?? "").trim();
  if (/^https?:\/\//i.test(trimmed)) return URL.canParse(trimmed) ? trimmed : null;
  return /^\/(?![/\\])/.test(trimmed) ? `https://${desk.portal.host}${trimmed}` : null;
}

export const isColor = (text) => /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(String(text ?? ""));

export const link = (href, ...children) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);

/** A picture that turns into a link where it cannot be loaded. */
export function picture(src, alt, className = "") {
  const safe = src.startsWith("/_desk/") ? src : address(src);
  if (!safe) return document.createTextNode(src);
  const image = h("img", { src: safe, alt: alt || "Picture", class: className, loading: "lazy", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(link(safe, `🖼 ${alt || safe}`)), { once: true });
  return image;
}

/** A small form in a dialog. Resolves with its values, or null. */
export function ask(title, yes, fields) {
  const box = $("ask");
  $("ask-title").textContent = title;
  $("ask-yes").textContent = yes;
  $("ask-fields").replaceChildren(...fields.map((field, at) => {
    const id = `ask-${at}`;
    const input = field.choices
      ? h("select", { id, name: field.name, multiple: field.many, size: field.many ? 6 : null },
        ...field.choices.map(([value, text, on]) => h("option", { value, selected: on }, text)))
      : h(field.long ? "textarea" : "input", { id, name: field.name, rows: field.long ? 4 : null });
    if (field.value) input.value = field.value;
    return h("p", {}, h("label", { for: id }, field.label), input);
  }));
  return new Promise((resolve) => {
    const done = (values) => {
      $("ask-form").onsubmit = null;
      box.onclose = null;
      if (box.open) box.close();
      resolve(values);
    };
    $("ask-form").onsubmit = (event) => {
      event.preventDefault();
      const data = new FormData($("ask-form"));
      done(Object.fromEntries(fields.map(({ name, many }) => [name, many ? data.getAll(name) : data.get(name)])));
    };
    box.onclose = () => done(null);
    $("ask-no").onclick = () => done(null);
    box.showModal();
    $("ask-fields").querySelector("input, select, textarea")?.focus();
  });
}
