#!/usr/bin/env python3
"""Makes benches/results.json and benches/RESULTS.md of what the benches left in target/bench/results.

What waymark is held to stands here, as `TARGETS`: one line for each thing that has to hold.
"""

import json
import math
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEASURED = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "bench" / "results"
RESULTS = ROOT / "benches" / "results.json"
PAGE = ROOT / "benches" / "RESULTS.md"

EMPTY_HTTP = "HTTP/1.1 /healthz"
MILLION = 1_000_000


@dataclass(frozen=True)
class Target:
    """What has to hold, and where it was measured."""

    id: str
    what: str
    sheet: tuple  # bench, shape, sites
    figure: str  # how the figure's name begins
    field: str  # value, ratio, p99_us
    hold: str  # at_least or at_most
    limit: float | None  # none for what is told and not held
    unit: str
    scale: float = 1.0


MAP = ("map", "many", MILLION)
SEARCH = ("search", "one", MILLION)
LOAD = ("load", "many", MILLION)
TEN = ("load", "one", 10 * MILLION)
FILES = ("geoip", "files", 100_000)
GAZETTEER = ("geocode", "gazetteer", 5_000)
AGENTS = ("activation", "agents", 10_000)
GROWTH = ("growth", "one", 10 * MILLION)
FLEET = ("fleet", "one", MILLION)
DASHBOARD = ("dashboard", "one", MILLION)


def rate(id, what, sheet, figure, limit):
    return Target(id, what, sheet, figure, "value", "at_least", limit, "/s")


def share(id, what, figure, limit):
    return Target(id, what, LOAD, figure, "ratio", "at_least", limit, "× the empty call")


def found(id, writing, limit):
    what = f"addresses of Iceland found at the right door, {writing}"
    return Target(id, what, GAZETTEER, f"addresses of Iceland, {writing}", "value", "at_least", limit, "%")


def most(id, what, sheet, figure, limit, unit, field="value", scale=1.0):
    return Target(id, what, sheet, figure, field, "at_most", limit, unit, scale)


def told(id, what, sheet, figure, unit, scale=1.0):
    return Target(id, what, sheet, figure, "value", "at_most", None, unit, scale)


