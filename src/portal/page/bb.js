// BB code to elements. Parses text and builds nodes; no part of a text ever becomes markup, an attribute that runs, or
// an address other than http, https and paths of the portal. What is no code stays text.

import { address, copy, desk, h, isColor, link, nameOf, picture } from "./kit.js";

const TAG = /\[(\/?)([a-z]+)((?:=|\s)[^[\]]*)?\]/gi;
const SIMPLE = { b: "strong", i: "em", u: "u", s: "s" };
const KNOWN = new Set([..."bius", "size", "color", "url", "user", "chat", "context", "img", "icon", "put", "send", "call",
  "timestamp", "disk", "br"]);
const ALONE = new Set(["br", "icon", "timestamp", "disk"]);
/** Deeper than this it is no text of a person. */
const DEEPEST = 30;

/** A text with everything that a message may hold: code, quotes, and what stands in a line. */
export function rich(text, hooks) {
  const whole = document.createDocumentFragment();
  const parts = String(text).split(/\[code\]([\s\S]*?)\[\/code\]/i);
  parts.forEach((part, at) => {
    if (at % 2) whole.append(h("pre", { class: "code", tabindex: "0", "aria-label": "Code" }, h("code", {}, part.replace(/^\n/, ""))));
    else quotes(part, hooks, whole);
  });
  return whole;
}

/** `>>` quotes a line, a line of six dashes opens and closes a quote. */
function quotes(text, hooks, into) {
  let lines = [];
  let quoting = "";
  const flush = () => {
    const piece = lines.join("\n");
    lines = [];
    if (!piece) return;
    into.append(quoting ? h("blockquote", {}, inline(piece, hooks)) : inline(piece, hooks));
  };
  const turn = (kind) => {
    if (kind !== quoting) flush();
    quoting = kind;
  };
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (/^-{6,}$/.test(line.trim())) turn(quoting === "------" ? "" : "------");
    else if (quoting === "------") lines.push(line);
    else if (line.startsWith(">>")) {
      turn(">>");
      lines.push(line.slice(2).trimStart());
    } else {
      turn("");
      lines.push(line);
    }
  }
  flush();
}

/** What may stand in a line, and line ends. */
export function inline(text, hooks = {}) {
  const root = { name: "", nodes: [], raw: "" };
  const open = [root];
  const top = () => open[open.length - 1];
  let from = 0;
  for (const match of String(text).matchAll(TAG)) {
    const [raw, slash, tag, rest] = match;
    const name = tag.toLowerCase();
    if (!KNOWN.has(name)) continue;
    words(text.slice(from, match.index), top());
    from = match.index + raw.length;
    if (slash) close(open, name, raw, hooks);
    else if (ALONE.has(name)) top().nodes.push(...alone(name, rest, raw, hooks));
    else if (open.length > DEEPEST) top().nodes.push(raw);
    else open.push({ name, rest: rest ?? "", raw, nodes: [] });
  }
  words(String(text).slice(from), top());
  while (open.length > 1) spill(open);
  const whole = document.createDocumentFragment();
  whole.append(...root.nodes);
  return whole;
}

/** A tag that nobody closed is text, and so is what it began. */
function spill(open) {
  const { raw, nodes } = open.pop();
  open[open.length - 1].nodes.push(raw, ...nodes);
}

function close(open, name, raw, hooks) {
  if (!open.some((level) => level.name === name)) {
    open[open.length - 1].nodes.push(raw);
    return;
  }
  while (open[open.length - 1].name !== name) spill(open);
  const level = open.pop();
  open[open.length - 1].nodes.push(...build(level, hooks));
}

/** Plain words; addresses in them become links. */
function words(text, level) {
  if (!text) return;
  // Inside a link, a button or a picture an address is no link of its own.
  const inner = ["url", "img", "put", "send", "call", "chat", "context"].includes(level.name);
  let from = 0;
  if (!inner) {
    for (const match of text.matchAll(/https?:\/\/[^\s[\]<>"]+[^\s[\]<>".,;:!?)]/gi)) {
      level.nodes.push(text.slice(from, match.index), link(match[0], match[0]));
      from = match.index + match[0].length;
    }
  }
  level.nodes.push(text.slice(from));
}

