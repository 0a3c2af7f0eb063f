// All units at a glance; on a machine without any, what to write.
import {get, post, unitPath} from "./api.js";
import {Chart} from "./chart.js";
import {button} from "./dialog.js";
import {bytes, el, fill, localTimes, moment, plural, setText, span} from "./dom.js";
import {overall, SIGNS, unitLine, verdict} from "./words.js";

export function tag(unit) {
	const element = el("span", {class: "tag"});
	const update = now => {
		const [tone, word] = verdict(now);
		element.dataset.tone = tone;
		setText(element, SIGNS[tone] + " " + word);
	};
	update(unit);
	return {element, update};
}

export function rateWords(now, most) {
	return "Throughput of the last two minutes: now " + bytes(now) + "/s, at most " + bytes(most) + "/s";
}

const NAMED = 5; // units that the banner names

function href(unit) {
	return "#/" + encodeURIComponent(unit.unit);
}

// How far it is: brought back, or sent for the first time. Later on what is left says nothing about the whole.
function progressOf(folder) {
	const restoring = folder.restoring;
	if (restoring?.of_size_bytes) return [restoring.size_bytes, restoring.of_size_bytes, "Brought back"];
	return !folder.last_sync && folder.left_bytes > 0 ? [folder.moved_bytes, folder.moved_bytes + folder.left_bytes, "First sync"] : null;
}

function folderCard(state, unit) {
	const mark = tag(unit), line = el("p"), sizes = el("p", {class: "dim"}), bar = el("progress");
	const chart = new Chart(state.charts.get(unit.unit), rateWords);
	const sync = button("Sync now", () => post(unitPath(unit.unit, "/sync")), {"aria-label": "Sync " + unit.name + " now"});
	const pause = button("", () => post(unitPath(unit.unit, pause.dataset.paused ? "/resume" : "/pause")));
	const look = el("a", {class: "button", href: href(unit)}, "What waits?");
	const update = now => {
		const folder = now.folder || {}, part = progressOf(folder);
		mark.update(now);
		setText(line, unitLine(now));
		setText(sizes, plural(folder.files || 0, "file") + ", " + bytes(folder.size_bytes || 0));
		bar.hidden = !part;
		if (part) {
			[bar.value, bar.max] = part;
			bar.setAttribute("aria-label", part[2]);
		}
		pause.dataset.paused = folder.paused ? "yes" : "";
		setText(pause, folder.paused ? "Resume" : "Pause");
		pause.setAttribute("aria-label", (folder.paused ? "Resume " : "Pause ") + unit.name);
		look.hidden = !now.needs_person;
	};
	update(unit);
	const element = el("li", {class: "card", "data-unit": unit.unit},
		el("div", {class: "row spread"}, el("h3", {}, el("a", {class: "title", href: href(unit)}, unit.name)), mark.element),
		line, bar, sizes, chart.svg, el("div", {class: "row"}, sync, pause, look));
	return {element, update, tick: () => chart.draw()};
}

export function serviceButtons(unit) {
	const order = verb => () => post(unitPath(unit.unit, "/" + verb));
	const start = button("Start", order("start"), {"aria-label": "Start " + unit.name});
	const stop = button("Stop", order("stop"), {"aria-label": "Stop " + unit.name});
	const restart = button("Restart", order("restart"), {"aria-label": "Restart " + unit.name});
	const update = now => {
		start.hidden = now.wanted && now.state !== "failed";
		stop.hidden = !now.wanted;
		restart.hidden = !now.wanted;
	};
	update(unit);
	return {elements: [start, stop, restart], update};
}

export function usedWords(service) {
	const words = [];
	if (service?.memory_bytes > 0) words.push(bytes(service.memory_bytes) + " of memory");
	if (Number.isFinite(service?.cpu_percent)) words.push(service.cpu_percent.toFixed(service.cpu_percent < 10 ? 1 : 0) + " % of a processor");
	return words.join(", ");
}

function serviceCard(state, unit) {
	const mark = tag(unit), line = el("p"), used = el("p", {class: "dim"}), buttons = serviceButtons(unit);
	let last = unit;
	const update = now => {
		last = now;
		mark.update(now);
		setText(line, unitLine(now));
		setText(used, usedWords(now.service));
		buttons.update(now);
	};
	update(unit);
	const element = el("li", {class: "card", "data-unit": unit.unit},
		el("div", {class: "row spread"}, el("h3", {}, el("a", {class: "title", href: href(unit)}, unit.name)), mark.element),
		line, used, el("div", {class: "row"}, buttons.elements, el("a", {class: "button", href: href(unit)}, "Log")));
	return {element, update, tick: () => setText(line, unitLine(last))};
}

function stepCard(state, unit) {
	const mark = tag(unit), line = el("p");
	const update = now => {
		mark.update(now);
		setText(line, unitLine(now));
	};
	update(unit);
	const element = el("li", {class: "card", "data-unit": unit.unit},
		el("div", {class: "row spread"}, el("h3", {}, el("a", {class: "title", href: href(unit)}, unit.name)), mark.element), line);
	return {element, update};
}

const EXAMPLE = `[remote cloud]
type = s3
bucket = my-backups

[folder documents]
path = ~/Documents
remote = cloud:Documents

[service jupyter]
command = jupyter notebook --no-browser`;

