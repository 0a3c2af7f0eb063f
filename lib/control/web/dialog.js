// A question before something is done: what would go is shown first.
import {el, fill} from "./dom.js";

export function confirm({title, text, paths, more, action, danger}) {
	const dialog = document.getElementById("dialog");
	return new Promise(resolve => {
		const end = answer => {
			dialog.onclose = null;
			dialog.close();
			resolve(answer);
		};
		fill(dialog,
			el("h2", {id: "dialog-title"}, title),
			text && el("p", {}, text),
			paths && el("ul", {class: "path"}, paths.map(path => el("li", {}, path))),
			more && el("p", {class: "dim"}, more),
			el("div", {class: "row"},
				el("button", {type: "button", onclick: () => end(false)}, "Cancel"),
				el("button", {type: "button", class: danger ? "danger" : "main", "data-yes": "", onclick: () => end(true)}, action)));
		dialog.onclose = () => end(false);
		dialog.showModal();
	});
}

let timer;
export function say(text, kind = "bad") {
	const message = document.getElementById("message");
	clearTimeout(timer);
	message.dataset.kind = kind;
	message.hidden = !text;
	fill(message, el("span", {}, text), el("button", {type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => say("")}, "✕"));
	if (kind === "good") timer = setTimeout(() => say(""), 8000);
}

// A button that waits for what it does, and says why it could not.
export function button(label, act, options = {}) {
	const element = el("button", {type: "button", ...options, onclick: async () => {
		element.disabled = true;
		try {
			say("");
			await act();
		} catch (error) {
			if (error.name !== "AbortError") say(error.message);
		} finally {
			element.disabled = false;
		}
	}}, label);
	return element;
}