TARGETS = [
    share("M1", "vector tiles z0–z14 where sites are, over HTTP/1.1, 8 connections", "HTTP/1.1 tiles z0-z14", 0.6),
    most("M1-p99", "the same, 99 of 100 within", LOAD, "HTTP/1.1 tiles z0-z14", 2.0, "ms", "p99_us", 1e-3),
    rate("M1b", "the same tiles in process, one thread, encoded", MAP, "tiles z0-z14", 100_000),
    share("M2-world", "QueryViewport, the world at z2, over gRPC", "gRPC viewport world z2", 0.5),
    share("M2-city", "QueryViewport, a city at z11, 1280×800", "gRPC viewport city z11", 0.5),
    rate("M3-100", "sites in a box, ~100 returned, over gRPC", LOAD, "gRPC box, ~100 sites", 20_000),
    rate("M3-1000", "sites in a box, ~1,000 returned", LOAD, "gRPC box, ~1,000 sites", 5_000),
    share("M4", "10 nearest, with metres, over gRPC", "gRPC nearest 10", 0.6),
    rate("M5-radius", "radius of 10 km, ~100 returned, over gRPC", LOAD, "gRPC radius 10 km, ~100 sites", 15_000),
    rate("M5-polygon", "polygon of 100 vertices, ~100 returned", LOAD, "gRPC polygon of 100 corners", 15_000),
    most("M6-tiles", "time of M1's request, 10 M sites over 10,000", GROWTH, "HTTP/1.1 tiles:", 1.5, "×"),
    most("M6-world", "time of M2's request for the world", GROWTH, "gRPC world:", 1.5, "×"),
    most("M6-city", "time of M2's request for a city", GROWTH, "gRPC city:", 1.5, "×"),
    rate("M7-status", "change of status applied to the index, in process", MAP, "change of status", 300_000),
    rate("M7-position", "change of position applied to the index", MAP, "change of position", 300_000),
    most("M7-p99", "growth of tiles' p99 by 10,000 changes/s, the engine alone: one reader in process", MAP, "p99 growth by", 1.5, "×"),
    most("M7-p99-http", "growth of M1's p99 by 10,000 changes/s, over HTTP, 8 connections", LOAD, "p99 growth of HTTP tiles", 1.5, "×"),
    most("S1-id", "search in one account, a whole id, p99", SEARCH, "a whole id", 1.0, "ms", "p99_us", 1e-3),
    most("S1-typing", "the same, the first 3 letters of any word", SEARCH, "the first 3 of any", 1.0, "ms", "p99_us", 1e-3),
    most("S1-letter", "the same, one letter", SEARCH, "the first 1 of any", 5.0, "ms", "p99_us", 1e-3),
    most("S1-broad", "the same, two words that all sites have", SEARCH, "two words that all", 10.0, "ms", "p99_us", 1e-3),
    most("S2", "memory of the search index, a site", SEARCH, "index bytes a site", 250, "B"),
    rate("M8", "durable writes through the API, 64 writers", LOAD, "gRPC durable change of status, 64", 15_000),
    Target("M8-disk", "the same, beside append and fdatasync", LOAD, "gRPC durable change of status, 64", "ratio", "at_least", 3.0, "× the disk"),
    Target("M8-one", "the same, one writer", LOAD, "gRPC durable change of status, 1 ", "ratio", "at_least", 0.6, "× the disk"),
    most("M15", "a write seen by a watch at another replica, p99, quiet", FLEET, "from the begin of the write to a watch", 50, "ms", "p99_us", 1e-3),
    most("M15-1000", "the same, by each of 1,000 watches of sites", FLEET, "from the begin of a write to each of 1,000 watchers", 50, "ms", "p99_us", 1e-3),
    most("M15-map", "the same, by each of 1,000 open map streams", FLEET, "from the begin of a write to each of 1,000 map streams", 50, "ms", "p99_us", 1e-3),
    most("M15-busy", "a write seen by a watch at another replica, p99, at 1,000 writes/s", FLEET, "at 1,000 writes/s, from the begin of a write to a watch", 250, "ms", "p99_us", 1e-3),
    most("M15-map-busy", "the same, by each of 1,000 open map streams", FLEET, "at 1,000 writes/s, from the begin of a write to each of 1,000 map streams", 250, "ms", "p99_us", 1e-3),
    most("M16", "resync of a replica, 1 M sites", FLEET, "resync of all sites", 20, "s"),
    Target("M9", "ActivateAgent, 64 at once", AGENTS, "gRPC ActivateAgent, 64", "ratio", "at_least", 0.3, "× the empty call"),
    most("M10-1m", "ready after start, 1 M sites", LOAD, "ready after a clean end", 2.0, "s"),
    most("M10-1m-killed", "the same after kill -9 while 8 write", LOAD, "ready after kill -9", 2.0, "s"),
    most("M10-10m", "ready after start, 10 M sites", TEN, "ready after a clean end", 20.0, "s"),
    most("M10-10m-killed", "the same after kill -9 while 8 write", TEN, "ready after kill -9", 20.0, "s"),
    most("M11-site", "memory of index and names, a site", MAP, "resident bytes a site", 200, "B"),
    told("M11-texts", "the same with all texts that filters look at", MAP, "with all texts", "B"),
    most("M11-idle", "idle process without data files", LOAD, "process without sites", 64, "MB", scale=1.048576),
    most("M12", "time of a GeoIP look-up to a fix, in process", FILES, "look-up to a fix", 1.2, "× raw decode_path", "ratio"),
    most("M13-suggest", "suggestions while typing, whole gazetteer, p99", GAZETTEER, "suggest while", 10, "ms", "p99_us", 1e-3),
    most("M13-geocode", "free text to candidates, p99", GAZETTEER, "geocode free text, one", 30, "ms", "p99_us", 1e-3),
    rate("M13-rate", "the same, all cores", GAZETTEER, "geocode free text, all", 1_000),
    most("M13-open", "index opened", GAZETTEER, "index opened", 100, "ms"),
    found("M14-written", "as written", 99),
    found("M14-typo", "one typo", 95),
    found("M14-accents", "without accents", 98),
    most("M17-bytes", "page, workers, fonts and calls over the wire until the first map, in br", DASHBOARD, "bytes shipped", 700, "kB", scale=1e-3),
    most("M17-gzip", "the same files in gzip, without heads", DASHBOARD, "its files in gzip", 700, "kB", scale=1e-3),
    most("M17-map", "first map after log-in, 1 M demo sites in one account, on loopback", DASHBOARD, "first map", 2.0, "s", scale=1e-3),
    most("M17-task", "longest task of the page's thread, dragged and zoomed z0–z14, by the clock", DASHBOARD, "longest task by the clock", 100, "ms"),
    told("M17-task-cpu", "the same by processor time", DASHBOARD, "longest task by processor time", "ms"),
    told("M17-heap", "heap of the page behind that", DASHBOARD, "heap of the page", "MB", 1e-6),
    told("M17-memory", "the whole process of page and workers", DASHBOARD, "process of page and workers", "MB", 1e-6),
]


