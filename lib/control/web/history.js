// What happened, newest first; searched by text and unit.
import {get} from "./api.js";
import {button} from "./dialog.js";
import {el, fill, moment, setText} from "./dom.js";

export function historyTable(rows, withUnit = true) {
	return el("table", {class: "stack"},
		el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "Time"), withUnit && el("th", {scope: "col"}, "Unit"), el("th", {scope: "col"}, "What"), el("th", {scope: "col"}, ""))),
		el("tbody", {}, rows.map(row => el("tr", {}, el("td", {}, moment(row.time)), withUnit && el("td", {}, row.unit), el("td", {}, row.event), el("td", {}, row.text)))));
}

export function historyView() {
	const search = el("input", {type: "search", placeholder: "Search …", "aria-label": "Search the history"});
	const table = el("div", {class: "scroll-x"}), count = el("p", {class: "dim", role: "status"});
	let rows = [];
	function draw() {
		const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
		const found = rows.filter(row => {
			const text = [row.time, row.unit, row.event, row.text].join(" ").toLowerCase();
			return words.every(word => text.includes(word));
		});
		setText(count, found.length === rows.length ? rows.length + " entries" : found.length + " of " + rows.length + " entries");
		fill(table, found.length ? historyTable(found) : el("p", {}, "Nothing."));
	}
	async function load() {
		rows = (await get("/v1/history?limit=1000")).events || [];
		draw();
	}
	search.addEventListener("input", draw);
	load().catch(error => setText(count, error.message));
	return {element: el("div", {}, el("div", {class: "row spread"}, el("h1", {}, "History"), button("Read again", load)), el("p", {}, search), count, table)};
}
