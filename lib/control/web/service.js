// One service: how it stands, its buttons, its log as it is written.
import {unitPath} from "./api.js";
import {el, fill, number, setText} from "./dom.js";
import {logPanel} from "./log.js";
import {serviceButtons, tag, usedWords} from "./overview.js";
import {exitWords, unitLine} from "./words.js";

export function facts(rows) {
	return el("dl", {class: "facts"}, rows.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function head(unit, mark) {
	return [el("p", {}, el("a", {href: "#/"}, "← Overview")), el("div", {class: "row"}, el("h1", {}, unit.name), mark.element)];
}

export function serviceView(state, unit) {
	const mark = tag(unit), line = el("p"), list = el("div"), buttons = serviceButtons(unit);
	let now = unit;
	const log = logPanel(unitPath(unit.unit, "/log?lines=10000"));
	const update = other => {
		if (other.unit !== unit.unit) return;
		now = other;
		const service = now.service || {};
		mark.update(now);
		setText(line, unitLine(now));
		buttons.update(now);
		fill(list, facts([
			["Command", el("code", {}, service.command || "")],
			["Process", service.pid && String(service.pid)],
			["Uses", usedWords(service)],
			["Restarts", service.restarts > 0 && number(service.restarts)],
			["Failures in a row", service.failures > 0 && number(service.failures)],
			["Last end", exitWords(service.exit)],
			["Waits for", now.waits_for?.join(", ")],
			["Goes along with it", now.dependents?.join(", ")],
			["Degraded", service.degraded],
			["Log file", service.log && el("span", {class: "path"}, service.log)],
		]));
	};
	update(unit);
	return {
		element: el("div", {}, head(unit, mark), line, el("div", {class: "row"}, buttons.elements),
			el("section", {class: "panel"}, list), el("section", {class: "panel", "aria-label": "Log"}, el("h2", {}, "Log"), log.element)),
		update,
		all: () => state.units.has(unit.unit) && update(state.units.get(unit.unit)),
		gone: id => id === unit.unit && (location.hash = "#/"),
		tick: () => setText(line, unitLine(now)),
		close: log.close,
	};
}