function firstRun(status) {
	const findings = el("ul");
	// An older tendd has no doctor: then there is nothing to show.
	get("/v1/doctor").then(answer => fill(findings, (answer.findings || []).filter(finding => !["good", "ok"].includes(finding.level)).map(finding =>
		el("li", {}, finding.level + ": " + (finding.text || finding.check) + (finding.cure ? ": " + finding.cure : ""))))).catch(() => {});
	return el("section", {class: "panel", id: "first-run"},
		el("h1", {}, "Welcome to tend"),
		el("p", {}, "It runs, and has nothing to do yet: its configuration names no folder, no service and no step."),
		el("p", {}, "Three questions write one: ", el("code", {}, "tend init"), " in a terminal. Or by hand:"),
		el("ol", {},
			el("li", {}, "Open ", el("code", {}, status.configuration?.path || "tend.ini"), " in an editor and write, for example:", el("pre", {}, EXAMPLE)),
			el("li", {}, "A cloud that wants you to sign in: ", el("code", {}, "tend auth cloud"), ". Is it reachable? ", el("code", {}, "tend remote check cloud")),
			el("li", {}, "Then ", el("code", {}, "tend reload"), ", or: ", button("Read the configuration", () => post("/v1/reload"), {class: "main"}), " What you wrote appears here by itself.")), findings);
}

function noteOf(status) {
	const notes = [];
	if (status.configuration?.error) notes.push(["The configuration was refused, the one before holds", status.configuration.error]);
	if (status.keeper) notes.push(["Services cannot be started now", status.keeper]);
	if (status.preempt?.text) notes.push(["This machine is being taken away", status.preempt.text + (status.preempt.deadline ? ", at " + moment(status.preempt.deadline) : "")]);
	return [...notes.map(([title, text]) => el("section", {class: "panel call"}, el("h3", {}, title), el("p", {class: "path"}, text))), status.idle?.idle && idlePanel(status.idle)];
}

const AWAKE_HOURS = 4;

// What keeps the machine awake, or how long until it goes off; where this tendd looks at that.
function idlePanel(idle) {
	if (!idle) return null;
	const awake = () => post("/v1/awake", {duration_seconds: AWAKE_HOURS * 3600});
	return el("section", {class: idle.idle ? "panel call" : "panel", "aria-label": "Idle"},
		el("h3", {}, idle.idle ? "Idle" + (idle.left_seconds >= 0 && idle.left_seconds !== null ? ": " + (idle.action || "off") + " in " + span(idle.left_seconds) : "") : "Awake"),
		el("p", {}, localTimes(idle.why)), idle.awake && el("p", {}, "Kept awake " + (idle.awake_until ? "until " + moment(idle.awake_until) : "for good")),
		idle.warning && el("p", {}, idle.warning), idle.dry_run && el("p", {class: "dim"}, "dry_run: it is only said."),
		el("div", {class: "row"}, button("Stay awake for " + AWAKE_HOURS + " hours", awake), idle.awake && button("No longer", () => post("/v1/awake", {off: true}))));
}

const KINDS = [["folder", "Folders", folderCard], ["service", "Services", serviceCard], ["step", "Steps", stepCard]];

export function overviewView(state) {
	const element = el("div"), notes = el("div"), idle = el("div");
	let cards = new Map(), banner;
	const units = () => [...state.units.values()].filter(unit => KINDS.some(([kind]) => kind === unit.kind));

	function showBanner() {
		const [tone, title, text, about] = overall(units());
		banner.element.dataset.tone = tone;
		setText(banner.sign, SIGNS[tone]);
		setText(banner.title, title);
		const names = about.map(unit => unit.unit).join();
		if (banner.told === text + names) return;
		banner.told = text + names;
		const links = about.slice(0, NAMED).map((unit, i) => [i ? ", " : "", el("a", {href: href(unit)}, unit.unit)]);
		fill(banner.text, text, links, about.length > NAMED && " and " + (about.length - NAMED) + " more");
	}

	function all() {
		cards = new Map();
		if (units().length === 0) {
			banner = null;
			fill(element, notes, firstRun(state.status || {}), idle);
			return;
		}
		banner = {sign: el("span", {class: "sign", "aria-hidden": "true"}), title: el("h1", {id: "verdict"}), text: el("p")};
		banner.element = el("section", {class: "banner", "aria-live": "polite"}, banner.sign, el("div", {}, banner.title, banner.text));
		const sections = KINDS.map(([kind, title, card]) => {
			const some = units().filter(unit => unit.kind === kind).sort((a, b) => a.name.localeCompare(b.name));
			if (!some.length) return null;
			const list = some.map(unit => {
				const made = card(state, unit);
				cards.set(unit.unit, made);
				return made.element;
			});
			return el("section", {"aria-label": title}, el("h2", {}, title + " ", el("span", {class: "count"}, String(some.length))), el("ul", {class: "cards"}, list));
		});
		fill(element, notes, banner.element, sections, idle);
		showBanner();
	}
	// What is about to happen stands above all else; what keeps the machine awake, below what it is there for.
	const machine = () => {
		fill(notes, noteOf(state.status || {}));
		fill(idle, state.status?.idle && !state.status.idle.idle && idlePanel(state.status.idle));
	};
	machine();
	all();
	// A list that is being read is built anew only when a unit came or went.
	return {
		element,
		all() {
			const now = units();
			if (now.length !== cards.size || now.some(unit => !cards.has(unit.unit))) all();
			else for (const unit of now) this.update(unit);
			machine();
		},
		machine,
		update(unit) {
			const card = cards.get(unit.unit);
			if (card) card.update(unit);
			else if (KINDS.some(([kind]) => kind === unit.kind)) all();
			if (banner) showBanner();
		},
		gone: all,
		tick() {
			for (const card of cards.values()) card.tick?.();
		},
	};
}
