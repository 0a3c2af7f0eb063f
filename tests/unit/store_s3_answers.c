/* The S3 driver against a server that plays what real ones do seldom: cut lists, errors in a
 * 200, refusals, huge copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/internal.h"
#include "support/script_server.h"

/* What is asked, in this order, and what is answered. */
struct line {
	const char *asked; /* the request begins so */
	const char *has;   /* and holds this; NULL: anything */
	const char *status, *headers, *body;
};

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct remote_settings settings;
	struct store *store;
	const struct line *lines;
	size_t count, at;
	bool done;
	struct err err;
	char secret[64];
};

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;

	if (world->at >= world->count) fail_msg("nobody expected %.100s", request);
	const struct line *line = &world->lines[world->at++];
	if (!str_starts(request, line->asked))
		fail_msg("not '%s' but %.200s", line->asked, request);
	if (line->has && !strstr(request, line->has)) fail_msg("no '%s' in %s", line->has, request);
	if (str_starts(request, "HEAD ")) { /* its length is the object's */
		char *head = xasprintf("HTTP/1.1 %s\r\n%s\r\n", line->status, line->headers);
		script_sends(connection, head);
		free(head);
		return;
	}
	script_answer(connection, line->status, line->headers, line->body);
}

static void open_world(struct world *world) {
	struct err err;

	*world = (struct world){ .secret = "/tmp/tend-s3-XXXXXX" };
	int fd = mkstemp(world->secret);
	assert_true(fd >= 0 && write(fd, "secret", 6) == 6);
	close(fd);
	world->loop = loop_new(2, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	world->settings = (struct remote_settings){ .type = REMOTE_S3,
		.bucket = "tend",
		.region = "us-east-1",
		.access_key_id = "AK",
		.secret_access_key_file = world->secret,
		.timeout_ms = 10000 };
	world->settings.endpoint = xasprintf("http://localhost:%d", world->server.port);
}

static void open_store(struct world *world) {
	struct err err;

	world->store = store_s3_new(world->loop, world->http, &world->settings, &err);
	if (!world->store) fail_msg("%s", err.text);
}

static void close_world(struct world *world) {
	store_free(world->store);
	http_free(world->http);
	script_stop(&world->server);
	loop_free(world->loop);
	unlink(world->secret);
	free(world->settings.endpoint);
}

static struct world *running;

static void ended(struct store_op *op, const struct err *err) {
	running->err = err ? *err : (struct err){ 0 };
	running->done = true;
}

static enum err_kind run(
	struct world *world, struct store_op *op, const struct line *lines, size_t count) {
	world->lines = lines;
	world->count = count;
	world->at = 0;
	world->done = false;
	running = world;
	op->done = ended;
	store_start(world->store, op);
	assert_false(world->done);
	loop_run_until(world->loop, &world->done);
	assert_int_equal(world->at, count);
	return world->err.kind;
}

#define RUN(world, op, ...)                                  \
	run(world, op, (const struct line[]){ __VA_ARGS__ }, \
		sizeof((const struct line[]){ __VA_ARGS__ }) / sizeof(struct line))

/* ---- lists ---- */

static const char list_body[] =
	"<?xml version=\"1.0\"?><ListBucketResult "
	"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
	"<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
	"<Contents><Key>f/a%2Bb+c%25</Key><Size>12</"
	"Size><ETag>&quot;0cc175b9c0f1b6a831c399e269772661&quot;</ETag></Contents>"
	"<Contents><Key>f/l.rclonelink</Key><Size>3</"
	"Size><ETag>\"0cc175b9c0f1b6a831c399e269772661-7\"</ETag></Contents>"
	"<Contents><Key>f/</Key><Size>0</Size></Contents><Contents><Key>f//odd</Key><Size>0</"
	"Size></Contents>"
	"<CommonPrefixes><Prefix>f/g+h/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>f//</"
	"Prefix></CommonPrefixes>"
	"</ListBucketResult>";

static void a_list_is_read(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_LIST, "f");
	assert_int_equal(RUN(&world, &op,
				 { "GET "
				   "/tend?delimiter=%2F&encoding-type=url&list-type=2&max-keys="
				   "1000&prefix=f%2F HTTP/1.1\r\n",
					 "SignedHeaders=host;x-amz-content-sha256;x-amz-date,",
					 "200 OK", "", list_body }),
		ERR_NONE);
	assert_true(op.complete);
	assert_int_equal(op.entry_count, 3);
	assert_string_equal(op.entries[0].name, "a+b c%");
	assert_int_equal(op.entries[0].size, 12);
	assert_int_equal(op.entries[0].hash.kind, STORE_HASH_MD5);
	assert_string_equal(op.entries[0].version, "0cc175b9c0f1b6a831c399e269772661");
	assert_string_equal(op.entries[1].name, "l");
	assert_int_equal(op.entries[1].kind, STORE_LINK);
	assert_int_equal(op.entries[1].hash.kind, STORE_HASH_MD5_PARTS);
	assert_int_equal(op.entries[1].hash.parts, 7);
	assert_string_equal(op.entries[2].name, "g h");
	assert_int_equal(op.entries[2].kind, STORE_FOLDER);
	store_op_release(&op);
	close_world(&world);
}

