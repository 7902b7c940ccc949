#!/usr/bin/env python3
"""Draws the dashboards without Grafana: asks a Prometheus for each panel's queries and writes one HTML page a dashboard.

    tests/dashboards/draw.py http://127.0.0.1:9090 OUT-FOLDER [MINUTES]

Needs nothing but Python. It shows layout, values and legends as Grafana lays them out, in plain SVG; it is for looking at, not
for measuring.
"""

import html
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
COLUMN, ROW, GAP = 53, 38, 8  # pixels of Grafana's grid
COLOURS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a"]
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "orange": "#ff780a", "red": "#f2495c", "blue": "#8ab8ff", "purple": "#b877d9"}


def ask(base, path, **query):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]["result"]


def filled_in(expression, step, terminal):
    text = expression.replace("$__rate_interval", f"{4 * step}s").replace("$site", ".*")
    return text.replace("$terminal", terminal)


def written(value, unit):
    if value is None or math.isnan(value):
        return "no data"
    if unit == "s":
        for size, name in [(86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")]:
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs" if value else "0 s"
    if unit == "bytes":
        return f"{value / 2**20:.1f} MiB"
    if unit == "percentunit":
        return f"{value * 100:.1f} %"
    return f"{value:.4g}" if value % 1 else f"{value:,.0f}"


def legend(target, labels):
    return re.sub(r"{{(\w+)}}", lambda name: labels.get(name[1], ""), target["legendFormat"]) or ", ".join(
        f"{name}={value}" for name, value in labels.items() if name not in ("__name__", "instance", "job")
    )


def colour_of(value, panel):
    colour = "green"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or (value is not None and value >= step["value"]):
            colour = step["color"]
    return NAMED.get(colour, colour)


def mapped(value, panel):
    for mapping in panel["fieldConfig"]["defaults"]["mappings"]:
        found = mapping["options"].get(f"{value:g}")
        if found:
            return found["text"], NAMED.get(found["color"], found["color"])
    return None


def draw_stat(panel, series, width, height):
    out = []
    for labels, points, _ in series:
        value = points[-1][1] if points else None
        defaults = panel["fieldConfig"]["defaults"]
        whole = value is not None and defaults.get("decimals") == 0
        text = f"{value:,.0f}" if whole else written(value, defaults["unit"])
        text, colour = mapped(value, panel) or (text, colour_of(value, panel))
        suffix = labels.get("currency", "")
        out.append(f'<div class="big" style="color:{colour}">{html.escape(text)} <small>{suffix}</small></div>')
    return "".join(out) or '<div class="big none">no data</div>'


def draw_lines(panel, series, width, height, start, end):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    stepped = panel["fieldConfig"]["defaults"]["custom"]["lineInterpolation"] == "stepAfter"
    left, bottom = 62, 18
    sums, tops = {}, []
    for labels, points, name in series:
        line = []
        for at, value in points:
            if math.isnan(value):
                continue
            if stacked:
                value = sums[at] = sums.get(at, 0) + value
            line.append((at, value))
        tops.append((name, line))
    values = [value for _, line in tops for _, value in line]
    low, high = min(values + [0]), max(values + [0])
    high = high if high > low else low + 1
    x = lambda at: left + (at - start) / (end - start) * (width - left - 6)
    y = lambda value: 6 + (high - value) / (high - low) * (height - bottom - 12)
    out = [f'<svg width="{width}" height="{height}">']
    for part in range(5):
        value = low + (high - low) * part / 4
        out.append(f'<line x1="{left}" x2="{width}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>')
        out.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{written(value, unit)}</text>')
    for part in range(5):
        at = start + (end - start) * part / 4
        anchor = "end" if part == 4 else "middle"
        out.append(f'<text x="{x(at):.0f}" y="{height - 2}" text-anchor="{anchor}">{time.strftime("%H:%M", time.gmtime(at))}</text>')
    for number, (name, line) in enumerate(tops):
        path, last = [], None
        for at, value in line:
            if stepped and last is not None:
                path.append(f"{x(at):.1f},{y(last):.1f}")
            path.append(f"{x(at):.1f},{y(value):.1f}")
            last = value
        out.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5"/>')
    out.append("</svg><div class=legend>")
    for number, (name, _) in enumerate(tops[:14]):
        out.append(f'<span style="color:{COLOURS[number % len(COLOURS)]}">▬</span> {html.escape(name)} &nbsp;')
    return "".join(out) + "</div>"


def draw_states(panel, series, width, height, start, end):
    left = 80
    tall = max(14, (height - 20) / max(len(series), 1))
    out = [f'<svg width="{width}" height="{height}">']
    for number, (_, points, name) in enumerate(series):
        top = number * tall
        out.append(f'<text x="{left - 6}" y="{top + tall / 2 + 4:.0f}" text-anchor="end">{html.escape(name)}</text>')
        shown = None
        for (at, value), (then, _) in zip(points, points[1:] + [(end, 0)]):
            text, colour = mapped(value, panel) or (f"{value:g}", "#888")
            x = left + (at - start) / (end - start) * (width - left)
            wide = (then - at) / (end - start) * (width - left) + 0.5
            out.append(f'<rect x="{x:.1f}" y="{top + 1:.1f}" width="{wide:.1f}" height="{tall - 2:.1f}" fill="{colour}" opacity=".7"/>')
            if text != shown:
                out.append(f'<text x="{x + 4:.1f}" y="{top + tall / 2 + 4:.0f}" class="on">{text}</text>')
            shown = text
    return "".join(out) + "</svg>"


def draw_table(panel, answers):
    renamed, rows = {}, {}
    for change in panel.get("transformations", []):
        renamed.update(change["options"].get("renameByName", {}))
    for letter, series in answers:
        for labels, points, _ in series:
            key = tuple(sorted((k, v) for k, v in labels.items() if k not in ("__name__", "job", "instance")))
            column = renamed.get(f"Value #{letter}", "value")
            value = points[-1][1]
            text = written(time.time() - value / 1000, "s") + " ago" if column == "reconciled" and value else written(value, "short")
            rows.setdefault(key, {})[column] = text
    columns = [name for row in list(rows.items())[:1] for name, _ in row[0]] + list(next(iter(rows.values()), {}))
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape({**dict(key), **row}.get(column, ''))}</td>" for column in columns) + "</tr>"
        for key, row in sorted(rows.items())
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def draw(panel, base, start, end, step, terminal):
    place = panel["gridPos"]
    left, top = place["x"] * COLUMN, place["y"] * ROW
    wide, tall = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    box = f'style="left:{left}px;top:{top}px;width:{wide}px;height:{tall}px"'
    if panel["type"] == "row":
        return f'<div class="row" {box}>{html.escape(panel["title"])}</div>'
    answers = []
    for target in panel["targets"]:
        expression = filled_in(target["expr"], step, terminal)
        if target["instant"]:
            found = [(s["metric"], [(float(s["value"][0]), float(s["value"][1]))]) for s in ask(base, "query", query=expression, time=end)]
        else:
            found = ask(base, "query_range", query=expression, start=start, end=end, step=step)
            found = [(s["metric"], [(float(at), float(value)) for at, value in s["values"]]) for s in found]
        answers.append((target["refId"], [(labels, points, legend(target, labels)) for labels, points in found]))
    series = [one for _, found in answers for one in found]
    inner_wide, inner_tall = wide - 20, tall - 62
    kind = panel["type"]
    if kind == "stat":
        body = draw_stat(panel, series, inner_wide, inner_tall)
    elif kind == "timeseries":
        body = draw_lines(panel, series, inner_wide, inner_tall, start, end)
    elif kind == "state-timeline":
        body = draw_states(panel, series, inner_wide, tall - 36, start, end)
    else:
        body = draw_table(panel, answers)
    return f'<div class="panel" title="{html.escape(panel["description"])}" {box}><h3>{html.escape(panel["title"])}</h3>{body}</div>'


STYLE = """body{margin:0;background:#111217;color:#ccccdc;font:12px sans-serif}h1{font-size:18px;padding:12px 16px;margin:0}
main{position:relative;margin:0 12px}.panel,.row{position:absolute;box-sizing:border-box}.panel{background:#181b1f;border:1px solid #2c2e33;
padding:6px 10px;overflow:hidden}h3{margin:0 0 4px;font-size:13px;font-weight:500}.row{font-weight:600;padding:10px 4px}
.big{font-size:26px;text-align:center;padding-top:14px}.none{color:#777}small{font-size:13px}svg text{fill:#9fa1a8;font-size:11px}
svg text.on{fill:#fff}.grid{stroke:#2c2e33}.legend{font-size:11px;white-space:nowrap;overflow:hidden}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:4px 8px;border-bottom:1px solid #2c2e33}th{color:#6e9fff}"""


def main():
    base, folder = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 60
    end = time.time()
    start = end - 60 * minutes
    step = max(1, int(60 * minutes / 240))
    terminals = sorted(s["metric"]["terminal"] for s in ask(base, "query", query="quittance_link_up"))
    for file in sorted(FOLDER.glob("*.json")):
        board = json.loads(file.read_text(encoding="utf-8"))
        variables = {variable["name"]: variable for variable in board["templating"]["list"]}
        one = "terminal" in variables and not variables["terminal"]["multi"]
        terminal = (terminals[0] if terminals else "none") if one else ".*"
        panels = "".join(draw(panel, base, start, end, step, terminal) for panel in board["panels"])
        tall = max((p["gridPos"]["y"] + p["gridPos"]["h"]) for p in board["panels"]) * ROW + 60
        title = html.escape(board["title"] + (f" · {terminal}" if one else ""))
        page = f"<!DOCTYPE html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style><h1>{title}</h1><main style='height:{tall}px'>{panels}</main>"
        (folder / f"{file.stem}.html").write_text(page, encoding="utf-8")
        print(folder / f"{file.stem}.html", 24 * COLUMN + 24, tall)


if __name__ == "__main__":
    main()
