// A log that goes on. The newest lines are kept, and added once a frame however fast they come.
import {lines} from "./api.js";
import {el, plural, setText} from "./dom.js";

const KEPT = 10000;

export function logPanel(path, live = true) {
	const box = el("div", {class: "log", tabindex: "0", role: "log", "aria-label": "Log", "aria-live": "off"});
	const count = el("span", {class: "dim"}, "no lines yet");
	const filter = el("input", {type: "search", placeholder: "Only lines with …", "aria-label": "Only lines with this text"});
	const abort = new AbortController();
	let waiting = [], frame = 0, following = true, total = 0;

	const fits = line => !filter.value || line.toLowerCase().includes(filter.value.toLowerCase());

	function flush() {
		frame = 0;
		const part = document.createDocumentFragment();
		const fresh = waiting.slice(-KEPT);
		total += waiting.length;
		waiting = [];
		for (const line of fresh) {
			const row = document.createElement("div");
			row.textContent = line;
			row.hidden = !fits(line);
			part.append(row);
		}
		box.append(part);
		while (box.childElementCount > KEPT) box.firstElementChild.remove();
		if (following) box.scrollTop = box.scrollHeight;
		setText(count, plural(total, "line") + (total > KEPT ? ", the last " + KEPT.toLocaleString() + " are here" : ""));
	}

	box.addEventListener("scroll", () => {
		following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
	});
	filter.addEventListener("input", () => {
		for (const row of box.children) row.hidden = !fits(row.textContent);
	});

	async function read() {
		const end = el("div", {class: "dim"});
		try {
			await lines(path + (live ? "&follow=1" : ""), abort.signal, batch => {
				waiting.push(...batch);
				frame ||= requestAnimationFrame(flush);
			});
			if (!live) return;
			end.textContent = "(the log ended here)";
		} catch (error) {
			if (error.name === "AbortError") return;
			end.textContent = "(" + error.message + ")";
		}
		if (waiting.length) flush();
		box.append(end);
	}
	read();
	return {
		element: el("div", {}, el("div", {class: "row spread"}, el("div", {class: "grow"}, filter), count), box),
		close: () => abort.abort(),
	};
}