static void a_cut_list_is_never_complete(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	for (size_t len = 0; len < strlen(list_body); len++) {
		char *cut = xstrndup(list_body, len);
		store_op_init(&op, STORE_LIST, "f");
		assert_int_equal(
			RUN(&world, &op, { "GET /tend?", NULL, "200 OK", "", cut }), ERR_CORRUPT);
		assert_false(op.complete);
		assert_int_equal(op.entry_count, 0);
		store_op_release(&op);
		free(cut);
	}
	close_world(&world);
}

static void lists_that_lie(void **state) {
	static const char *const bodies[] = {
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>f/%zz</Key></"
		"Contents></ListBucketResult>",
		"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>f/%00</Key></"
		"Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>other/x</Key></Contents></ListBucketResult>",
		"<html><body>Welcome to the hotel's network</body></html",
		"<!DOCTYPE x [<!ENTITY a "
		"'b'>]><ListBucketResult><Contents><Key>&a;</Key></Contents></ListBucketResult>",
		"not xml",
		"",
	};
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		store_op_init(&op, STORE_LIST, "f");
		assert_int_equal(RUN(&world, &op, { "GET /tend?", NULL, "200 OK", "", bodies[i] }),
			ERR_CORRUPT);
		assert_false(op.complete);
		assert_null(op.next_token);
		store_op_release(&op);
	}
	close_world(&world);
}

/* A captive portal answers 200 to everything, in well-formed XML too. */
static void another_document_is_no_list(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_LIST, "");
	assert_int_equal(
		RUN(&world, &op,
			{ "GET /tend?", NULL, "200 OK", "", "<html><body>hi</body></html>" }),
		ERR_CORRUPT);
	assert_false(op.complete);
	store_op_release(&op);
	close_world(&world);
}

/* ---- refusals ---- */

/* A wrong endpoint that answers 404 to everything is no empty remote. */
static void a_missing_bucket_is_no_missing_folder(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_LIST, "f");
	assert_int_equal(RUN(&world, &op, { "GET /tend?", NULL, "404 Not Found", "", "<html/>" }),
		ERR_INVALID);
	assert_false(op.complete);
	store_op_release(&op);
	close_world(&world);
}

static void errors_hide_in_200(void **state) {
	static const char error[] =
		"<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>";
	struct store_part part = { 1, 3, "0cc175b9c0f1b6a831c399e269772661" };
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_COPY, "a");
	op.to_key = "b";
	assert_int_equal(RUN(&world, &op,
				 { "PUT /tend/b HTTP", "x-amz-copy-source: /tend/a\r\n", "200 OK",
					 "", error }),
		ERR_BUSY);
	store_op_release(&op);

	store_op_init(&op, STORE_PART_END, "a");
	op.session = "upload-1 a";
	op.parts = &part;
	op.part_count = 1;
	assert_int_equal(RUN(&world, &op,
				 { "POST /tend/a?uploadId=upload-1 HTTP",
					 "<Part><PartNumber>1</"
					 "PartNumber><ETag>&quot;0cc175b9c0f1b6a831c399e269772661&"
					 "quot;</ETag></Part>",
					 "200 OK", "", error }),
		ERR_BUSY);
	store_op_release(&op);
	close_world(&world);
}

