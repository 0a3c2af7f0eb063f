// Throughput as a small curve: bytes a second in buckets of two seconds, the last two minutes.

const BUCKET_MS = 2000, BUCKETS = 60;
const SPACE = "http://www.w3.org/2000/svg";

export class Throughput {
	constructor() {
		this.buckets = new Array(BUCKETS + 1).fill(0);
		this.at = Math.floor(Date.now() / BUCKET_MS);
		this.last = null;
	}

	move() {
		const now = Math.floor(Date.now() / BUCKET_MS);
		for (let left = Math.min(now - this.at, BUCKETS + 1); left > 0; left--) {
			this.buckets.shift();
			this.buckets.push(0);
		}
		this.at = now;
	}

	// What the folder has moved since its start; a smaller number is another start.
	saw(total) {
		this.move();
		if (this.last !== null && total > this.last) this.buckets[BUCKETS] += total - this.last;
		this.last = total;
	}

	// Without the bucket that fills at the moment: half full it would look like a fall.
	rates() {
		this.move();
		return this.buckets.slice(0, BUCKETS).map(bytes => bytes * 1000 / BUCKET_MS);
	}
}

function shape(name, attributes) {
	const element = document.createElementNS(SPACE, name);
	for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
	return element;
}

export class Chart {
	constructor(throughput, words, big = false) {
		this.throughput = throughput;
		this.words = words;
		this.svg = shape("svg", {class: "chart" + (big ? " big" : ""), viewBox: "0 0 " + (BUCKETS - 1) + " 40", preserveAspectRatio: "none", role: "img"});
		this.area = shape("path", {class: "area"});
		this.curve = shape("path", {class: "curve"});
		this.svg.append(shape("line", {class: "base", x1: 0, x2: BUCKETS - 1, y1: 39.5, y2: 39.5}), this.area, this.curve);
		this.draw();
	}

	draw() {
		const rates = this.throughput.rates();
		const most = Math.max(...rates);
		const points = rates.map((rate, x) => x + " " + (39 - (most ? rate / most * 36 : 0)).toFixed(1));
		this.curve.setAttribute("d", "M" + points.join("L"));
		this.area.setAttribute("d", "M0 39.5L" + points.join("L") + "L" + (BUCKETS - 1) + " 39.5Z");
		this.svg.setAttribute("aria-label", this.words(rates[BUCKETS - 1], most));
	}
}
