/*
 * Who may ask on the TCP side. A browser on this machine speaks for any page that its person looks
 * at: what such a page can do to us without being ours is refused here, before anything else.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "control/internal.h"

enum { HOST_MAX = 256 };

/* The name of "NAME", "NAME:PORT", "[V6]", "[V6]:PORT"; false: none of these. The port is free: a
 * tunnel has one of its own, and rebinding changes names only. */
static bool host_name(const char *host, char *name) {
	size_t len = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
	const char *rest = host + len;

	if (*host == '[') {
		if (*rest != ']') return false;
		host++;
		len--;
		rest++;
	}
	if (len == 0 || len >= HOST_MAX) return false;
	if (*rest && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return true;
}

/* A number cannot be made to point elsewhere, a name can; those that we know are ours. */
static bool host_ours(const struct guard_question *question) {
	char name[HOST_MAX];
	struct in6_addr six;
	struct in_addr four;

	if (!question->host || !host_name(question->host, name)) return false;
	if (strcasecmp(name, "localhost") == 0) return true;
	if (inet_pton(AF_INET, name, &four) == 1)
		return question->remote || ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, name, &six) == 1)
		return question->remote || IN6_IS_ADDR_LOOPBACK(&six);
	return question->remote && question->machine && strcasecmp(name, question->machine) == 0;
}

/* Ours is the page that was loaded from the very Host it now asks. */
static bool origin_ours(const struct guard_question *question) {
	const char *origin = question->origin;

	if (!origin) return true;
	if (str_starts(origin, "http://"))
		origin += strlen("http://");
	else if (str_starts(origin, "https://"))
		origin += strlen("https://"); /* somebody's proxy before us */
	else
		return false;
	return strcasecmp(origin, question->host) == 0;
}

/* Browsers say since 2020 (Sec-Fetch-Site) whose page asks; a page on another port of this machine
 * is "same-site", and gets our cookie. A person who follows a link may look at the page itself. */
static bool site_ours(const struct guard_question *question) {
	const char *site = question->fetch_site;

	if (!site || str_equal(site, "same-origin") || str_equal(site, "none")) return true;
	return question->open && str_equal(question->method, "GET");
}

static bool is_json(const char *type) {
	static const char json[] = "application/json";

	return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
	       (!type[sizeof(json) - 1] || strchr("; ", type[sizeof(json) - 1]));
}

enum guard_verdict guard_judge(const struct guard_question *question) {
	bool looks = str_equal(question->method, "GET");

	if (!host_ours(question)) return GUARD_HOST;
	if (!origin_ours(question) || !site_ours(question)) return GUARD_ORIGIN;
	if (!looks && !is_json(question->content_type)) return GUARD_TYPE;
	if (question->open || question->bearer) return GUARD_PASS;
	if (!question->session) return GUARD_LOGIN;
	/* Whoever acts with a cookie is a browser, and says from where. */
	if (!looks && !question->origin) return GUARD_ORIGIN;
	return GUARD_PASS;
}