const value = (rest) => (rest.startsWith("=") ? rest.slice(1).trim() : "");

function attribute(rest, name) {
  const found = new RegExp(`(?:^|\\s)${name}=("([^"]*)"|\\S+)`, "i").exec(rest);
  return found ? found[2] ?? found[1] : "";
}

const plain = (nodes) => nodes.map((node) => (typeof node === "string" ? node : node.textContent)).join("");

function build({ name, rest, nodes, raw }, hooks) {
  const said = value(rest);
  const back = () => [raw, ...nodes, `[/${name}]`];
  if (SIMPLE[name]) return [h(SIMPLE[name], {}, ...nodes)];
  switch (name) {
    case "size": {
      const pixels = Math.min(30, Math.max(8, Number.parseInt(said, 10) || 14));
      const sized = h("span", {}, ...nodes);
      sized.style.fontSize = `${pixels}px`;
      return [sized];
    }
    case "color": {
      if (!isColor(said)) return back();
      const colored = h("span", { class: "colored" }, ...nodes);
      colored.style.setProperty("--said", said);
      return [colored];
    }
    case "url": {
      const href = address(said || plain(nodes));
      return href ? [link(href, ...(nodes.length ? nodes : [href]))] : back();
    }
    case "user": {
      const id = said.split(/\s/)[0];
      if (!/^(\d+|all)$/i.test(id)) return back();
      const shown = plain(nodes).trim() || (id.toLowerCase() === "all" ? "all" : nameOf(Number(id)));
      const me = Number(id) === desk.me || id.toLowerCase() === "all";
      return [h("span", { class: me ? "mention me" : "mention" }, shown)];
    }
    case "chat": {
      const id = /^(?:imol\|)?(\d+)$/.exec(said)?.[1];
      return id ? [button(nodes.length ? nodes : [`Chat ${id}`], () => hooks.open?.(`chat${id}`))] : back();
    }
    case "context": {
      const [dialog, message] = said.split("/");
      return /^\d+$/.test(message ?? "") ? [button(nodes, () => hooks.jump?.(dialog, Number(message)))] : back();
    }
    case "send": return [button(nodes, () => hooks.say?.(said || plain(nodes)))];
    case "put": return [button(nodes, () => hooks.put?.(said || plain(nodes)))];
    case "call": return [button(nodes, () => copy(said || plain(nodes), `The phone number ${said || plain(nodes)}`))];
    case "img": {
      const src = plain(nodes).trim();
      if (!address(src)) return back();
      const wide = ["small", "medium", "large"].find((known) => known === attribute(rest, "size"));
      return [picture(src, "Picture", `picture ${wide ?? ""}`)];
    }
    default: return back();
  }
}

function alone(name, rest = "", raw, hooks) {
  const said = value(rest).split(/\s/)[0];
  if (name === "br") return ["\n"];
  if (name === "icon") return address(said) ? [picture(said, attribute(rest, "title") || "Icon", "icon")] : [raw];
  if (name === "disk") {
    if (!/^\d+$/.test(said)) return [raw];
    return [h("a", { href: `/_desk/file/${said}`, download: true }, `📎 File ${said}`)];
  }
  const at = Number(said) * 1000;
  if (!/^\d+$/.test(said) || Number.isNaN(new Date(at).getTime())) return [raw];
  return [h("time", { datetime: new Date(at).toISOString() }, new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }))];
}

const button = (nodes, onclick) => h("button", { type: "button", class: "inline", onclick }, ...nodes);

/** BB code as one line of plain words, for lists. */
export function flat(text) {
  return String(text).replace(TAG, (raw, slash, tag) => (KNOWN.has(tag.toLowerCase()) ? " " : raw)).replace(/\s+/g, " ").trim();
}

