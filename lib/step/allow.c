/*
 * allow: ports that the firewall lets in, by ufw. The ports of ssh go first, whatever the section says: a firewall that is
 * switched on without them locks everybody out. What is there is read from ufw's own files; only rules with our
 * comment are ever removed.
 */
#include "step/internal.h"
#include "step/ports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RULES_MAX = 4 << 20, SCRIPT_MAX = 256 << 10 };

static const char ufw_program[] = "/usr/sbin/ufw";
/* ufw reads its rules before it takes its own lock: of two that run at once, one loses what the other wrote. */
static const char lock_script[] = "exec 9>/run/tend-ufw.lock\nflock 9\n";
static const char *const rule_files[] = { "/etc/ufw/user.rules", "/etc/ufw/user6.rules" };

/* ---- words ---- */

/* "8888", "8888/tcp", "60000:61000/udp". A range wants its protocol. */
static bool is_port(const char *word) {
	int64_t first, last;
	size_t len = strcspn(word, "/");
	const char *proto = word[len] ? word + len + 1 : "";
	if (*proto && !str_equal(proto, "tcp") && !str_equal(proto, "udp")) return false;
	char *ports = xstrndup(word, len), *colon = strchr(ports, ':');
	if (colon) *colon++ = '\0';
	bool good = str_to_int(ports, 1, 65535, &first) == 0;
	if (colon)
		good = good && *proto && str_to_int(colon, 1, 65535, &last) == 0 && first <= last;
	free(ports);
	return good;
}

static bool is_address(const char *word) {
	unsigned char bytes[16];
	int64_t bits;
	size_t len = strcspn(word, "/");
	char *address = xstrndup(word, len);
	int max = inet_pton(AF_INET, address, bytes) == 1    ? 32
		  : inet_pton(AF_INET6, address, bytes) == 1 ? 128
							     : -1;
	free(address);
	return max > 0 && (!word[len] || str_to_int(word + len + 1, 0, max, &bits) == 0);
}

static int allow_check(const struct step_settings *settings, const char **key, struct err *err) {
	*key = "allow";
	for (char **word = settings->allow; *word; word++)
		if (!is_port(*word))
			return err_set(err, ERR_INVALID,
				"'%s' is no port: write 8888/tcp or 60000:61000/udp", *word);
	*key = "from";
	for (char **word = settings->from; word && *word; word++)
		if (!is_address(*word))
			return err_set(err, ERR_INVALID,
				"'%s' is no address: write 192.0.2.7 or 192.0.2.0/24", *word);
	return 0;
}

/* ---- rules as ufw keeps them ---- */

/* "allow PROTO PORT 0.0.0.0/0 any FROM in", as it stands behind "### tuple ###". */
static char *tuple_of(const char *port, const char *from, bool six) {
	size_t len = strcspn(port, "/");
	const char *proto = port[len] ? port + len + 1 : "any", *any = six ? "::/0" : "0.0.0.0/0";
	return xasprintf(
		"allow %s %.*s %s any %s in", proto, (int)len, port, any, from ? from : any);
}

struct rule {
	char *port;
	const char *from; /* NULL: anywhere */
};

/* All that is wanted: ssh first, from anywhere. The caller frees the ports and the list. */
static struct rule *wanted_rules(
	const struct step_settings *settings, char *const *ssh, size_t *count) {
	size_t room =
		strv_count(ssh) + strv_count(settings->allow) * (1 + strv_count(settings->from));
	struct rule *rules = xcalloc(room + 1, sizeof(*rules));
	*count = 0;
	for (; *ssh; ssh++) rules[(*count)++].port = xasprintf("%s/tcp", *ssh);
	for (char **word = settings->allow; *word; word++) {
		if (!settings->from) rules[(*count)++].port = xstrdup(*word);
		for (char **from = settings->from; from && *from; from++)
			rules[(*count)++] = (struct rule){ xstrdup(*word), *from };
	}
	return rules;
}

/* ufw writes a host with its mask or without, by version; an IPv6 rule from anywhere has its twin for IPv4. */
static bool is_there(const char *const *texts, const struct rule *rule) {
	bool six = rule->from && strchr(rule->from, ':');
	char *tuple = tuple_of(rule->port, rule->from, six),
	     *line = xasprintf("### tuple ### %s", tuple);
	bool there = strstr(texts[six ? 1 : 0], line) != NULL;
	free(line);
	free(tuple);
	return there;
}

/* ufw keeps the comment in hex: "comment=74656e64...". */
static char *comment_of(const char *name, bool hex) {
	char *text = xasprintf("tend:%s", name);
	if (!hex) return text;
	char *out = xmalloc(2 * strlen(text) + 1);
	hex_encode(text, strlen(text), out);
	free(text);
	return out;
}

