// What stands below a message's text: attachment blocks, keyboards, files. Builds elements; what a press means, the
// hooks decide.

import { inline } from "./bb.js";
import { address, face, h, isColor, link, picture, size } from "./kit.js";

const list = (value) => (Array.isArray(value) ? value : value && typeof value === "object" ? [value] : []);
const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** `[block, …]` or `{BLOCKS: [block, …], COLOR…}`. */
export function attachment(attach, hooks) {
  const blocks = Array.isArray(attach) ? attach : list(attach?.BLOCKS);
  const token = ["primary", "secondary", "alert", "base"].find((known) => known === attach?.COLOR_TOKEN);
  const whole = h("div", { class: `attach ${token ?? "base"}` });
  if (isColor(attach?.COLOR)) whole.style.borderInlineStartColor = attach.COLOR;
  for (const block of blocks) {
    const [name, body] = Object.entries(block ?? {})[0] ?? [];
    const build = Object.hasOwn(BLOCKS, name) ? BLOCKS[name] : null;
    whole.append(build ? build(body, hooks) : h("p", { class: "unknown" }, `A block of an unknown kind: ${name}`));
  }
  return whole;
}

const BLOCKS = {
  MESSAGE: (body, hooks) => h("div", { class: "words" }, inline(text(body), hooks)),
  LINK: (body, hooks) => card(body, hooks),
  RICH_LINK: (body, hooks) => card(body, hooks),
  USER: (body, hooks) => person(body, hooks),
  GRID: (body, hooks) => grid(list(body), hooks),
  IMAGE: (body) => h("div", { class: "pictures" }, ...list(body).map(image)),
  FILE: (body) => h("ul", { class: "files" }, ...list(body).map((file) =>
    h("li", {}, named(text(file.LINK), text(file.NAME) || "File"), " ", h("span", { class: "faint" }, size(Number(file.SIZE)))))),
  DELIMITER: (body) => {
    const line = h("hr", {});
    const pixels = Number(body?.SIZE);
    if (pixels > 0) line.style.inlineSize = `min(100%, ${pixels}px)`;
    if (isColor(body?.COLOR)) line.style.borderColor = body.COLOR;
    return line;
  },
};

const named = (href, name) => (address(href) ? link(address(href), name) : document.createTextNode(name));

/** A link, a user or a chat of the portal: whatever the block names first. */
function target(body, hooks, name) {
  const chat = Number(body?.CHAT_ID);
  const user = Number(body?.USER_ID ?? body?.BOT_ID);
  if (chat > 0) return h("button", { type: "button", class: "inline", onclick: () => hooks.open?.(`chat${chat}`) }, name);
  if (user > 0) return h("button", { type: "button", class: "inline", onclick: () => hooks.open?.(String(user)) }, name);
  return named(text(body?.LINK), name);
}

function card(body, hooks) {
  // HTML of a bot is shown as text: this page runs nobody's markup.
  const about = body?.HTML ? text(body.HTML).replace(/<[^>]*>/g, " ") : text(body?.DESC);
  return h("div", { class: "card" },
    h("p", { class: "card-name" }, target(body, hooks, text(body?.NAME) || text(body?.LINK))),
    about ? h("p", {}, inline(about, hooks)) : null,
    body?.PREVIEW ? picture(text(body.PREVIEW), text(body?.NAME), "preview") : null);
}

function person(body, hooks) {
  const name = text(body?.NAME) || "Somebody";
  const avatar = address(body?.AVATAR) ? picture(text(body.AVATAR), "", "avatar") : face(body?.USER_ID ?? body?.BOT_ID ?? body?.CHAT_ID, name);
  return h("div", { class: "person" }, avatar, target(body, hooks, name));
}

