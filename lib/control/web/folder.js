// One folder: is it safe, what waits for a person, its files and their versions.
import {get, post, unitPath} from "./api.js";
import {Chart} from "./chart.js";
import {button, confirm, say} from "./dialog.js";
import {bytes, el, fill, moment, number, plural, setText, span} from "./dom.js";
import {filesPanel} from "./files.js";
import {rateWords, tag} from "./overview.js";
import {facts, head} from "./service.js";
import {leftWords, unitLine} from "./words.js";

const SHOWN = 200;

// What would go: a list of paths, with how many more there are.
async function askFor(part, title, action) {
	if (!part) {
		say("Nothing of it waits any more.", "good");
		return false;
	}
	const paths = (part.paths || []).slice(0, SHOWN).map(item => item.path + (item.folder ? "/" : " (" + bytes(item.size_bytes) + ")"));
	const all = (part.files || 0) + (part.folders || 0);
	return confirm({
		title, paths, action, danger: true,
		text: plural(part.files || 0, "file") + " and " + plural(part.folders || 0, "folder") + ", " + bytes(part.size_bytes || 0) + ":",
		more: all > paths.length ? "and " + number(all - paths.length) + " more" : "Exactly these: what is deleted later is asked about again.",
	});
}

function order(unit, verb, body, done) {
	return post(unitPath(unit.unit, "/" + verb), body).then(() => say(done, "good"));
}

// Each thing that waits for a person, as it is now: asked for anew before it is shown.
function calls(unit, folder, fresh) {
	const made = [];
	const call = (title, text, label, act) => made.push(el("section", {class: "panel call"}, el("h3", {}, title), el("p", {}, text), button(label, act, {class: "main"})));
	if (folder.refused_root)
		call("Another folder stands where the synced one was", folder.trouble?.text || "", "Go on with what is there now …", async () => {
			const now = (await fresh()).folder;
			if (await confirm({title: "Go on with what is there now?", text: now.trouble?.text, paths: [now.path], action: "Go on", danger: true}))
				await order(unit, "approve", {root: now.refused_root}, "It goes on with what is there.");
		});
	if (folder.deletions)
		call(plural(folder.deletions.files, "deletion") + " held back", "More was deleted here than max_delete allows. Nothing was deleted at the remote yet.", "Show them …", async () => {
			const part = (await fresh()).folder.deletions;
			if (await askFor(part, "Delete these at the remote?", "Delete them there"))
				await order(unit, "approve", {upto: part.upto}, "Approved: they are deleted at the remote.");
		});
	if (folder.only_remote)
		call(plural(folder.only_remote.files, "file") + " only the remote has", "Met there at the first sync; they are left alone until you say otherwise.", "Show them …", async () => {
			const part = (await fresh()).folder.only_remote;
			if (await askFor(part, "Remove these at the remote?", "Remove them there"))
				await order(unit, "approve", {strangers: part.upto}, "They are being removed at the remote.");
		});
	if (folder.forgotten && !folder.forgotten.removing)
		call(plural(folder.forgotten.files, "file") + " that the rules no longer cover", "They are still at the remote, and no longer kept alike.", "Show them …", async () => {
			const part = (await fresh()).folder.forgotten;
			if (await askFor(part, "Remove these at the remote?", "Remove them there"))
				await order(unit, "forget", {upto: part.upto, remote: true}, "They are being removed at the remote.");
		});
	return made;
}

// What a person chose is said again before it is done: the names are long, and one of the two goes.
async function resolve(unit, row, keep) {
	const goes = keep === "mine" ? row.theirs : row.mine;
	const text = {
		mine: "What was written on this machine becomes " + row.of + ", here and at the remote.",
		theirs: "What came from the remote becomes " + row.of + ", here and at the remote.",
		both: "They stay two files, and are no conflict any more.",
	}[keep];
	const more = keep === "both" ? undefined : "The other edit is put into the trash of this machine first, and kept as long as old versions are.";
	if (await confirm({title: "Keep " + (keep === "both" ? "both" : keep) + "?", text, paths: keep === "both" ? [row.of, row.path] : [goes + " (goes)"], more,
		action: "Keep " + keep, danger: keep !== "both"}))
		await order(unit, "resolve", {path: row.path, keep}, keep === "both" ? "Both are kept." : "Done: " + row.of + " is " + keep + " now.");
}

function conflictPanel(unit, conflicts, versions) {
	if (!conflicts?.length) return null;
	return el("section", {class: "panel call"}, el("h2", {}, plural(conflicts.length, "conflict")),
		el("p", {}, "Two edits of one file, both kept: mine was written on this machine, theirs came from the remote. Look at them, and keep one, or both."),
		el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["Mine", "Theirs", "Since", ""].map(title => el("th", {scope: "col"}, title)))),
			el("tbody", {}, conflicts.map(row => el("tr", {}, ["mine", "theirs"].map(side => el("td", {class: "path", "data-label": side}, row[side], " ",
				button("Versions", () => versions(row[side]), {class: "quiet", "aria-label": "Versions of " + row[side]}))), el("td", {}, moment(row.time)),
				el("td", {}, el("div", {class: "row"}, ["mine", "theirs", "both"].map(keep =>
					button("Keep " + keep, () => resolve(unit, row, keep), {"aria-label": "Keep " + keep + " of " + row.of})))))))));
}

