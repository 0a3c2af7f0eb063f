/* Bytes a second over the machine's own links, both ways together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

/* What passes a bridge to a container passes a real link as well, or leaves this machine not at all. */
static bool counts(const char *name, size_t len) {
	static const char *const others[] = { "lo", "veth", "docker", "br-", "virbr", "cni", "tap",
		"lxc" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		size_t other = strlen(others[i]);
		if (len < other || strncmp(name, others[i], other) != 0) continue;
		if (i > 0 || len == other) return false;
	}
	return true;
}

/* proc(5): two lines of heads, then "  eth0: bytes and seven more received, bytes and seven more sent". */
int signal_net_parse(const char *text, uint64_t *bytes) {
	const char *line = text ? strchr(text, '\n') : NULL;
	*bytes = 0;
	if (!line || !(line = strchr(line + 1, '\n'))) return -1;
	for (; line && line[1]; line = strchr(line + 1, '\n')) {
		const char *name = line + 1 + strspn(line + 1, " "), *colon = strchr(name, ':');
		const char *end = strchr(name, '\n');
		if (!colon || (end && colon > end)) return -1;
		if (!counts(name, (size_t)(colon - name))) continue;
		char *at = (char *)(uintptr_t)colon + 1;
		for (int i = 0; i <= 8; i++) {
			char *next;
			uint64_t value = strtoull(at, &next, 10);
			if (next == at) return -1;
			if (i == 0 || i == 8) *bytes += value;
			at = next;
		}
	}
	return 0;
}

void signal_net(int64_t bytes, int64_t elapsed_ms, int64_t threshold, struct idle_answer *answer) {
	char speed[32], bound[32];
	if (bytes < 0 || elapsed_ms <= 0) {
		idle_say(answer, IDLE_UNKNOWN, 0, "not known before the next look");
		return;
	}
	int64_t a_second = bytes * 1000 / elapsed_ms;
	bool active = a_second > threshold;
	size_format(a_second, speed, sizeof(speed));
	size_format(threshold, bound, sizeof(bound));
	idle_say(answer, active ? IDLE_ACTIVE : IDLE_IDLE, active ? 0 : -1,
		"%s a second, the bound is %s", speed, bound);
}

void signal_net_read(struct idle_sample *sample) {
	struct idle_memory *memory = sample->memory;
	struct idle_answer *answer = &sample->answers[SIGNAL_NET];
	uint64_t now;
	bool known = signal_net_now(sample->root, &now) == 0;
	/* A link that went away takes its count along. */
	bool grown = known && memory->net_known && now >= memory->net_bytes;
	signal_net(grown ? (int64_t)(now - memory->net_bytes) : -1, sample->elapsed_ms,
		sample->threshold[SIGNAL_NET], answer);
	if (!known) idle_say(answer, IDLE_UNKNOWN, 0, "what links moved cannot be read");
	memory->net_bytes = now;
	memory->net_known = known;
}
