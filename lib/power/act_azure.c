/*
 * Azure: who are we (IMDS), a token of the managed identity, does the management side mean the same machine, deallocate. Only the
 * last one does something, so whatever fails before it has done nothing. (learn.microsoft.com: Instance Metadata Service; managed
 * identities, "acquire a token"; Virtual Machines - Deallocate.)
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "power/idle.h"

enum { PATIENCE_MS = 30000, ANSWER_MAX = 1 << 20, NAME_MAX_BYTES = 1000 };

enum azure_step { AZURE_WHO, AZURE_TOKEN, AZURE_SAME, AZURE_DEALLOCATE, AZURE_ENDED };

static const char metadata[] = "http://169.254.169.254";
static const char management[] = "https://management.azure.com";
static const char who_path[] = "/metadata/instance/compute?api-version=2021-02-01";
static const char token_path[] =
	"/metadata/identity/oauth2/"
	"token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
static const char version[] = "api-version=2023-03-01";

struct idle_azure {
	struct loop *loop;
	struct http *http;
	const char *metadata, *management;
	char *endpoint;
	enum azure_step step;
	char *id, *vm, *authorization; /* resource id, vmId */
	struct http_request request;
	char *url;
	const char *headers[3];
	struct err err;
	struct defer defer;
	bool in_flight;
	void (*done)(void *user, const struct err *err);
	void *user;
};

static void ask(struct idle_azure *azure);

static void told(struct defer *defer) {
	struct idle_azure *azure = container_of(defer, struct idle_azure, defer);
	azure->done(azure->user, azure->err.kind == ERR_NONE ? NULL : &azure->err);
}

static void finish(struct idle_azure *azure) {
	azure->step = AZURE_ENDED;
	defer_start(azure->loop, &azure->defer);
}

/* A resource id is a path that we put behind the management side's address: of plain letters, and of a machine. */
static bool is_machine(const char *id) {
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.()/";
	size_t len = strlen(id);
	return str_starts(id, "/subscriptions/") && len < NAME_MAX_BYTES &&
	       strspn(id, plain) == len && !strstr(id, "/../") &&
	       (strstr(id, "/Microsoft.Compute/virtualMachines/") ||
		       strstr(id, "/virtualMachineScaleSets/"));
}

static char *text_in(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? xstrdup(text) : NULL;
}

static int take_who(struct idle_azure *azure, const json_t *answer) {
	azure->id = text_in(answer, "resourceId");
	azure->vm = text_in(answer, "vmId");
	if (azure->id && azure->vm && is_machine(azure->id)) return 0;
	return err_set(&azure->err, ERR_CORRUPT, "Azure's metadata does not name this machine");
}

static int take_token(struct idle_azure *azure, const json_t *answer) {
	const char *token = json_string_value(json_object_get(answer, "access_token"));
	if (!token || !*token || strpbrk(token, "\r\n"))
		return err_set(&azure->err, ERR_CORRUPT, "Azure's identity gives no token");
	log_secret(token);
	azure->authorization = xasprintf("Authorization: Bearer %s", token);
	return 0;
}

/* Another machine must never be ended: both sides must call this one by one name. */
static int take_same(struct idle_azure *azure, const json_t *answer) {
	const char *vm =
		json_string_value(json_object_get(json_object_get(answer, "properties"), "vmId"));
	if (vm && strcasecmp(vm, azure->vm) == 0) return 0;
	return err_set(&azure->err, ERR_CORRUPT,
		"Azure's management means another machine by this one's name: nothing was ended");
}

static int refused(struct idle_azure *azure, int status) {
	if (azure->step == AZURE_TOKEN && (status == 400 || status == 404))
		return err_set(&azure->err, ERR_DENIED,
			"this machine has no managed identity: give it one that may deallocate it");
	if (status == 401 || status == 403)
		return err_set(&azure->err, ERR_DENIED,
			"the managed identity may not do this: give it the role 'Virtual Machine "
			"Contributor' on this machine");
	bool busy = status == 429 || status >= 500;
	return err_set(&azure->err, busy ? ERR_BUSY : ERR_INVALID, "Azure answers %d", status);
}

static int take(struct idle_azure *azure) {
	static int (*const takes[])(struct idle_azure * azure, const json_t *answer) = { take_who,
		take_token, take_same };
	int status = azure->request.status;
	if (status < 200 || status > 299) return refused(azure, status);
	if (azure->step == AZURE_DEALLOCATE) return 0;
	json_t *answer = json_loads(azure->request.answer.at, 0, NULL);
	int rc = takes[azure->step](azure, answer);
	json_decref(answer);
	return rc;
}

static void answered(struct http_request *request, const struct err *err) {
	struct idle_azure *azure = container_of(request, struct idle_azure, request);
	azure->in_flight = false;
	/* Whether a lost answer to the last one was obeyed is not known: it is no "nothing was done". */
	if (err) {
		azure->err = *err;
		if (azure->step == AZURE_DEALLOCATE) azure->err.kind = ERR_SYSTEM;
		err_wrap(&azure->err, "Azure");
		finish(azure);
	} else if (take(azure) || azure->step == AZURE_DEALLOCATE) {
		if (azure->step == AZURE_DEALLOCATE && azure->err.kind == ERR_BUSY)
			azure->err.kind = ERR_SYSTEM;
		finish(azure);
	} else {
		azure->step++;
		ask(azure);
	}
}

static void ask(struct idle_azure *azure) {
	bool ours = azure->step <= AZURE_TOKEN;
	bool end = azure->step == AZURE_DEALLOCATE;
	http_request_release(&azure->request);
	free(azure->url);
	if (ours)
		azure->url = xasprintf(
			"%s%s", azure->metadata, azure->step == AZURE_WHO ? who_path : token_path);
	else
		azure->url = xasprintf("%s%s%s?%s", azure->management, azure->id,
			end ? "/deallocate" : "", version);
	azure->headers[0] = ours ? "Metadata: true" : azure->authorization;
	azure->headers[1] = NULL;
	http_request_init(&azure->request, end ? "POST" : "GET", azure->url);
	azure->request.headers = azure->headers;
	if (end) azure->request.body = "";
	azure->request.total_ms = PATIENCE_MS;
	azure->request.answer_max = ANSWER_MAX;
	azure->request.done = answered;
	azure->in_flight = true;
	http_request_start(azure->http, &azure->request);
}

struct idle_azure *idle_azure_start(struct loop *loop, struct http *http, const char *endpoint,
	void (*done)(void *user, const struct err *err), void *user) {
	struct idle_azure *azure = xcalloc(1, sizeof(*azure));
	azure->loop = loop;
	azure->http = http;
	azure->endpoint = xstrdup(endpoint);
	azure->metadata = endpoint ? azure->endpoint : metadata;
	azure->management = endpoint ? azure->endpoint : management;
	azure->done = done;
	azure->user = user;
	err_clear(&azure->err);
	defer_init(&azure->defer, told);
	http_request_init(&azure->request, "GET", "");
	ask(azure);
	return azure;
}

void idle_azure_cancel(struct idle_azure *azure) {
	if (azure->in_flight) http_request_cancel(&azure->request);
}

void idle_azure_free(struct idle_azure *azure) {
	if (!azure) return;
	defer_cancel(&azure->defer);
	http_request_release(&azure->request);
	if (azure->authorization) memset(azure->authorization, 0, strlen(azure->authorization));
	free(azure->authorization);
	free(azure->url);
	free(azure->id);
	free(azure->vm);
	free(azure->endpoint);
	free(azure);
}
