/* A multi-status (RFC 4918 §13), read as it comes. */
#ifndef STORE_WEBDAV_XML_H
#define STORE_WEBDAV_XML_H

#include "base/base.h"

/* The namespace of the property that says what plain WebDAV forgets. */
#define WEBDAV_NAMESPACE "urn:tend"

/* One member of the answer. Texts are borrowed for the call. */
struct webdav_item {
	char *path; /* of its address, decoded; without a slash at its end */
	int status; /* its own; 0: none was told */
	bool is_folder;
	int64_t size;        /* -1: not told */
	int64_t modified_ns; /* 0: not told */
	int64_t free_bytes;  /* of its file system; -1: not told */
	char *etag;          /* as it stands there */
	char *meta;          /* our property */
	char *checksums;     /* Nextcloud's */
	int failed;          /* a status above 299 of some property; 0: none */
};

struct webdav_xml;
typedef void webdav_item_came(void *user, const struct webdav_item *item);

struct webdav_xml *webdav_xml_new(webdav_item_came *came, void *user);
/* -1: this is no multi-status. */
int webdav_xml_feed(
	struct webdav_xml *xml, const char *bytes, size_t len, bool last, struct err *err);
void webdav_xml_free(struct webdav_xml *xml); /* NULL is fine */

#endif
