#include <stdio.h>
#include <stdlib.h>

#include "store/s3.h"

/* The requests of a multipart upload, which large files and copies of huge ones share. */

static void upload_id_ended(void *user, const char *path, const char *text) {
	struct s3_op *x = user;

	if (!str_ends(path, "/UploadId")) return;
	free(x->upload_id);
	x->upload_id = xstrdup(text);
}

void s3_upload_begin(struct s3_op *x, const char *object) {
	s3_send(x, &(struct s3_call){ .method = "POST",
			   .object = object,
			   .query = "uploads=",
			   .body = "",
			   .no_md5 = true });
}

int s3_upload_began(struct s3_op *x) {
	if (s3_read(x, "InitiateMultipartUploadResult", upload_id_ended, x)) return -1;
	if (x->upload_id && *x->upload_id) return 0;
	return err_set(
		&x->err, ERR_CORRUPT, "'%s' began an upload without a name", x->s3->endpoint);
}

const char *s3_upload_query(struct s3_op *x, int number) {
	char text[16];

	buf_clear(&x->text);
	snprintf(text, sizeof(text), "%d", number);
	if (number) s3_query(&x->text, "partNumber", text);
	s3_query(&x->text, "uploadId", x->upload_id);
	return x->text.at;
}

void s3_upload_end(
	struct s3_op *x, const char *object, const struct store_part *parts, size_t count) {
	int64_t size = x->op->verb == STORE_PART_END ? x->op->size : -1;
	size_t at;

	s3_upload_query(x, 0);
	buf_addc(&x->text, '\0'); /* the query and the body live in one buffer */
	at = x->text.len;
	buf_adds(&x->text, "<CompleteMultipartUpload>");
	for (size_t i = 0; i < count; i++) {
		buf_addf(
			&x->text, "<Part><PartNumber>%d</PartNumber><ETag>&quot;", parts[i].number);
		s3_xml_escape(&x->text, parts[i].receipt);
		buf_adds(&x->text, "&quot;</ETag></Part>");
	}
	buf_adds(&x->text, "</CompleteMultipartUpload>");
	s3_send(x, &(struct s3_call){ .method = "POST",
			   .object = object,
			   .query = x->text.at,
			   .body = x->text.at + at,
			   .body_len = x->text.len - at,
			   .patience_ms = rest_patience_ms(size) });
}

void s3_etag_ended(void *user, const char *path, const char *text) {
	char **etag = user;

	if (!str_ends(path, "/ETag")) return;
	free(*etag);
	*etag = rest_etag(text);
}

int s3_upload_ended(struct s3_op *x, char **etag) {
	*etag = NULL;
	if (s3_read(x, "CompleteMultipartUploadResult", s3_etag_ended, etag)) return -1;
	if (*etag && **etag) return 0;
	free(*etag);
	*etag = NULL;
	return err_set(
		&x->err, ERR_CORRUPT, "'%s' ended an upload without an ETag", x->s3->endpoint);
}

/* ---- parts that the server has ---- */

void s3_copy_source(struct s3_op *x, const char *from, const char *version) {
	char *encoded = str_percent_encode(from, "/");

	s3_header(x, "x-amz-copy-source: /%s/%s", x->s3->bucket, encoded);
	s3_match_header(x, "x-amz-copy-source-if-match", x->s3->copy_match, version);
	free(encoded);
}

void s3_upload_copy(
	struct s3_op *x, const char *object, int number, int64_t offset, int64_t length) {
	s3_header(x, "x-amz-copy-source-range: bytes=%lld-%lld", (long long)offset,
		(long long)(offset + length - 1));
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = object,
			   .query = s3_upload_query(x, number),
			   .body = "",
			   .no_md5 = true,
			   .patience_ms = rest_patience_ms(length) });
}

char *s3_upload_copied(struct s3_op *x) {
	char *etag = NULL;

	if (!s3_read(x, "CopyPartResult", s3_etag_ended, &etag) && !etag)
		err_set(&x->err, ERR_CORRUPT, "a part was copied without an ETag");
	if (x->err.kind == ERR_NONE) return etag;
	free(etag);
	return NULL;
}
