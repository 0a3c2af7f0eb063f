#include <string.h>

#include "http/internal.h"

void http_host(const char *url, char *out, size_t size) {
	const char *from = strstr(url, "://");
	from = from ? from + 3 : url;
	size_t len = strcspn(from, "/?#");
	const char *at = memchr(from, '@', len); /* user:password@ */

	if (at) {
		len -= (size_t)(at + 1 - from);
		from = at + 1;
	}
	if (len >= size) len = size - 1;
	memcpy(out, from, len);
	out[len] = '\0';
}

/* curl's own words where it has any: they name the address it tried or what OpenSSL did not
 * like. */
static const char *words(const struct http_slot *slot, CURLcode code) {
	return slot->text[0] ? slot->text : curl_easy_strerror(code);
}

static void could_not_connect(const struct http_slot *slot, const char *host, struct err *err) {
	const struct http_request *request = slot->request;
	long sys = 0;

	curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &sys);
	if (request->unix_socket) {
		err_sys(err, (int)sys, "cannot connect to '%s'", request->unix_socket);
	} else if (sys) {
		err_sys(err, (int)sys, "cannot connect to '%s'", host);
		strncat(err->text, "; check that the server runs and that no firewall is between",
			sizeof(err->text) - strlen(err->text) - 1);
	} else {
		err_set(err, ERR_OFFLINE,
			"cannot connect to '%s': check the address, the network and the firewall",
			host);
	}
	err->kind = ERR_OFFLINE;
	err->sys = (int)sys; /* for `tend`, which tells "not running" from "not allowed" */
}

static void too_slow(const struct http_slot *slot, const char *host, struct err *err) {
	long sent = 0;

	/* Not the time of connecting, which a kept connection has none of. */
	curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0) {
		err_set(err, ERR_OFFLINE,
			"cannot connect to '%s' in time: check the address, the network and the "
			"firewall",
			host);
	} else if (slot->request->total_ms) {
		err_set(err, ERR_OFFLINE, "no whole answer from '%s' within %lld ms", host,
			(long long)slot->request->total_ms);
	} else {
		err_set(err, ERR_OFFLINE, "no byte moved to or from '%s' for %lld s", host,
			(long long)(slot->request->idle_ms + 999) / 1000);
	}
}

void http_classify(const struct http_slot *slot, CURLcode code, struct err *err) {
	char host[128];
	http_host(slot->request->url, host, sizeof(host));

	switch ((int)code) { /* int: newer libraries know more of them */
	case CURLE_COULDNT_RESOLVE_PROXY:
		err_set(err, ERR_OFFLINE,
			"cannot resolve the proxy's name: check http_proxy and https_proxy in the "
			"environment");
		return;
	case CURLE_COULDNT_RESOLVE_HOST:
		err_set(err, ERR_OFFLINE,
			"cannot resolve '%s': check the spelling, the network and the name server",
			host);
		return;
	case CURLE_COULDNT_CONNECT: could_not_connect(slot, host, err); return;
	case CURLE_OPERATION_TIMEDOUT: too_slow(slot, host, err); return;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		err_set(err, ERR_DENIED,
			"the TLS certificate of '%s' is not trusted (%s): check the address, or "
			"name "
			"its authority with ca_file",
			host, words(slot, code));
		return;
	case CURLE_SSL_CACERT_BADFILE:
		err_set(err, ERR_DENIED, "cannot read the authorities' certificates in '%s': %s",
			slot->request->ca_file ? slot->request->ca_file : "the system's store",
			words(slot, code));
		return;
	case CURLE_SSL_CONNECT_ERROR:
		err_set(err, ERR_OFFLINE,
			"no TLS with '%s' (%s): check that it speaks https on this port", host,
			words(slot, code));
		return;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(err, ERR_INVALID, "not an address: '%s'", host);
		return;
	case CURLE_WRITE_ERROR:
		if (slot->too_long || slot->headers_too_long) {
			err_set(err, ERR_CORRUPT, "the answer of '%s' is longer than %zu bytes",
				host,
				slot->too_long ? slot->request->answer_max
					       : (size_t)HTTP_ANSWER_HEADERS_MAX);
			return;
		}
		break;
	default: break;
	}
	/* Send, receive, cut short, HTTP/2 framing: the connection, not the request. */
	err_set(err, ERR_OFFLINE, "the connection to '%s' broke: %s", host, words(slot, code));
}