static void a_busy_server_says_when(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_PUT, "a");
	op.body = "x";
	op.body_len = 1;
	assert_int_equal(RUN(&world, &op,
				 { "PUT /tend/a HTTP", NULL, "503 Slow Down", "Retry-After: 7\r\n",
					 "<Error><Code>SlowDown</Code></Error>" }),
		ERR_BUSY);
	assert_int_equal(world.err.retry_ms, 7000);
	store_op_release(&op);
	close_world(&world);
}

static void clocks_are_told_apart(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_ABOUT, "");
	assert_int_equal(RUN(&world, &op,
				 { "GET /tend?", NULL, "403 Forbidden",
					 "Date: Sun, 22 Nov 2037 14:03:07 GMT\r\n",
					 "<Error><Code>RequestTimeTooSkewed</Code></Error>" }),
		ERR_DENIED);
	assert_non_null(strstr(world.err.text, "2037-11-22T14:03:07.000Z at"));
	store_op_release(&op);
	close_world(&world);
}

static void a_span_must_be_a_span(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_GET, "a");
	op.offset = 3;
	op.length = 2;
	assert_int_equal(RUN(&world, &op,
				 { "GET /tend/a HTTP", "range: bytes=3-4\r\n", "200 OK",
					 "ETag: \"e\"\r\n", "01234567" }),
		ERR_CORRUPT);
	store_op_release(&op);
	close_world(&world);
}

/* ---- conditions ---- */

/* A place made up for this very try is free: what is kept costs one copy, with its condition. */
static void keep_at_a_fresh_place(struct world *world) {
	static const char etag[] = "ETag: \"e2\"\r\n",
			  copied[] = "<CopyObjectResult><ETag>\"e1\"</ETag></CopyObjectResult>";
	struct store_op op;

	for (int fresh = 1; fresh >= 0; fresh--) {
		const struct line lines[] = {
			{ "HEAD /tend/.tend/versions/a/1", NULL, "404 Not Found", "", "" },
			{ "PUT /tend/.tend/versions/a/1", "x-amz-copy-source-if-match: \"e1\"\r\n",
				"200 OK", "", copied },
			{ "PUT /tend/a HTTP", "if-match: e1\r\n", "200 OK", etag, "" },
		};
		store_op_init(&op, STORE_PUT, "a");
		op.keep_key = ".tend/versions/a/1";
		op.keep_fresh = fresh;
		op.if_version = "e1";
		op.body = "new";
		op.body_len = 3;
		assert_int_equal(
			run(world, &op, lines + fresh, ARRAY_LEN(lines) - (size_t)fresh), ERR_NONE);
		assert_true(op.kept);
		store_op_release(&op);
	}
}

