/* S3's answers in XML, as a walk: each element that ends is told with its path and its text. */
#ifndef STORE_S3_XML_H
#define STORE_S3_XML_H

#include <stddef.h>

#include "base/base.h"

/* `path`: "ListBucketResult/Contents/Key". `text`: of this element alone; "" when it holds
 * elements. Outer elements end after those inside. */
typedef void s3_xml_ended(void *user, const char *path, const char *text);

/* -1 with ERR_CORRUPT when it is not whole, well-formed XML. A document type is refused. */
int s3_xml_walk(const char *bytes, size_t len, s3_xml_ended *ended, void *user, struct err *err);

/* The same for an answer whose outermost element is to be `root`: 1; 0 when it is another one. */
int s3_xml_read(const char *bytes, size_t len, const char *root, s3_xml_ended *ended, void *user,
	struct err *err);

/* `text` with what XML gives a meaning to as entities. */
void s3_xml_escape(struct buf *out, const char *text);

#endif
