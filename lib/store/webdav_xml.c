#include "store/webdav_xml.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX_BYTES =
		32 << 10, /* a path of 4 KiB, each byte as %XX, with an address before it */
	DEPTH_MAX = 32,
};

struct webdav_xml {
	XML_Parser parser;
	webdav_item_came *came;
	void *user;
	struct buf text;
	int depth;
	bool rooted; /* the outermost element is a multi-status */
	bool refused;
	bool in_propstat;
	struct webdav_item item;     /* the response that is being read */
	struct webdav_item propstat; /* and the part of it, until its status is known */
};

static void item_clear(struct webdav_item *item) {
	free(item->path);
	free(item->etag);
	free(item->meta);
	free(item->checksums);
	*item = (struct webdav_item){ .size = -1, .free_bytes = -1 };
}

static void refuse(struct webdav_xml *xml) {
	xml->refused = true;
	XML_StopParser(xml->parser, XML_FALSE);
}

static bool is(const XML_Char *name, const char *local) {
	return str_starts(name, "DAV:|") && str_equal(name + strlen("DAV:|"), local);
}

static void XMLCALL element_began(void *user, const XML_Char *name, const XML_Char **attributes) {
	struct webdav_xml *xml = user;

	buf_clear(&xml->text);
	if (++xml->depth > DEPTH_MAX) refuse(xml);
	if (xml->depth == 1) xml->rooted = is(name, "multistatus");
	if (xml->depth == 1 && !xml->rooted) refuse(xml);
	if (is(name, "response")) item_clear(&xml->item);
	if (is(name, "propstat")) {
		item_clear(&xml->propstat);
		xml->in_propstat = true;
	}
}

static void take(char **at, const char *text) {
	free(*at);
	*at = xstrdup(text);
}

/* The path of an address, decoded; NULL: it is none. The caller's. */
static char *path_of(const char *href) {
	const char *scheme = strstr(href, "://");
	const char *path = href;

	if (scheme && scheme < href + strcspn(href, "/?#")) {
		path = scheme + 3;
		path += strcspn(path, "/");
	}
	char *decoded = xstrndup(path, strcspn(path, "?#"));
	long len = str_percent_decode(decoded);
	if (len < 0 || (size_t)len != strlen(decoded)) {
		free(decoded);
		return NULL;
	}
	while (len > 0 && decoded[len - 1] == '/') decoded[--len] = '\0';
	return decoded;
}

/* "HTTP/1.1 200 OK" */
static int status_of(const char *text) {
	const char *space = strchr(text, ' ');
	long status = space ? strtol(space + 1, NULL, 10) : 0;

	return status >= 100 && status <= 999 ? (int)status : 500;
}

static void merge(struct webdav_item *item, struct webdav_item *part) {
	if (part->status < 200 || part->status > 299) {
		if (part->status > item->failed) item->failed = part->status;
		return;
	}
	item->is_folder |= part->is_folder;
	if (part->size >= 0) item->size = part->size;
	if (part->modified_ns) item->modified_ns = part->modified_ns;
	if (part->free_bytes >= 0) item->free_bytes = part->free_bytes;
	if (part->etag) take(&item->etag, part->etag);
	if (part->meta) take(&item->meta, part->meta);
	if (part->checksums) take(&item->checksums, part->checksums);
}

static void property_ended(struct webdav_xml *xml, const XML_Char *name, const char *text) {
	struct webdav_item *part = &xml->propstat;
	int64_t value;

	if (is(name, "collection")) part->is_folder = true;
	if (is(name, "getcontentlength") && !str_to_int(text, 0, INT64_MAX, &value))
		part->size = value;
	if (is(name, "quota-available-bytes") && !str_to_int(text, 0, INT64_MAX, &value))
		part->free_bytes = value;
	if (is(name, "getlastmodified") && !time_parse_http(text, &value))
		part->modified_ns = value;
	if (is(name, "getetag") && *text) take(&part->etag, text);
	if (str_equal(name, WEBDAV_NAMESPACE "|stat") && *text) take(&part->meta, text);
	if (str_equal(name, "http://owncloud.org/ns|checksum") && *text)
		take(&part->checksums, text);
}

static void XMLCALL element_ended(void *user, const XML_Char *name) {
	struct webdav_xml *xml = user;
	struct webdav_item *item = &xml->item;

	if (xml->refused) return; /* an empty element ends in the same call that began it */
	if (xml->text.len) str_trim(xml->text.at);
	const char *text = xml->text.at;
	if (is(name, "propstat")) {
		merge(item, &xml->propstat);
		xml->in_propstat = false;
	} else if (is(name, "response")) {
		if (!item->path) {
			refuse(xml);
		} else {
			xml->came(xml->user, item);
		}
		item_clear(item);
	} else if (is(name, "status")) {
		(xml->in_propstat ? &xml->propstat : item)->status = status_of(text);
	} else if (xml->in_propstat) {
		property_ended(xml, name, text);
	} else if (is(name, "href") && !item->path) {
		item->path = path_of(text);
	}
	buf_clear(&xml->text);
	xml->depth--;
}

static void XMLCALL text_came(void *user, const XML_Char *text, int len) {
	struct webdav_xml *xml = user;
	if (buf_add(&xml->text, text, (size_t)len)) refuse(xml);
}

static void XMLCALL document_type_came(void *user, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int internal) {
	refuse(user);
}

struct webdav_xml *webdav_xml_new(webdav_item_came *came, void *user) {
	struct webdav_xml *xml = xcalloc(1, sizeof(*xml));

	xml->parser = XML_ParserCreateNS(NULL, '|');
	if (!xml->parser) abort(); /* out of memory, as xmalloc */
	xml->came = came;
	xml->user = user;
	buf_init(&xml->text, TEXT_MAX_BYTES);
	item_clear(&xml->item);
	item_clear(&xml->propstat);
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, element_began, element_ended);
	XML_SetCharacterDataHandler(xml->parser, text_came);
	XML_SetStartDoctypeDeclHandler(xml->parser, document_type_came);
	return xml;
}

int webdav_xml_feed(
	struct webdav_xml *xml, const char *bytes, size_t len, bool last, struct err *err) {
	bool good = !xml->refused && len <= INT32_MAX &&
		    XML_Parse(xml->parser, bytes, (int)len, last) == XML_STATUS_OK && !xml->refused;

	if (good) return 0;
	return err_set(err, ERR_CORRUPT, "the answer is not XML as WebDAV has it: %s",
		xml->refused ? "another document, or too deep or too long"
			     : XML_ErrorString(XML_GetErrorCode(xml->parser)));
}

void webdav_xml_free(struct webdav_xml *xml) {
	if (!xml) return;
	XML_ParserFree(xml->parser);
	buf_release(&xml->text);
	item_clear(&xml->item);
	item_clear(&xml->propstat);
	free(xml);
}