static void add_rule(struct buf *script, const char *verb, const char *port, const char *from) {
	size_t len = strcspn(port, "/");
	buf_addf(script, "ufw %s from ", verb);
	step_add_word(script, from ? from : "any");
	buf_addf(script, " to any port %.*s", (int)len, port);
	if (port[len]) buf_addf(script, " proto %s", port + len + 1);
}

static bool is_wanted(const struct rule *rules, size_t count, const char *port, const char *from) {
	for (size_t i = 0; i < count; i++)
		if (str_equal(rules[i].port, port) && str_equal(rules[i].from, from)) return true;
	return false;
}

/* One line of ufw's file that has our comment: "### tuple ### allow tcp 8888 0.0.0.0/0 any 0.0.0.0/0 in comment=..". */
static void drop_line(
	const char *line, const struct rule *rules, size_t count, struct buf *script) {
	char proto[16], ports[32], to[64], from[64];
	if (sscanf(line, "### tuple ### allow %15s %31s %63s any %63s in", proto, ports, to,
		    from) != 4)
		return;
	bool any = str_equal(from, "0.0.0.0/0") || str_equal(from, "::/0");
	char *port = str_equal(proto, "any") ? xstrdup(ports) : xasprintf("%s/%s", ports, proto);
	if (!is_wanted(rules, count, port, any ? NULL : from)) {
		add_rule(script, "delete allow", port, any ? NULL : from);
		buf_addc(script, '\n');
	}
	free(port);
}

/* Rules of ours that nobody wants any more. The twin for IPv6 goes with the one for IPv4. */
static void drop_rules(const char *const *texts, const char *name, const struct rule *rules,
	size_t count, struct buf *script) {
	char *hex = comment_of(name, true), *mark = xasprintf(" comment=%s", hex);
	for (size_t i = 0; i < ARRAY_LEN(rule_files); i++) {
		for (const char *at = texts[i]; *at;) {
			size_t len = strcspn(at, "\n");
			char *line = xstrndup(at, len);
			bool twin = i == 1 && strstr(line, " any ::/0 in");
			if (str_ends(line, mark) && !twin) drop_line(line, rules, count, script);
			free(line);
			at += len + (at[len] == '\n');
		}
	}
	free(mark);
	free(hex);
}

static bool is_enabled(void) {
	char *text = step_read_text("/etc/ufw/ufw.conf", RULES_MAX);
	bool enabled = strstr(text, "\nENABLED=yes") || str_starts(text, "ENABLED=yes");
	free(text);
	return enabled;
}

/* ---- looking ---- */

static void judge(
	struct step_work *work, const char *const *texts, const struct rule *rules, size_t count) {
	struct buf script, why;
	char *comment = comment_of(work->name, false);
	buf_init(&script, SCRIPT_MAX);
	buf_init(&why, 64 << 10);
	for (size_t i = 0; i < count; i++) {
		if (is_there(texts, &rules[i])) continue;
		buf_addf(&why, "%s%s%s%s is not let in", why.len ? ", " : "", rules[i].port,
			rules[i].from ? " from " : "", rules[i].from ? rules[i].from : "");
		add_rule(&script, "allow", rules[i].port, rules[i].from);
		buf_adds(&script, " comment ");
		step_add_word(&script, comment);
		buf_addc(&script, '\n');
	}
	size_t before = script.len;
	drop_rules(texts, work->name, rules, count, &script);
	if (script.len > before) buf_addf(&why, "%srules of before are there", why.len ? ", " : "");
	if (!is_enabled()) {
		buf_addf(&why, "%sufw is not enabled", why.len ? ", " : "");
		buf_adds(&script, "ufw --force enable\n");
	}
	work->finding.verdict = script.len ? STEP_TODO : STEP_SO;
	work->finding.why = script.len ? buf_steal(&why) : xstrdup("all are let in");
	if (script.len && !work->dry) work->script = xasprintf("%s%s", lock_script, script.at);
	buf_release(&script);
	buf_release(&why);
	free(comment);
}

static int allow_look(struct step_work *work, struct err *err) {
	if (access(ufw_program, X_OK) != 0 && !work->dry)
		return err_set(err, ERR_NOT_FOUND,
			"ufw is not installed: a step with `packages = ufw` comes first");
	char **ssh = step_ssh_ports(err);
	if (!ssh) return -1;
	char *texts[ARRAY_LEN(rule_files)];
	size_t count;
	for (size_t i = 0; i < ARRAY_LEN(rule_files); i++)
		texts[i] = step_read_text(rule_files[i], RULES_MAX);
	struct rule *rules = wanted_rules(work->settings, ssh, &count);
	judge(work, (const char *const *)texts, rules, count);
	for (size_t i = 0; i < count; i++) free(rules[i].port);
	free(rules);
	for (size_t i = 0; i < ARRAY_LEN(rule_files); i++) free(texts[i]);
	strv_free(ssh);
	return 0;
}

const struct step_kind step_kind_allow = {
	.name = "allow", .root = true, .verified = true, .check = allow_check, .look = allow_look
};
