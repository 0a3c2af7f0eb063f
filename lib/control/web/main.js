// The page: one list of units kept by events, one view of it at a time. A view is {element, update(unit), gone(id), tick(), close()}.
import {Events, get, onLoggedOut, post} from "./api.js";
import {Throughput} from "./chart.js";
import {button, say} from "./dialog.js";
import {el, fill, setText} from "./dom.js";
import {folderView} from "./folder.js";
import {historyView} from "./history.js";
import {overviewView} from "./overview.js";
import {serviceView} from "./service.js";
import {stepView} from "./step.js";

const main = document.getElementById("main"), live = document.getElementById("live"), logout = document.getElementById("logout");

export const state = {units: new Map(), charts: new Map(), status: null};
let view = null, loggedIn = false;

function throughput(unit) {
	if (!state.charts.has(unit.unit)) state.charts.set(unit.unit, new Throughput());
	const chart = state.charts.get(unit.unit);
	chart.saw(unit.folder?.moved_bytes ?? 0);
}

function take(unit) {
	state.units.set(unit.unit, unit);
	if (unit.folder) throughput(unit);
}

function showLive(on) {
	live.dataset.on = on ? "yes" : "no";
	setText(live, on ? "live" : "connecting …");
}

async function refresh() {
	const status = await get("/v1/status");
	state.status = status;
	setText(document.getElementById("host"), status.host || "");
	document.title = "tend" + (status.host ? " – " + status.host : "");
	const there = new Set(status.units.map(unit => unit.unit));
	for (const id of [...state.units.keys()]) if (!there.has(id)) state.units.delete(id);
	for (const unit of status.units) take(unit);
}

const events = new Events({
	opened() {
		showLive(true);
		refresh().then(() => view?.all?.()).catch(() => {});
	},
	lost() {
		showLive(false);
	},
	refused() {
		begin();
	},
	unit(unit) {
		take(unit);
		view?.update?.(unit);
	},
	used(services) {
		for (const numbers of services) {
			const unit = state.units.get(numbers.unit);
			if (!unit?.service) continue;
			Object.assign(unit.service, {memory_bytes: numbers.memory_bytes, cpu_percent: numbers.cpu_percent});
			view?.update?.(unit);
		}
	},
	machine(status) {
		state.status = {...state.status, ...status};
		view?.machine?.();
	},
	gone(id) {
		state.units.delete(id);
		view?.gone?.(id);
	},
});

// ---- which view ----

const VIEWS = {folder: folderView, service: serviceView, step: stepView};

function viewOf(hash) {
	const path = decodeURIComponent(hash.replace(/^#\/?/, ""));
	if (path === "history") return historyView(state);
	const unit = state.units.get(path);
	if (unit && VIEWS[unit.kind]) return VIEWS[unit.kind](state, unit);
	if (path && path !== "main") return {element: el("p", {}, "There is no unit ", el("code", {}, path), ". ", el("a", {href: "#/"}, "Overview"))};
	return overviewView(state);
}

let shown = null;
function show(focus) {
	if (!loggedIn || location.hash === "#main") return;
	view?.close?.();
	view = viewOf(location.hash);
	fill(main, view.element);
	for (const link of document.querySelectorAll(".top nav a")) {
		if (link.getAttribute("href") === (location.hash || "#/")) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
	if (focus && shown !== location.hash) {
		main.focus({preventScroll: true});
		scrollTo(0, 0);
	}
	shown = location.hash;
}

// ---- login ----

function showLogin(why) {
	loggedIn = false;
	events.end();
	view?.close?.();
	view = null;
	logout.hidden = true;
	setText(live, "");
	delete live.dataset.on;
	const token = el("input", {type: "password", id: "token", name: "token", autocomplete: "current-password"});
	const go = button("Log in", async () => {
		await post("/v1/login", {token: token.value.trim()});
		await begin();
	}, {class: "main"});
	fill(main, el("form", {class: "panel login", onsubmit: event => {
		event.preventDefault();
		go.click();
	}},
	el("h1", {}, "Log in"),
	why && el("p", {}, why),
	el("p", {}, "In a terminal, ", el("code", {}, "tend ui"), " opens this page logged in. Or paste the token, which stands in ",
		el("code", {}, "web_token_file"), " (by default ", el("code", {}, "state_dir/web_token"), ")."),
	el("label", {for: "token"}, "Token"), token, el("p", {}, go)));
	token.focus();
}

onLoggedOut(() => {
	if (loggedIn) showLogin("This login has ended.");
});

logout.addEventListener("click", async () => {
	await post("/v1/logout").catch(() => {});
	showLogin();
});

async function begin() {
	try {
		await refresh();
	} catch (error) {
		if (error.status === 401) {
			showLogin();
		} else {
			showLive(false);
			if (!state.status) fill(main, el("p", {}, error.message + " – trying again …"));
			setTimeout(begin, 3000);
		}
		return;
	}
	loggedIn = true;
	logout.hidden = false;
	show(false);
	events.open();
}

async function start() {
	const code = /^#login=([0-9a-f]+)$/.exec(location.hash)?.[1];
	if (code) {
		// It works once, and has no business in the history.
		history.replaceState(null, "", "/#/");
		try {
			await post("/v1/login", {code});
		} catch (error) {
			say(error.message);
		}
	}
	await begin();
}

addEventListener("hashchange", () => show(true));
setInterval(() => document.hidden || view?.tick?.(), 1000);
start();
