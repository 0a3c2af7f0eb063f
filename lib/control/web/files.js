// The files of a folder as its remote has them, now or at a time; versions of one, and bringing them back.
import {get, lines, post, unitPath} from "./api.js";
import {button, confirm, say} from "./dialog.js";
import {bytes, el, fill, moment, plural, setText} from "./dom.js";

const SHOWN = 2000;

function query(path, words) {
	const text = new URLSearchParams(Object.entries(words).filter(([, value]) => value)).toString();
	return path + (text ? "?" + text : "");
}

const base = path => path.slice(path.lastIndexOf("/") + 1);

export function filesPanel(unit) {
	const table = el("div", {class: "scroll"}), crumbs = el("nav", {class: "crumbs", "aria-label": "Folder"}), note = el("p", {class: "dim", role: "status"});
	const at = el("input", {type: "datetime-local", id: "at", "aria-label": "As of"});
	let abort = new AbortController(), here = "";

	const asOf = () => at.value ? new Date(at.value).toISOString() : "";

	async function restore(paths, time, what) {
		const yes = await confirm({title: "Bring back " + what + "?", paths, action: "Bring back", danger: true,
			text: time ? "As it stood on " + moment(time) + ". What stands in its place here is replaced." : "As the remote has it now. What stands in its place here is replaced."});
		if (!yes) return;
		const body = {paths, overwrite: true, wait: true};
		if (time) body.at = time;
		const got = await post(unitPath(unit.unit, "/restore"), body);
		const failed = got.failed_count ? "; " + plural(got.failed_count, "path") + " failed: " + (got.reasons || got.failed || []).join("; ") : "";
		say("Brought back " + plural(got.files + (got.links || 0), "file") + (got.same ? ", " + got.same + " were as wanted" : "") +
			(got.left_count ? ", " + got.left_count + " left as they are" : "") + failed, failed ? "bad" : "good");
	}

	const download = (path, version) => el("a", {class: "button", download: base(path) || "file", href: query(unitPath(unit.unit, "/content"), {path, version}),
		"aria-label": "Download " + path}, "Download");

	async function versions(path) {
		const answer = await get(query(unitPath(unit.unit, "/versions"), {path}));
		setText(note, "Versions of " + path);
		fill(crumbs, button("← Files", () => list(here)));
		fill(table, el("table", {class: "stack", "data-versions": path},
			el("thead", {}, el("tr", {}, ["Stood there from", "to", "Changed", "Size", ""].map(title => el("th", {scope: "col"}, title)))),
			el("tbody", {}, [...answer.versions].reverse().map(row => el("tr", {},
				el("td", {}, row.from ? moment(row.from) : "the beginning"), el("td", {}, row.to ? moment(row.to) : "now"),
				el("td", {}, row.mtime ? moment(row.mtime) : ""), el("td", {}, bytes(row.size_bytes)),
				// A moment inside the version's time names it.
				el("td", {}, el("div", {class: "row"}, button("Restore", () => restore([path], row.to ? within(row) : "", path)), row.kind === "file" && download(path, row.version))))))));
		table.scrollIntoView({block: "nearest"});
	}

	const within = row => new Date(new Date(row.to) - 1).toISOString();

	function row(item) {
		const name = base(item.path);
		if (item.kind === "folder") return el("tr", {}, el("td", {class: "path"}, button(name + "/", () => list(item.path))), el("td"), el("td"),
			el("td", {}, button("Restore", () => restore([item.path], asOf(), item.path + "/"))));
		return el("tr", {}, el("td", {class: "path"}, name + (item.kind === "link" ? " (link)" : "")), el("td", {}, bytes(item.size_bytes)),
			el("td", {}, item.mtime ? moment(item.mtime) : ""), el("td", {}, el("div", {class: "row"}, button("Versions", () => versions(item.path), {"aria-label": "Versions of " + name}),
				button("Restore", () => restore([item.path], asOf(), item.path), {"aria-label": "Restore " + name}))));
	}

	async function list(path) {
		abort.abort();
		abort = new AbortController();
		here = path;
		const parts = path ? path.split("/") : [];
		fill(crumbs, button(unit.name, () => list("")), parts.map((part, i) => ["/ ", button(part, () => list(parts.slice(0, i + 1).join("/")))]));
		setText(note, "Asking the remote …");
		const items = [];
		let whole = false, total = 0;
		await lines(query(unitPath(unit.unit, "/tree"), {path, at: asOf()}), abort.signal, batch => {
			for (const text of batch) {
				const item = JSON.parse(text);
				if (item.end) whole = true;
				if (!item.kind) continue;
				if (++total <= SHOWN) items.push(item);
			}
		});
		const order = item => (item.kind === "folder" ? "0" : "1") + item.path;
		items.sort((a, b) => order(a) < order(b) ? -1 : 1);
		fill(table, el("table", {class: "stack", "data-path": path},
			el("thead", {}, el("tr", {}, ["Name", "Size", "Changed", ""].map(title => el("th", {scope: "col"}, title)))),
			el("tbody", {}, items.map(item => row(item)))));
		setText(note, whole ? plural(total, "entry", "entries") + (total > SHOWN ? ", the first " + SHOWN + " are here" : "") : "The list is not whole: the remote stopped answering.");
	}

	const element = el("section", {class: "panel", "aria-label": "Files"}, el("h2", {}, "Files at the remote"),
		el("div", {class: "row bottom"}, el("div", {}, el("label", {for: "at"}, "As of (empty: now)"), at), button("Show files", () => list(here))), crumbs, note, table);
	return {element, versions, close: () => abort.abort()};
}