def main():
    sheets = [json.loads(path.read_text()) for path in sorted(MEASURED.glob("*.json"))]
    if not sheets:
        sys.exit(f"report: nothing was measured: {MEASURED} holds no results; run make bench")
    order = ["map", "search", "store", "load", "overload", "fleet", "growth", "activation", "geoip", "geocode", "dashboard", "compare"]
    sheets.sort(key=lambda sheet: (order.index(sheet["bench"]), sheet["shape"], sheet["sites"]))
    versions = MEASURED / "compare.versions"
    results = {
        "date": day(max(sheet["measured_at"] for sheet in sheets)),
        "compared": versions.read_text().strip() if versions.exists() else None,
        "figures": {target.id: held(target, sheets) for target in TARGETS},
        "sheets": sheets,
    }
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text("\n".join(page(results)) + "\n")
    met = [figure["met"] for figure in results["figures"].values() if figure["hold"] is not None]
    print(f"report: {met.count(True)} met, {met.count(False)} not, {met.count(None)} open; {PAGE.name} says which")


def day(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def sheet_of(target, sheets):
    """The sheet that a target is about, or the largest smaller one of its kind."""
    bench, shape, sites = target.sheet
    alike = [sheet for sheet in sheets if (sheet["bench"], sheet["shape"]) == (bench, shape)]
    if target.sheet == TEN:
        alike = [sheet for sheet in alike if sheet["sites"] == sites]
    fitting = [sheet for sheet in alike if sheet["sites"] <= sites]
    return max(fitting, key=lambda sheet: sheet["sites"], default=None)


def held(target, sheets):
    """A target with what was measured; `met` is null where nothing was, or not on as many sites."""
    sheet = sheet_of(target, sheets)
    about = {"what": target.what, "hold": target.limit, "hold_is": target.hold, "unit": target.unit}
    figures = [f for f in sheet["figures"] if f["what"].startswith(target.figure)] if sheet else []
    measured = figures[0].get(target.field) if figures else None
    if measured is None or math.isnan(measured):
        return {**about, "value": None, "compared_with": None, "met": None, "runs": [], "date": None, "sites": None}
    value = measured * target.scale
    met = None if target.limit is None else is_met(value, target)
    # Said, and no verdict: fewer sites prove nothing.
    if sheet["sites"] < target.sheet[2]:
        met = None
    rounds = [run * target.scale for run in rounds_of(figures[0], target.field)]
    return {
        **about,
        "value": value,
        "compared_with": figures[0].get("compared_with") if target.field == "ratio" else None,
        "met": met,
        "runs": rounds,
        "is_close": met is not None and any(is_met(run, target) != met for run in rounds),
        "rate": figures[0]["value"],
        "rate_unit": figures[0]["unit"] if figures[0]["unit"] == "/s" else f" {figures[0]['unit']}",
        "date": day(sheet["measured_at"]),
        "sites": sheet["sites"],
        "accounts": sheet["accounts"],
        "machine": sheet["machine"],
        "name": figures[0]["what"],
    }


def is_met(value, target):
    return value >= target.limit if target.hold == "at_least" else value <= target.limit


def rounds_of(figure, field):
    """What each round had, where a round has it: percentiles are of all rounds together."""
    return {"value": figure["runs"], "ratio": figure.get("ratios", [])}.get(field, [])


def page(results):
    # By their values: 8.0 GiB are written as 8 by some benches.
    machines = {tuple(sorted(sheet["machine"].items())) for sheet in results["sheets"]}
    about = results["sheets"][0]["machine"]
    commits = sorted({sheet["machine"]["commit"] for sheet in results["sheets"]})
    yield "# What waymark was measured to do"
    yield ""
    yield "Made by `benches/report.py`; what each bench measures, and how to run it, is in [README.md](README.md)."
    yield ""
    yield f"- machine: {about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB of memory, Linux {about['kernel']}"
    yield f"- {about['rustc']}, release profile with link-time optimization, as `make dist` builds; commit {', '.join(commits)}"
    if len(machines) > 1:
        yield "- **not all of one commit and machine**: each table names its own"
    yield f"- last measured {results['date']}"
    yield "- rates and ratios are medians over rounds: over sockets of calls that take turns within each round, in process of one call"
    yield "  after the other; p50 and p99 are of all calls of all rounds; starts are medians of 3; loading and memory are taken once"
    yield "- connections call in closed loops, so a stall is one slow call and not the many that would have come meanwhile: p99 hides it;"
    yield "  calls of `overload` come at a pace instead, and wait for no answer"
    yield "- load generator, servers and what they are compared with share these cores, over loopback"
    yield f"- the empty call is `{EMPTY_HTTP}`, which asks for no credential, for HTTP; `AdminService/WhoAmI`, which does, for gRPC"
    yield ""
    yield from targets(results["figures"])
    compared = [sheet for sheet in results["sheets"] if sheet["bench"] == "compare"]
    for sheet in compared:
        yield from comparison(sheet, results["compared"])
    yield "## All measurements"
    for sheet in results["sheets"]:
        yield from table(sheet)


def targets(figures):
    yield "## What is held"
    yield ""
    yield "On 1 M sites in 2,000 accounts, the largest with 100,000, unless said."
    yield ""
    yield "| id | what | hold | measured | |"
    yield "|---|---|---|---|---|"
    for id, figure in figures.items():
        sign = "≥" if figure["hold_is"] == "at_least" else "≤"
        hold = "–" if figure["hold"] is None else f"{sign} {number(figure['hold'])} {figure['unit']}"
        few = "told, not held" if figure["hold"] is None else "too few sites to say"
        none = "not measured" if figure["value"] is None else few
        met = {True: "met", False: "**not met**", None: none}[figure["met"]]
        if id.startswith("M10") and figure["runs"]:
            met += f"; starts in turn: {', '.join(number(run) for run in figure['runs'])}"
        elif figure.get("is_close"):
            met += f", close: rounds from {number(min(figure['runs']))} to {number(max(figure['runs']))}"
        yield f"| {id} | {figure['what']} | {hold} | {measured(id, figure)} | {met} |"
    yield ""


def measured(id, figure):
    if figure["value"] is None:
        return "–"
    text = f"{number(figure['value'])} {figure['unit']}"
    if figure["compared_with"]:
        text = f"{number(figure['value'])} ({number(figure['rate'])}{figure['rate_unit']})"
    if id.startswith("M6"):
        text += f", {figure['name'].split(': ')[1]}"
    elif figure["met"] is None and figure["hold"] is not None:
        text += f", on {figure['sites']:,} sites"
    return text


def comparison(sheet, versions):
    """One line a question, one column for each that was asked."""
    asked, who = {}, []
    for figure in sheet["figures"]:
        what, _, by = figure["what"].partition(" by ")
        if figure["value"] is not None:
            asked.setdefault(what, {})[by] = figure["value"]
            who += [by] if by not in who else []
    yield f"## Beside what one would take instead: {sheet['sites']:,} sites in one account"
    yield ""
    if versions:
        yield f"{versions}."
    yield f"Measured {day(sheet['measured_at'])}, a second, in alternating rounds. In process: one thread, tiles to their bytes."
    yield "Others: 8 connections. PostGIS groups by cells in SQL; Redis gives ids, positions and metres only, has no polygons, and finds the"
    yield "nearest by radius. The tables, queries and settings are in [compare](compare) and [load/compare](load/compare)."
    yield ""
    yield f"| | {' | '.join(who)} |"
    yield f"|---|{'---:|' * len(who)}"
    for what, rates in asked.items():
        yield f"| {what} | {' | '.join(number(rates[by]) if by in rates else '–' for by in who)} |"
    for figure in sheet["figures"]:
        if figure["value"] is None:
            what, _, by = figure["what"].partition(" by ")
            yield f"\n{by}{'' if what == 'all' else f', {what}'}: {figure['note']}."
    yield ""


def table(sheet):
    accounts = "one account" if sheet["accounts"] == 1 else f"{sheet['accounts']:,} accounts"
    about = {
        "store": f"{sheet['shape']}: durable commits of one site, of {sheet['sites']:,} in one account",
        "overload": f"three times too much of one account, and another that asks a little; {sheet['sites']:,} sites in {accounts}",
        "fleet": f"two replicas over one Redis, {sheet['sites']:,} sites in {accounts}",
        "geoip": f"{sheet['sites']:,} addresses of real networks, in turn",
        "geocode": f"{sheet['sites']:,} of Iceland's addresses, of the world's towns and of its postcodes",
        "activation": f"{sheet['sites']:,} agents and more in one account",
        "dashboard": f"the page in Chromium, {sheet['sites']:,} sites in one account",
    }
    yield ""
    title = about.get(sheet["bench"], f"{sheet['sites']:,} sites in {accounts}")
    yield f"### {sheet['bench']}: {title}"
    yield ""
    built = {"bench": "", "release": " The server is a release build without link-time optimization."}
    profile = built.get(sheet["profile"], f" **Built as {sheet['profile']}: no measure of anything.**")
    about = sheet["machine"]
    yield f"Measured {day(sheet['measured_at'])}, commit {about['commit']}, {about['rustc']}, {about['cpu']}, {about['cores']} cores.{profile}"
    if any("server_us" in figure for figure in sheet["figures"]):
        yield "CPU: time of all cores that a call takes of the server, and of the generator beside it."
    yield ""
    yield "| what | value | p50 µs | p99 µs | CPU µs | compared | note |"
    yield "|---|---:|---:|---:|---:|---|---|"
    for figure in sheet["figures"]:
        value = "–" if figure["value"] is None else f"{number(figure['value'])} {figure['unit']}"
        compared = ""
        if figure.get("ratio") is not None:
            ratios = figure.get("ratios") or [figure["ratio"]]
            compared = f"{number(figure['ratio'])} of {figure['compared_with']} ({number(min(ratios))}–{number(max(ratios))})"
        cpu = f"{number(figure['server_us'])} + {number(figure['generator_us'])}" if "server_us" in figure else ""
        p50, p99 = (number(figure[name]) if name in figure else "" for name in ("p50_us", "p99_us"))
        yield f"| {figure['what']} | {value} | {p50} | {p99} | {cpu} | {compared} | {figure.get('note', '')} |"


def number(value):
    """Three figures that count."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


if __name__ == "__main__":
    main()
