// Making elements. Text is only ever set as text: names of files and lines of logs are other people's words.

const ATTRIBUTES = new Set(["class", "href", "type", "id", "role", "for", "title", "download", "tabindex", "name", "autocomplete",
	"placeholder", "scope", "max", "value", "open", "hidden", "disabled"]);

// el("button", {class: "main", onclick: go}, "Go", other)
export function el(name, attributes = {}, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) {
		if (value === undefined || value === null || value === false) continue;
		if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
		else if (ATTRIBUTES.has(key) || key.startsWith("aria-") || key.startsWith("data-")) element.setAttribute(key, value === true ? "" : value);
		else throw new Error("no attribute " + key);
	}
	put(element, children);
	return element;
}

function put(element, children) {
	for (const child of children.flat(Infinity)) {
		if (child !== undefined && child !== null && child !== false) element.append(child instanceof Node ? child : String(child));
	}
}

export function fill(element, ...children) {
	element.replaceChildren();
	put(element, children);
	return element;
}

// Only when it is another: a screen reader and a selection stay where they are.
export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// ---- numbers and times in words ----

export function bytes(count) {
	if (!Number.isFinite(count)) return "";
	const names = ["B", "KiB", "MiB", "GiB", "TiB"];
	let at = 0;
	while (count >= 1024 && at < names.length - 1) {
		count /= 1024;
		at++;
	}
	return (at === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)) + " " + names[at];
}

export function number(count) {
	return Number(count || 0).toLocaleString();
}

export function plural(count, one, many = one + "s") {
	return number(count) + " " + (count === 1 ? one : many);
}

export function span(seconds) {
	const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
	seconds = Math.max(0, Math.round(seconds));
	const first = parts.findIndex(([, size]) => seconds >= size);
	if (first < 0) return "0 s";
	const whole = Math.floor(seconds / parts[first][1]);
	const rest = first < 3 ? Math.floor((seconds % parts[first][1]) / parts[first + 1][1]) : 0;
	return whole + " " + parts[first][0] + (rest ? " " + rest + " " + parts[first + 1][0] : "");
}

export function moment(text) {
	if (!text) return "never";
	const time = new Date(text);
	const today = new Date().toDateString() === time.toDateString();
	return today ? time.toLocaleTimeString() : time.toLocaleString(undefined, {dateStyle: "medium", timeStyle: "medium"});
}

// Times inside of tendd's own sentences, as they are here.
export function localTimes(text) {
	return (text || "").replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, moment);
}

export function since(text) {
	return text ? span((Date.now() - new Date(text)) / 1000) : "";
}