static void a_probe_finds_the_form_of_etags(void **state) {
	static const char etag[] = "ETag: \"e1\"\r\n",
			  copied[] = "<CopyObjectResult><ETag>\"e1\"</ETag></CopyObjectResult>";
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_ABOUT, "");
	assert_int_equal(
		RUN(&world, &op,
			{ "GET /tend?list-type=2&max-keys=1&prefix= HTTP", NULL, "200 OK", "",
				"<ListBucketResult/>" },
			{ "PUT /tend/.tend/probe-", NULL, "200 OK", etag, "" },
			{ "PUT /tend/.tend/probe-", "if-none-match: *\r\n", "412 No", "", "" },
			{ "PUT /tend/.tend/probe-", "if-match: \"0000", "412 No", "", "" },
			{ "PUT /tend/.tend/probe-", "if-match: \"e1\"\r\n", "412 No", "", "" },
			{ "PUT /tend/.tend/probe-", "if-match: e1\r\n", "200 OK", etag, "" },
			{ "PUT /tend/.tend/probe-", "x-amz-copy-source-if-match: \"0000", "412 No",
				"", "" },
			{ "PUT /tend/.tend/probe-", "x-amz-copy-source-if-match: \"e1\"\r\n",
				"200 OK", "", copied },
			{ "DELETE /tend/.tend/probe-", NULL, "204 No Content", "", "" },
			{ "DELETE /tend/.tend/probe-", NULL, "204 No Content", "", "" }),
		ERR_NONE);
	assert_true(op.about.conditions);
	store_op_release(&op);

	/* Once is enough. */
	store_op_init(&op, STORE_ABOUT, "");
	assert_int_equal(
		RUN(&world, &op, { "GET /tend?", NULL, "200 OK", "", "<ListBucketResult/>" }),
		ERR_NONE);
	assert_true(op.about.conditions);
	char *learned = xstrdup(op.learned);
	store_op_release(&op);

	/* Also in the next run, whose caller remembers it. */
	store_free(world.store);
	open_store(&world);
	store_op_init(&op, STORE_ABOUT, "");
	op.known = learned;
	assert_int_equal(
		RUN(&world, &op, { "GET /tend?", NULL, "200 OK", "", "<ListBucketResult/>" }),
		ERR_NONE);
	assert_true(op.about.conditions);
	assert_string_equal(op.learned, learned);
	store_op_release(&op);
	free(learned);

	store_op_init(&op, STORE_PUT, "a");
	op.body = "x";
	op.body_len = 1;
	op.if_version = "v7";
	assert_int_equal(RUN(&world, &op,
				 { "PUT /tend/a HTTP", "if-match: v7\r\n", "200 OK",
					 "ETag: \"9dd4e461268c8034f5c8564e155c67a6\"\r\n", "" }),
		ERR_NONE);
	store_op_release(&op);
	keep_at_a_fresh_place(&world);
	close_world(&world);
}

/* What was learned long ago or of another bucket, what another version wrote, and what is torn. */
static void what_is_no_knowledge_is_probed(void **state) {
	enum { NOW = -1 };
	static const struct {
		const char *ways;
		int64_t ns;
		const char *bucket;
	} old[] = {
		{ "1 1 2 2", 1, "tend" },
		{ "1 1 2 2", INT64_MAX, "tend" },
		{ "1 1 2 2", NOW, "other" },
		{ "0 1 2 2", NOW, "tend" },
		{ "1 1 9 2", NOW, "tend" },
		{ "1 -1 2 2", NOW, "tend" },
		{ "1 1 2", NOW, "tend" },
		{ "1 1 2 2", NOW, "" },
	};
	struct world world;
	struct store_op op;

	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		open_world(&world);
		open_store(&world);
		char *known = xasprintf("%s %lld %s/%s", old[i].ways,
			(long long)(old[i].ns == NOW ? loop_wall_ns(world.loop) : old[i].ns),
			world.settings.endpoint, old[i].bucket);
		store_op_init(&op, STORE_ABOUT, "");
		op.known = known;
		assert_int_equal(
			RUN(&world, &op,
				{ "GET /tend?", NULL, "200 OK", "", "<ListBucketResult/>" },
				{ "PUT /tend/.tend/probe-", NULL, "403 Forbidden", "", "" }),
			ERR_DENIED);
		assert_null(op.learned);
		store_op_release(&op);
		free(known);
		close_world(&world);
	}
}

