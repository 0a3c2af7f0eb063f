// One step: what it would do, its output, and a button that runs it.
import {get, post, unitPath} from "./api.js";
import {button, confirm} from "./dialog.js";
import {el, fill, moment, number, setText} from "./dom.js";
import {logPanel} from "./log.js";
import {tag} from "./overview.js";
import {facts, head} from "./service.js";
import {unitLine} from "./words.js";

async function planOf(unit) {
	const plan = await get("/v1/plan");
	return plan.steps.find(step => step.unit === unit.unit) || {};
}

export function stepView(state, unit) {
	const mark = tag(unit), line = el("p"), list = el("div"), plan = el("div");
	const log = logPanel(unitPath(unit.unit, "/log?lines=10000"));
	const look = button("What would it do?", async () => {
		const step = await planOf(unit);
		fill(plan, el("p", {}, step.verdict + ": " + (step.why || "")), step.diff && el("pre", {}, step.diff));
	});
	const run = button("Run it", async () => {
		const step = await planOf(unit);
		const yes = await confirm({title: "Run the step " + unit.name + "?", text: step.subject, more: step.diff || step.why, action: "Run it"});
		if (yes) await post(unitPath(unit.unit, "/run"));
	}, {class: "main"});
	const update = now => {
		if (now.unit !== unit.unit) return;
		const step = now.step || {};
		mark.update(now);
		setText(line, unitLine(now));
		fill(list, facts([
			["Kind", step.kind],
			["Why", step.why],
			["Process", step.pid && String(step.pid)],
			["Tries", step.tries > 1 && number(step.tries)],
			["Last done", step.done && moment(step.done)],
			["Next try", step.next_try && moment(step.next_try)],
			["Waits for", now.waits_for?.join(", ")],
			["Log file", step.log && el("span", {class: "path"}, step.log)],
		]));
	};
	update(unit);
	return {
		element: el("div", {}, head(unit, mark), line, el("div", {class: "row"}, run, look), plan,
			el("section", {class: "panel"}, list), el("section", {class: "panel", "aria-label": "Output"}, el("h2", {}, "Output"), log.element)),
		update,
		all: () => state.units.has(unit.unit) && update(state.units.get(unit.unit)),
		gone: id => id === unit.unit && (location.hash = "#/"),
		close: log.close,
	};
}
