// Questions to tendd, and its events. A 401 anywhere means: log in.

export class Refused extends Error {
	constructor(status, error) {
		super((error?.text || "tendd answers with status " + status) + (error?.hint ? ": " + error.hint : ""));
		this.status = status;
	}
}

let loggedOut = () => {};
export function onLoggedOut(call) {
	loggedOut = call;
}

async function refusal(answer) {
	let error;
	try {
		error = (await answer.json()).error;
	} catch {
		// Not tendd's own words.
	}
	return new Refused(answer.status, error);
}

export async function ask(path, body, signal) {
	const options = {credentials: "same-origin", signal};
	if (body !== undefined) Object.assign(options, {method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json"}});
	let answer;
	try {
		answer = await fetch(path, options);
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Error("tendd does not answer");
	}
	if (answer.ok) return answer;
	const error = await refusal(answer);
	if (answer.status === 401 && path !== "/v1/login") loggedOut();
	throw error;
}

export async function get(path, signal) {
	return (await ask(path, undefined, signal)).json();
}

export async function post(path, body = {}) {
	return (await ask(path, body)).json();
}

export function unitPath(id, rest = "") {
	return "/v1/units/" + encodeURIComponent(id) + rest;
}

// Lines of an answer that goes on, in batches, as they come.
export async function lines(path, signal, came) {
	const answer = await ask(path, undefined, signal);
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const {value, done} = await reader.read();
		if (done) break;
		const parts = (rest + value).split("\n");
		rest = parts.pop();
		if (parts.length) came(parts);
	}
	if (rest) came([rest]);
}

// One stream for the whole page; the browser connects again by itself, and says what it saw last.
export class Events {
	constructor(calls) {
		this.calls = calls;
		// A page that nobody looks at gives its connection back: a browser has six for all of its pages.
		document.addEventListener("visibilitychange", () => {
			clearTimeout(this.hidden);
			if (document.hidden) this.hidden = setTimeout(() => this.close(), 30000);
			else if (this.wanted && !this.source) this.open();
		});
	}

	open() {
		this.close();
		this.wanted = true;
		this.source = new EventSource("/v1/events");
		this.source.onopen = () => this.calls.opened();
		this.source.onerror = () => {
			this.calls.lost();
			// Refused for good, as after a restart of tendd: its sessions are gone.
			if (this.source?.readyState === EventSource.CLOSED) {
				this.close();
				this.again = setTimeout(() => this.calls.refused(), 2000);
			}
		};
		this.source.addEventListener("unit", event => this.calls.unit(JSON.parse(event.data)));
		this.source.addEventListener("used", event => this.calls.used(JSON.parse(event.data).services));
		this.source.addEventListener("machine", event => this.calls.machine(JSON.parse(event.data)));
		this.source.addEventListener("gone", event => this.calls.gone(JSON.parse(event.data).unit));
	}

	close() {
		clearTimeout(this.again);
		this.source?.close();
		this.source = null;
	}

	end() {
		this.wanted = false;
		this.close();
	}
}