/* Accepted and ignored: what it promises is worth nothing, so that what stands there is looked at just before. */
static void a_server_that_ignores_conditions_is_found_out(void **state) {
	static const char etag[] = "ETag: \"e1\"\r\n",
			  copied[] = "<CopyObjectResult><ETag>\"e1\"</ETag></CopyObjectResult>",
			  theirs[] = "Content-Length: 7\r\nETag: \"theirs\"\r\n",
			  md5[] = "ETag: \"9dd4e461268c8034f5c8564e155c67a6\"\r\n";
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_ABOUT, "");
	assert_int_equal(
		RUN(&world, &op, { "GET /tend?", NULL, "200 OK", "", "<ListBucketResult/>" },
			{ "PUT /tend/.tend/probe-", NULL, "200 OK", etag, "" },
			{ "PUT /tend/.tend/probe-", "if-none-match: *\r\n", "200 OK", etag, "" },
			{ "PUT /tend/.tend/probe-", "if-match: \"0000", "200 OK", etag, "" },
			{ "PUT /tend/.tend/probe-", "x-amz-copy-source-if-match: \"0000", "200 OK",
				"", copied },
			{ "DELETE /tend/.tend/probe-", NULL, "204 No Content", "", "" },
			{ "DELETE /tend/.tend/probe-", NULL, "204 No Content", "", "" }),
		ERR_NONE);
	assert_false(op.about.conditions);
	store_op_release(&op);

	/* Somebody else's bytes stand there: nothing is sent. */
	store_op_init(&op, STORE_PUT, "a");
	op.body = "x";
	op.body_len = 1;
	op.if_version = "v7";
	assert_int_equal(
		RUN(&world, &op, { "HEAD /tend/a HTTP", NULL, "200 OK", theirs, "" }), ERR_CHANGED);
	store_op_release(&op);
	store_op_init(&op, STORE_PUT, "a");
	op.body = "x";
	op.body_len = 1;
	op.if_absent = true;
	assert_int_equal(
		RUN(&world, &op, { "HEAD /tend/a HTTP", NULL, "200 OK", theirs, "" }), ERR_CHANGED);
	store_op_release(&op);
	store_op_init(&op, STORE_PUT, "a");
	op.body = "x";
	op.body_len = 1;
	op.if_version = "theirs";
	assert_int_equal(RUN(&world, &op, { "HEAD /tend/a HTTP", NULL, "200 OK", theirs, "" },
				 { "PUT /tend/a HTTP", NULL, "200 OK", md5, "" }),
		ERR_NONE);
	store_op_release(&op);
	close_world(&world);
}

/* As rclone writes and reads them. */
static void times_and_modes_are_written(void **state) {
	static const struct {
		int64_t mtime_ns;
		int mode;
		const char *text;
	} cases[] = {
		{ 0, 0, "x-amz-meta-mode: 100000\r\nx-amz-meta-mtime: 0.000000000\r\n" },
		{ -1500000000, 0644,
			"x-amz-meta-mode: 100644\r\nx-amz-meta-mtime: -1.500000000\r\n" },
		{ 1700000000000000007, 07755,
			"x-amz-meta-mode: 107755\r\nx-amz-meta-mtime: 1700000000.000000007\r\n" },
		{ INT64_MAX, 1,
			"x-amz-meta-mode: 100001\r\nx-amz-meta-mtime: 9223372036.854775807\r\n" },
	};
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		store_op_init(&op, STORE_PUT, "a");
		op.body = "x";
		op.body_len = 1;
		op.size = 1;
		op.mtime_ns = cases[i].mtime_ns;
		op.mode = cases[i].mode;
		assert_int_equal(
			RUN(&world, &op,
				{ "PUT /tend/a HTTP", cases[i].text, "200 OK",
					"ETag: \"9dd4e461268c8034f5c8564e155c67a6\"\r\n", "" }),
			ERR_NONE);
		store_op_release(&op);
	}
	close_world(&world);
}

/* ---- copies that are too large for one request ---- */

static const char too_large[] = "<Error><Code>InvalidRequest</Code><Message>The specified copy "
				"source is larger than ...</Message></Error>";
static const char head[] =
	"Content-Length: 5368709121\r\nETag: \"v1\"\r\nx-amz-meta-mtime: 1.5\r\nx-amz-meta-other: "
	"o\r\n"
	"x-amz-meta-md5chksum: DMF1ucDxtqgxw5niaXcmYQ==\r\nContent-Type: text/x\r\n";
static const char begun[] =
	"<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>";
static const char part_copied[] = "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>";