// A bar where it is known how far it is.
function flightPanel(flights) {
	if (!flights?.length) return null;
	const sizeOf = row => Number.isFinite(row.size_bytes) ? (Number.isFinite(row.done_bytes) ? bytes(row.done_bytes) + " of " : "") + bytes(row.size_bytes) : "";
	return el("section", {class: "panel"}, el("h2", {}, "On its way now"),
		el("div", {class: "scroll"}, el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["Path", "Doing", "Size", "How far"].map(title => el("th", {scope: "col"}, title)))),
			el("tbody", {}, flights.map(row => el("tr", {}, el("td", {class: "path"}, row.path), el("td", {}, row.doing), el("td", {}, sizeOf(row)),
				el("td", {}, row.size_bytes > 0 && Number.isFinite(row.done_bytes) &&
					el("progress", {value: row.done_bytes, max: row.size_bytes, "aria-label": "How far " + row.path + " is"}))))))));
}

function troublePanel(troubles) {
	if (!troubles?.length) return null;
	return el("section", {class: "panel"}, el("h2", {}, plural(troubles.length, "path") + " that waits for another try"),
		el("div", {class: "scroll"}, el("table", {class: "stack"}, el("thead", {}, el("tr", {}, ["Path", "Why", "Next try"].map(title => el("th", {scope: "col"}, title)))),
			el("tbody", {}, troubles.map(row => el("tr", {}, el("td", {class: "path"}, row.path), el("td", {}, [row.why, row.reason].filter(Boolean).join(": ")),
				el("td", {}, row.next_try ? moment(row.next_try) : "")))))));
}

function verifyWords(verify) {
	if (!verify) return "";
	if (verify.running) return "under way, " + number(verify.compared) + " compared";
	return verify.last ? (verify.text || "good") + " (" + moment(verify.last) + ")" : "";
}

function folderFacts(folder) {
	return facts([
		["Here", el("span", {class: "path"}, folder.path || "")],
		["Remote", el("span", {class: "path"}, (folder.remote || "") + " (" + folder.mode + ")")],
		["Size", plural(folder.files || 0, "file") + ", " + plural(folder.folders || 0, "folder") + ", " + bytes(folder.size_bytes || 0)],
		["On the way", folder.pending > 0 && plural(folder.pending, "change") + leftWords(folder)],
		["Safe up to", folder.last_sync && moment(folder.last_sync)],
		["Sent since the start", plural(folder.sent_files || 0, "file") + ", " + bytes(folder.sent_bytes || 0)],
		["Brought here", folder.brought_files > 0 && plural(folder.brought_files, "file") + ", " + bytes(folder.brought_bytes)],
		["Old versions", folder.versions > 0 && number(folder.versions) + ", " + bytes(folder.versions_bytes)],
		["Refused", folder.refused > 0 && plural(folder.refused, "path")],
		["Degraded", folder.degraded],
		["Disks away", folder.away?.join(", ")],
		["Last verify", verifyWords(folder.verify)],
	]);
}

export function folderView(state, unit) {
	const mark = tag(unit), line = el("p"), list = el("div"), waiting = el("div"), flights = el("div"), troubles = el("div"), rate = el("span", {class: "dim"});
	const chart = new Chart(state.charts.get(unit.unit), rateWords, true);
	const files = filesPanel(unit);
	const pause = button("", () => post(unitPath(unit.unit, pause.dataset.paused ? "/resume" : "/pause")));
	const fresh = async () => (await get(unitPath(unit.unit))).unit;
	let asking = 0, again = false, closed = false, told = "";

	// The lists of paths come only when this folder is asked about; one question at a time.
	async function details() {
		if (asking++) {
			again = true;
			return;
		}
		do {
			again = false;
			const now = (await fresh().catch(() => null))?.folder;
			if (!now || closed) break;
			fill(flights, flightPanel(now.in_flight));
			const whole = JSON.stringify([now.refused_root, now.deletions?.upto, now.only_remote?.upto, now.forgotten, now.troubles, now.conflicts]);
			if (whole === told) continue;
			told = whole;
			fill(waiting, calls(unit, now, fresh), conflictPanel(unit, now.conflicts, files.versions));
			fill(troubles, troublePanel(now.troubles));
		} while (again);
		asking = 0;
	}

	const update = now => {
		if (now.unit !== unit.unit) return;
		const folder = now.folder || {};
		mark.update(now);
		setText(line, unitLine(now));
		pause.dataset.paused = folder.paused ? "yes" : "";
		setText(pause, folder.paused ? "Resume" : "Pause");
		fill(list, folderFacts(folder));
		details();
	};
	const tick = () => {
		chart.draw();
		setText(rate, chart.svg.getAttribute("aria-label"));
	};
	update(unit);
	tick();
	return {
		element: el("div", {}, head(unit, mark), line,
			el("div", {class: "row"}, button("Sync now", () => post(unitPath(unit.unit, "/sync")), {class: "main"}), pause,
				button("Verify", () => order(unit, "verify", {}, "The remote is compared with what was agreed."))),
			waiting, el("section", {class: "panel"}, list, chart.svg, rate), flights, troubles, files.element),
		update,
		all: () => state.units.has(unit.unit) && update(state.units.get(unit.unit)),
		gone: id => id === unit.unit && (location.hash = "#/"),
		tick,
		close() {
			closed = true;
			files.close();
		},
	};
}
