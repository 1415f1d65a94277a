#!/usr/bin/env python3
"""draw_panels.py DASHBOARD PROMETHEUS-URL FROM TO OUT.svg: the time series panels of a Grafana dashboard, drawn from the
data of a real Prometheus between two unix times. A picture of the data, not of Grafana. Needs nothing but Python.
Prints one line a query: the number of series it returned, and the query.
"""
import json, re, sys, urllib.parse, urllib.request
from html import escape

dashboard, base, start, end, out = sys.argv[1:]
start, end = float(start), float(end)
STEP = max(1.0, round((end - start) / 120))
WINDOW = f"{max(5, int(4 * STEP))}s"
W, H, GAP, COLUMNS, HEAD = 390, 210, 14, 3, 26
COLOURS = ["#3274d9", "#e02f44", "#56a64b", "#ff9830", "#8f3bb8", "#1f9b9b", "#b877d9", "#806040", "#5a6070", "#d0a000"]


def query(expression):
    expression = expression.replace("$__rate_interval", WINDOW).replace("$job", "imbot")
    parameters = urllib.parse.urlencode({"query": expression, "start": start, "end": end, "step": STEP})
    with urllib.request.urlopen(f"{base}/api/v1/query_range?{parameters}") as answer:
        return json.load(answer)["data"]["result"]


def name(legend, labels):
    for label, value in labels.items():
        legend = legend.replace("{{%s}}" % label, value)
    return re.sub(r"{{\w+}}", "none", legend)


def human(value, unit):
    if unit == "s":
        for size, mark in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= size:
                return f"{value / size:.3g} {mark}"
        return f"{value * 1000:.3g} ms"
    if unit == "bytes":
        for size, mark in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if abs(value) >= size:
                return f"{value / size:.3g} {mark}"
    return f"{value:.3g}" + {"reqps": "/s", "eps": "/s"}.get(unit, "")


def panel(definition, x, y):
    unit = definition["fieldConfig"]["defaults"]["unit"]
    lines = []
    for target in definition["targets"]:
        found = query(target["expr"])
        print(len(found), target["expr"], flush=True)
        for series in found:
            points = [(float(at), float(value)) for at, value in series["values"]]
            points = [(at, value) for at, value in points if value == value and abs(value) != float("inf")]
            lines.append((name(target["legendFormat"], series["metric"]), points))
    top = max((value for _, points in lines for _, value in points), default=0) or 1
    left, width, up, height = x + 58, W - 70, y + 30, H - 84
    svg = [f'<rect x="{x}" y="{y}" width="{W}" height="{H}" rx="4" fill="#fff" stroke="#d8dbe0"/>',
           f'<text x="{x + 10}" y="{y + 19}" font-size="13" font-weight="bold">{escape(definition["title"])}</text>']
    for part in (0, 0.5, 1):
        level = up + height * (1 - part)
        svg.append(f'<line x1="{left}" x2="{left + width}" y1="{level}" y2="{level}" stroke="#e8eaee"/>'
                   f'<text x="{left - 5}" y="{level + 4}" text-anchor="end">{human(top * part, unit)}</text>')
    legend_x, legend_y = x + 10, up + height + 20
    for number, (label, points) in enumerate(lines[:10]):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{left + (at - start) / (end - start) * width:.1f},{up + height * (1 - value / top):.1f}"
                        for at, value in points)
        svg.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        text = label or "value"
        if legend_x + 7 * len(text) + 24 > x + W and legend_x > x + 10:
            legend_x, legend_y = x + 10, legend_y + 14
        svg.append(f'<rect x="{legend_x}" y="{legend_y - 7}" width="9" height="4" fill="{colour}"/>'
                   f'<text x="{legend_x + 13}" y="{legend_y}">{escape(text)}</text>')
        legend_x += 7 * len(text) + 24
    return svg


definition = json.load(open(dashboard))
parts, column, y = [], 0, GAP
for each in definition["panels"]:
    if each["type"] == "row":
        if column:
            column, y = 0, y + H + GAP
        parts.append(f'<text x="{GAP}" y="{y + 17}" font-size="15" font-weight="bold">{escape(each["title"])}</text>')
        y += HEAD
        continue
    parts += panel(each, GAP + column * (W + GAP), y)
    column += 1
    if column == COLUMNS:
        column, y = 0, y + H + GAP
height = y + (H + GAP if column else 0)
width = GAP + COLUMNS * (W + GAP)
with open(out, "w") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
               f'font-size="11" fill="#2a2e35"><rect width="{width}" height="{height}" fill="#f4f5f7"/>\n')
    file.write("\n".join(parts) + "\n</svg>\n")