static void a_huge_object_is_set_in_parts(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_SET, "big");
	op.mtime_ns = 2500000000;
	assert_int_equal(
		RUN(&world, &op, { "HEAD /tend/big HTTP", NULL, "200 OK", head, "" },
			{ "PUT /tend/big HTTP", "x-amz-metadata-directive: REPLACE\r\n", "400 No",
				"", too_large },
			{ "HEAD /tend/big HTTP", NULL, "200 OK", head, "" },
			{ "POST /tend/big?uploads= HTTP", "x-amz-meta-mtime: 2.500000000\r\n",
				"200 OK", "", begun },
			{ "PUT /tend/big?partNumber=1&uploadId=u%2F1 HTTP",
				"range: bytes=0-1073741823\r\n", "200 OK", "", part_copied },
			{ "PUT /tend/big?partNumber=2&uploadId=u%2F1 HTTP",
				"x-amz-copy-source: /tend/big\r\n", "200 OK", "", part_copied },
			{ "PUT /tend/big?partNumber=3&uploadId=u%2F1 HTTP", NULL, "200 OK", "",
				part_copied },
			{ "PUT /tend/big?partNumber=4&uploadId=u%2F1 HTTP", NULL, "200 OK", "",
				part_copied },
			{ "PUT /tend/big?partNumber=5&uploadId=u%2F1 HTTP", NULL, "200 OK", "",
				part_copied },
			{ "PUT /tend/big?partNumber=6&uploadId=u%2F1 HTTP",
				"range: bytes=5368709120-5368709120\r\n", "200 OK", "",
				part_copied },
			{ "POST /tend/big?uploadId=u%2F1 HTTP", "<PartNumber>6</PartNumber>",
				"200 OK", "",
				"<CompleteMultipartUploadResult><ETag>\"new-6\"</ETag></"
				"CompleteMultipartUploadResult>" }),
		ERR_NONE);
	assert_string_equal(op.entry.version, "new-6");
	assert_true(op.entry.mtime_ns == 2500000000);
	assert_true(op.entry.size == 5368709121);
	assert_int_equal(
		op.entry.hash.kind, STORE_HASH_MD5); /* from its metadata, which go along */
	store_op_release(&op);
	close_world(&world);
}

static void a_huge_copy_that_fails_is_cleaned_up(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	open_store(&world);
	store_op_init(&op, STORE_COPY, "big");
	op.to_key = "copy";
	assert_int_equal(RUN(&world, &op,
				 { "PUT /tend/copy HTTP", "x-amz-metadata-directive: COPY\r\n",
					 "400 No", "", too_large },
				 { "HEAD /tend/big HTTP", NULL, "200 OK", head, "" },
				 { "POST /tend/copy?uploads= HTTP", "x-amz-meta-other: o\r\n",
					 "200 OK", "", begun },
				 { "PUT /tend/copy?partNumber=1&uploadId=u%2F1 HTTP", NULL,
					 "200 OK", "", part_copied },
				 { "PUT /tend/copy?partNumber=2&uploadId=u%2F1 HTTP", NULL,
					 "403 No", "", "<Error><Code>AccessDenied</Code></Error>" },
				 { "DELETE /tend/copy?uploadId=u%2F1 HTTP", NULL, "204 No Content",
					 "", "" }),
		ERR_DENIED);
	store_op_release(&op);
	close_world(&world);
}

/* ---- settings ---- */