function image(body) {
  const href = address(body?.LINK);
  const shown = picture(text(body?.PREVIEW) || text(body?.LINK), text(body?.NAME) || "Picture", "picture medium");
  if (Number(body?.WIDTH) > 0 && shown.style) shown.style.inlineSize = `min(100%, ${Number(body.WIDTH)}px)`;
  return href ? link(href, shown) : shown;
}

function grid(rows, hooks) {
  const layout = ["BLOCK", "LINE", "ROW", "TABLE"].find((known) => known === rows[0]?.DISPLAY) ?? "BLOCK";
  const cell = (row) => {
    const shown = row.LINK || row.USER_ID || row.CHAT_ID ? target(row, hooks, text(row.VALUE)) : inline(text(row.VALUE), hooks);
    const place = h("dd", {}, shown);
    if (isColor(row.COLOR)) {
      place.style.setProperty("--said", row.COLOR);
      place.classList.add("colored");
    }
    if (["primary", "secondary", "alert"].includes(row.COLOR_TOKEN)) place.classList.add(row.COLOR_TOKEN);
    return place;
  };
  const whole = h("dl", { class: `grid ${layout.toLowerCase()}` });
  for (const row of rows) {
    const pair = h("div", {}, h("dt", {}, text(row.NAME) || "\u00a0"), cell(row));
    if (layout === "LINE" && Number(row.WIDTH) > 0) pair.style.inlineSize = `min(100%, ${Number(row.WIDTH)}px)`;
    whole.append(pair);
  }
  return whole;
}

export function files(list) {
  const shown = list.map((file) => {
    const href = `/_desk/file/${file.id}`;
    const isPicture = /\.(png|jpe?g|gif|webp)$/i.test(file.name);
    return h("li", {}, isPicture ? h("a", { href, target: "_blank", rel: "noopener" }, picture(href, file.name, "picture medium")) : null,
      h("a", { href, download: file.name }, `📎 ${file.name}`), " ", h("span", { class: "faint" }, size(file.size)));
  });
  return h("ul", { class: "files" }, ...shown);
}

/** Buttons in rows. `press(button, index)` says what becomes of it; a locked message has `used`. */
export function keyboard(buttons, used, press) {
  const rows = [h("div", { class: "keys-row" })];
  buttons.forEach((button, index) => {
    if (button?.TYPE === "NEWLINE") {
      rows.push(h("div", { class: "keys-row" }));
      return;
    }
    if (button?.CONTEXT === "MOBILE") return;
    // What does not say LINE stands alone: BLOCK is the documented default.
    const alone = button.DISPLAY !== "LINE";
    if (alone && rows[rows.length - 1].childElementCount) rows.push(h("div", { class: "keys-row" }));
    rows[rows.length - 1].append(key(button, index, used, press));
    if (alone) rows.push(h("div", { class: "keys-row" }));
  });
  const filled = rows.filter((row) => row.childElementCount);
  return h("div", { class: "keys", role: "group", "aria-label": "Buttons of the message" }, ...filled);
}

function key(button, index, used, press) {
  const off = button.DISABLED === "Y" || (used && button.COMMAND);
  const href = address(button.LINK);
  const token = ["primary", "secondary", "alert"].find((known) => known === button.BG_COLOR_TOKEN) ?? "base";
  const shape = `key ${token}${button.DISPLAY === "LINE" ? "" : " wide"}`;
  const made = href && !off
    ? h("a", { class: shape, href, target: "_blank", rel: "noopener noreferrer" }, text(button.TEXT), h("span", { class: "unseen" }, " (opens in a new tab)"))
    : h("button", { type: "button", class: shape, disabled: Boolean(off), onclick: () => press(button, index) }, text(button.TEXT));
  if (isColor(button.BG_COLOR)) made.style.backgroundColor = button.BG_COLOR;
  if (isColor(button.TEXT_COLOR)) made.style.color = button.TEXT_COLOR;
  if (Number(button.WIDTH) > 0) made.style.inlineSize = `min(100%, ${Number(button.WIDTH)}px)`;
  return made;
}
