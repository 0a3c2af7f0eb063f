// How a unit stands, in words: a tone for its colour, a sign beside it, a line of text. Fields that this tendd does not have are passed over.
import {bytes, localTimes, moment, number, plural, since, span} from "./dom.js";

export const SIGNS = {good: "✓", busy: "↻", warn: "!", bad: "✕", off: "–"};

const FOLDER_BUSY = new Set(["scanning", "syncing", "restoring", "contact", "waiting"]);

function folderWord(unit, folder) {
	const word = folder.state || unit.state;
	if (unit.needs_person) return ["warn", "needs you"];
	if (folder.trouble || unit.state === "failed") return ["bad", word === "stopped" ? "stopped" : "trouble"];
	if (folder.paused) return ["off", "paused"];
	if (!unit.wanted) return ["off", unit.enabled === false ? "not enabled" : "down"];
	if (folder.pending > 0 || FOLDER_BUSY.has(word)) return ["busy", word === "idle" ? "syncing" : word];
	if (folder.refused > 0) return ["warn", plural(folder.refused, "path") + " refused"];
	if (folder.conflict_count > 0) return ["warn", plural(folder.conflict_count, "conflict")];
	if (folder.degraded) return ["warn", "safe, degraded"];
	return ["good", "safe"];
}

export function verdict(unit) {
	if (unit.kind === "folder" && unit.folder) return folderWord(unit, unit.folder);
	const word = unit.service?.state || unit.step?.state || unit.state;
	if (unit.needs_person) return ["warn", word];
	if (!unit.wanted && unit.state === "down") return ["off", unit.enabled === false ? "not enabled" : word];
	if (unit.state === "failed" || ["failed", "delayed", "killing"].includes(word)) return ["bad", word];
	if (unit.state === "ready") return ["good", word];
	return ["busy", word];
}

// "3.4 MiB to go, 1.2 MiB/s, about 3 s": what is known of it.
export function leftWords(folder) {
	const words = [];
	if (folder.left_bytes > 0) words.push(bytes(folder.left_bytes) + " to go");
	if (folder.bytes_per_second > 0) words.push(bytes(folder.bytes_per_second) + "/s");
	if (folder.left_seconds > 0) words.push("about " + span(folder.left_seconds));
	return words.length ? ", " + words.join(", ") : "";
}

export function folderLine(unit) {
	const folder = unit.folder || {};
	if (folder.trouble) return folder.trouble.text;
	if (folder.deletions) return plural(folder.deletions.files, "deletion") + " (" + bytes(folder.deletions.size_bytes) + ") wait for you";
	if (folder.restoring)
		return "brought back " + number(folder.restoring.files) + " of " + plural(folder.restoring.of_files, "file") + ", " +
			bytes(folder.restoring.size_bytes) + " of " + bytes(folder.restoring.of_size_bytes) + leftWords(folder);
	if (folder.pending > 0)
		return plural(folder.pending, "change") + " on the way" + leftWords(folder);
	if (folder.last_sync) return "everything up to " + moment(folder.last_sync) + " is " + (folder.mode === "fetch" ? "here" : "in the cloud");
	return unit.detail || "";
}

export function serviceLine(unit) {
	const service = unit.service || {};
	const words = [];
	if (unit.detail) words.push(unit.detail);
	else if (unit.waits_for?.length && unit.state === "waiting") words.push("waits for " + unit.waits_for.join(", "));
	else if (service.pid) words.push("up for " + since(unit.since));
	else if (service.stopped) words.push("stopped by hand");
	if (service.next_try && !unit.detail?.includes("next try")) words.push("next try at " + moment(service.next_try));
	return words.join("; ");
}

export function exitWords(exit) {
	if (!exit) return "";
	const words = {signal: "ended by signal " + exit.signal, oom: "out of memory", exec_error: "could not be run", unknown: "exit status unknown"};
	return (words[exit.class] || "exit code " + exit.code) + ", " + moment(exit.time);
}

export function stepLine(unit) {
	const step = unit.step || {};
	return unit.detail || step.why || (unit.waits_for?.length && unit.state === "waiting" ? "waits for " + unit.waits_for.join(", ") : "") ||
		(step.done ? "done " + moment(step.done) : "");
}

export function unitLine(unit) {
	return localTimes(unit.kind === "folder" ? folderLine(unit) : unit.kind === "service" ? serviceLine(unit) : stepLine(unit));
}

// The whole machine: what matters most first, and the units it is about.
export function overall(units) {
	const needing = units.filter(unit => unit.needs_person);
	const failed = units.filter(unit => verdict(unit)[0] === "bad");
	const busy = units.filter(unit => verdict(unit)[0] === "busy");
	const folders = units.filter(unit => unit.kind === "folder");
	const trouble = failed.length ? plural(failed.length, "unit") + " in trouble" : "";
	if (needing.length) return ["warn", plural(needing.length, "unit needs", "units need") + " you" + (trouble && ", " + trouble), "", [...needing, ...failed]];
	if (failed.length) return ["bad", trouble, "", failed];
	if (busy.length) return ["busy", "Working", "", busy];
	const times = folders.map(unit => unit.folder?.last_sync).filter(Boolean).sort();
	if (folders.length) return ["good", "Everything is safe", times.length ? "All that was written up to " + moment(times[0]) + " is in the cloud" : "", []];
	return ["good", "All is as it should be", "", []];
}