static void settings_reach_the_request(void **state) {
	struct world world;
	struct store_op op;
	char host[64];

	open_world(&world);
	world.settings.addressing = 2; /* virtual */
	world.settings.prefix = "a/b";
	world.settings.storage_class = "STANDARD_IA";
	world.settings.sse = "aws:kms";
	open_store(&world);
	assert_string_equal(world.store->label, "s3://tend/a/b/");
	snprintf(host, sizeof(host), "Host: tend.localhost:%d\r\n", world.server.port);
	store_op_init(&op, STORE_PUT, "x y");
	op.body = "a";
	op.body_len = 1;
	op.size = 1;
	op.hash = (struct store_hash){ .kind = STORE_HASH_MD5,
		.bytes = { 0x0c, 0xc1, 0x75, 0xb9, 0xc0, 0xf1, 0xb6, 0xa8, 0x31, 0xc3, 0x99, 0xe2,
			0x69, 0x77, 0x26, 0x61 } };
	/* With keys of its own the ETag is no MD5: the metadata tell it. */
	const char *const has[] = { host, "x-amz-storage-class: STANDARD_IA\r\n",
		"x-amz-server-side-encryption: aws:kms\r\n",
		"x-amz-meta-md5chksum: DMF1ucDxtqgxw5niaXcmYQ==\r\n",
		"content-md5: DMF1ucDxtqgxw5niaXcmYQ==\r\n",
		"x-amz-content-sha256: "
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\r\n" };
	for (size_t i = 0; i < ARRAY_LEN(has); i++) {
		assert_int_equal(
			RUN(&world, &op,
				{ "PUT /a/b/x%20y HTTP", has[i], "200 OK",
					"ETag: \"ffffffffffffffffffffffffffffffff\"\r\n", "" }),
			ERR_NONE);
		assert_int_equal(op.entry.hash.kind, STORE_HASH_MD5);
		assert_int_equal(op.entry.hash.bytes[0], 0x0c);
	}
	store_op_release(&op);
	close_world(&world);
}

static void secrets_that_lie_open_are_refused(void **state) {
	struct world world;
	struct err err;

	open_world(&world);
	assert_int_equal(chmod(world.secret, 0644), 0);
	assert_null(store_s3_new(world.loop, world.http, &world.settings, &err));
	assert_int_equal(err.kind, ERR_DENIED);
	close_world(&world);
}

/* ---- the log ---- */

static int logged, leaked;

static void look_at_log(enum log_level level, const char *line, void *user) {
	logged++;
	leaked += strstr(line, "Signature=") || strstr(line, "secret-session") ||
		  strstr(line, "upload-1");
}

static void the_log_tells_no_secret(void **state) {
	struct world world;
	struct store_op op;

	open_world(&world);
	setenv("AWS_ACCESS_KEY_ID", "AK", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-environment", 1);
	setenv("AWS_SESSION_TOKEN", "secret-session", 1);
	world.settings.access_key_id = world.settings.secret_access_key_file = NULL;
	open_store(&world);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	log_open(LOG_LEVEL_DEBUG, LOG_TEXT);
	log_tap(look_at_log, NULL);
	store_op_init(&op, STORE_PART_ABORT, "a");
	op.session = "upload-1 a";
	assert_int_equal(RUN(&world, &op,
				 { "DELETE /tend/a?uploadId=upload-1 HTTP",
					 "x-amz-security-token: secret-session\r\n",
					 "204 No Content", "", "" }),
		ERR_NONE);
	log_tap(NULL, NULL);
	log_open(LOG_LEVEL_INFO, LOG_TEXT);
	assert_true(logged > 0);
	assert_int_equal(leaked, 0);
	store_op_release(&op);
	close_world(&world);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read),
		cmocka_unit_test(a_cut_list_is_never_complete),
		cmocka_unit_test(lists_that_lie),
		cmocka_unit_test(another_document_is_no_list),
		cmocka_unit_test(a_missing_bucket_is_no_missing_folder),
		cmocka_unit_test(errors_hide_in_200),
		cmocka_unit_test(a_busy_server_says_when),
		cmocka_unit_test(clocks_are_told_apart),
		cmocka_unit_test(a_span_must_be_a_span),
		cmocka_unit_test(a_probe_finds_the_form_of_etags),
		cmocka_unit_test(what_is_no_knowledge_is_probed),
		cmocka_unit_test(a_server_that_ignores_conditions_is_found_out),
		cmocka_unit_test(a_huge_object_is_set_in_parts),
		cmocka_unit_test(a_huge_copy_that_fails_is_cleaned_up),
		cmocka_unit_test(settings_reach_the_request),
		cmocka_unit_test(times_and_modes_are_written),
		cmocka_unit_test(secrets_that_lie_open_are_refused),
		cmocka_unit_test(the_log_tells_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
