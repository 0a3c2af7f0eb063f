/*
 * Lists whose answer ends early, at each byte, by a server or proxy that calls it whole: WebDAV, Azure and Drive (S3:
 * store_s3_answers.c). What was cut away would count as deleted, so of such a list nothing is believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"
#include "support/kept_login.h"

#define DAV_PART(href, type)                                             \
	"<D:response><D:href>/dav/" href "</D:href><D:propstat><D:prop>" \
	"<D:resourcetype>" type "</D:resourcetype><D:getcontentlength>4" \
	"</D:getcontentlength><D:getetag>\"v1\"</D:getetag></D:prop>"    \
	"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
#define AZURE_PART(name)                                                            \
	"<Blob><Name>" name "</Name><Properties><Content-Length>4</Content-Length>" \
	"<Etag>v1</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>"
#define DRIVE_PART(id, name)                  \
	"{\"id\":\"" id "\",\"name\":\"" name \
	"\",\"mimeType\":\"text/plain\",\"size\":\"4\",\"version\":\"1\"}"

struct server {
	const char *name, *type, *status, *list;
	struct store *(*open)(
		struct loop *loop, struct http *http, char *endpoint, struct kept_login *login);
};

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct store *store;
	const struct server *played;
	struct kept_login login;
	size_t length; /* of the list that is told */
	struct store_op op;
	bool ended;
	enum err_kind kind;
};

static struct store *open_webdav(
	struct loop *loop, struct http *http, char *endpoint, struct kept_login *login) {
	char *url = xasprintf("%s/dav", endpoint);
	struct remote_settings settings = { .type = REMOTE_WEBDAV, .url = url };
	struct err err;
	struct store *store = store_webdav_new(loop, http, &settings, &err);

	(void)login;
	free(url);
	return store;
}

static struct store *open_azure(
	struct loop *loop, struct http *http, char *endpoint, struct kept_login *login) {
	char folder[] = "/tmp/tend-unit-azure-XXXXXX";
	assert_non_null(mkdtemp(folder));
	char *key = login_keep(folder, "key", "a2V5IG9mIG5vYm9keQ==\n");
	char *account = xasprintf("%s/lab", endpoint);
	struct remote_settings settings = { .type = REMOTE_AZURE,
		.endpoint = account,
		.account = (char *)"lab",
		.container = (char *)"tend",
		.key_file = key };
	struct err err;
	struct store *store = store_azure_new(loop, http, &settings, &err);

	unlink(key);
	rmdir(folder);
	(void)login;
	free(key);
	free(account);
	return store;
}

static struct store *open_gdrive(
	struct loop *loop, struct http *http, char *endpoint, struct kept_login *login) {
	return kept_login_open(login, loop, http, endpoint);
}

static const struct server servers[] = {
	{ "webdav", "application/xml", "207 Multi-Status",
		"<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">" DAV_PART(
			"", "<D:collection/>") DAV_PART("a", "") DAV_PART("b", "")
			DAV_PART("sub/", "<D:collection/>") "</D:multistatus>",
		open_webdav },
	{ "azure", "application/xml", "200 OK",
		"<?xml version=\"1.0\"?><EnumerationResults><Blobs>" AZURE_PART("a")
			AZURE_PART("b") "<BlobPrefix><Name>sub/</Name></BlobPrefix></Blobs>"
					"<NextMarker/></EnumerationResults>",
		open_azure },
	{ "gdrive", "application/json", "200 OK",
		"{\"files\":[" DRIVE_PART("1", "a") "," DRIVE_PART("2", "b") "," DRIVE_PART(
			"3", "sub") "],\"incompleteSearch\":false}",
		open_gdrive },
};

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;
	const struct server *played = world->played;
	char *type = xasprintf("Content-Type: %s\r\n", played->type);
	char *list = xstrndup(played->list, world->length);

	(void)len;
	if (str_starts(request, "POST /token"))
		script_answer(connection, "200 OK", type,
			"{\"access_token\":\"a\",\"expires_in\":3600,\"token_type\":\"Bearer\"}");
	else
		script_answer(connection, played->status, type, list);
	free(list);
	free(type);
}

static void done(struct store_op *op, const struct err *err) {
	struct world *world = container_of(op, struct world, op);

	world->kind = err ? err->kind : ERR_NONE;
	world->ended = true;
}

static void list(struct world *world, size_t length) {
	store_op_init(&world->op, STORE_LIST, "");
	world->op.done = done;
	world->length = length;
	world->ended = false;
	store_start(world->store, &world->op);
	loop_run_until(world->loop, &world->ended);
}

static void cut(const struct server *played) {
	struct world world = { .played = played };
	const struct store_op *op = &world.op;
	struct err err;
	size_t whole = strlen(played->list);

	world.loop = loop_new(1, &err);
	world.http = http_new(world.loop);
	script_open(&world.server, world.loop, NULL, play, &world);
	char *endpoint = xasprintf("http://127.0.0.1:%d", world.server.port);
	world.store = played->open(world.loop, world.http, endpoint, &world.login);
	assert_non_null(world.store);
	for (size_t length = 0; length <= whole; length++) {
		list(&world, length);
		if (op->complete != (length == whole) || !world.kind != (length == whole) ||
			op->entry_count != (length == whole ? 3U : 0U))
			fail_msg("%s: %zu of %zu bytes: kind %d, complete %d, %zu entries",
				played->name, length, whole, world.kind, op->complete,
				op->entry_count);
		store_op_release(&world.op);
	}
	store_free(world.store);
	script_stop(&world.server);
	http_free(world.http);
	loop_free(world.loop);
	if (world.login.token) kept_login_close(&world.login);
	free(endpoint);
}

static void a_cut_list_is_never_complete(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) cut(&servers[i]);
}

int main(void) {
	static const struct CMUnitTest tests[] = { cmocka_unit_test(a_cut_list_is_never_complete) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
