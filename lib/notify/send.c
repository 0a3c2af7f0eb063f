/* One message at a time: POST, then the command. A webhook that fails is tried again; a command that fails is not: it may have done
 * half of its work. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "notify/internal.h"

enum { TIMEOUT_MS = 60000, QUEUE_MAX = 100, ANSWER_MAX = 64 << 10 };

static const int64_t waits_ms[] = { 5000, 30000, 300000 };

static void step(struct notify *notify);

static struct message *first(const struct notify *notify) {
	return list_empty(&notify->queue) ? NULL
					  : list_entry(notify->queue.next, struct message, link);
}

void notify_message_free(struct message *message) {
	free(message->event);
	free(message->unit);
	free(message->text);
	free(message);
}

static void drop_first(struct notify *notify) {
	struct message *message = first(notify);
	list_remove(&message->link);
	notify->queued--;
	notify_message_free(message);
}

/* ---- the command ---- */

static void command_moved(struct process *process) {
	(void)process; /* its end matters */
}

static void command_over(struct notify *notify) {
	notify->running = false;
	timer_cancel(&notify->timer);
	if (notify->leaving) {
		notify_ended(notify);
		return;
	}
	drop_first(notify);
	step(notify);
}

static void command_failed(struct process *process, const struct err *err) {
	struct notify *notify = container_of(process, struct notify, process);
	log_warn("notify '%s': %s", notify->name, err->text);
	process_forget(process);
	command_over(notify);
}

static void command_exited(struct process *process) {
	struct notify *notify = container_of(process, struct notify, process);
	if (process->exit.signal || process->exit.code)
		log_warn("notify '%s': its command ended with %s %d", notify->name,
			process->exit.signal ? "signal" : "exit code",
			process->exit.signal ? process->exit.signal : process->exit.code);
	process_signal(process, SIGKILL, true); /* what it leaves behind */
}

static void command_gone(struct process *process) {
	process_forget(process);
	command_over(container_of(process, struct notify, process));
}

static void command_lost(struct process *process) {
	process_sweep(process, 0, 0);
}

static const struct process_calls command_calls = { command_moved, command_failed, command_exited,
	command_gone, command_lost };

static void add(char ***env, const char *name, const char *value) {
	strv_add_owned(env, xasprintf("%s=%s", name, value));
}

static void run_command(struct notify *notify) {
	static const char *const ours[] = { "TEND_", "NOTIFY_SOCKET=", NULL };
	const struct message *message = first(notify);
	char run[PROCESS_RUN_SIZE], moment[TIME_TEXT_SIZE], count[24];
	struct err err;
	char **argv = config_split_command(notify->settings.command, &err);
	char **env = process_environment(ours);
	if (!argv) abort(); /* the table checked it */
	time_format(message->at_ns, moment);
	*str_put_int(count, message->count) = '\0';
	add(&env, "TEND_EVENT", message->event);
	add(&env, "TEND_EVENT_UNIT", message->unit);
	add(&env, "TEND_EVENT_TEXT", message->text);
	add(&env, "TEND_EVENT_TIME", moment);
	add(&env, "TEND_EVENT_COUNT", count);
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 022 };
	process_make_run(notify->notifies->loop, run);
	notify->running = true;
	timer_start(&notify->timer, TIMEOUT_MS);
	process_spawn(&notify->process, run, &spec);
	strv_free(argv);
	strv_free(env);
}

/* ---- the webhook ---- */

static char *body_of(const struct notify *notify, const struct message *message) {
	char moment[TIME_TEXT_SIZE];
	char *clean = str_is_utf8(message->text, strlen(message->text))
			      ? xstrdup(message->text)
			      : str_printable(message->text);
	time_format(message->at_ns, moment);
	json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:I}", "api", 1, "host",
		loop_host(notify->notifies->loop), "event", message->event, "unit", message->unit,
		"text", clean, "time", moment, "count", (json_int_t)message->count);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	free(clean);
	if (!text) abort(); /* out of memory, as in base */
	return text;
}

static void posted(struct http_request *request, const struct err *err) {
	struct notify *notify = container_of(request, struct notify, request);
	struct message *message = first(notify);
	bool good = !err && request->status >= 200 && request->status <= 299;
	char *url = http_redact(notify->settings.webhook);
	notify->posting = false;
	if (!good && !notify->leaving && err)
		log_warn("notify '%s': %s: %s", notify->name, url, err->text);
	else if (!good && !notify->leaving)
		log_warn("notify '%s': %s answers %d", notify->name, url, request->status);
	free(url);
	http_request_release(request);
	free(notify->body);
	notify->body = NULL;
	if (notify->leaving) {
		notify_ended(notify);
	} else if (!good && message->tries < ARRAY_LEN(waits_ms)) {
		bool impatient = process_without("notify-wait"); /* tests do not wait */
		timer_start(&notify->timer, impatient ? 50 : waits_ms[message->tries]);
		message->tries++;
	} else if (notify->settings.command) {
		run_command(notify);
	} else {
		drop_first(notify);
		step(notify);
	}
}

static void post(struct notify *notify) {
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	notify->body = body_of(notify, first(notify));
	http_request_init(&notify->request, "POST", notify->settings.webhook);
	notify->request.headers = headers;
	notify->request.body = notify->body;
	notify->request.body_len = strlen(notify->body);
	notify->request.total_ms = TIMEOUT_MS;
	notify->request.answer_max = ANSWER_MAX;
	notify->request.done = posted;
	notify->posting = true;
	http_request_start(notify->notifies->http, &notify->request);
}

/* ---- one after the other ---- */

static void step(struct notify *notify) {
	if (notify->posting || notify->running || timer_running(&notify->timer) || !first(notify))
		return;
	if (notify->settings.webhook)
		post(notify);
	else
		run_command(notify);
}

static void timer_fired(struct timer *timer) {
	struct notify *notify = container_of(timer, struct notify, timer);
	if (notify->running)
		process_signal(&notify->process, SIGKILL, true);
	else
		step(notify);
}

void notify_send(struct notify *notify, struct message *message) {
	/* Whoever does not answer for days is not told of all of them. */
	if (notify->queued >= QUEUE_MAX) {
		notify_message_free(message);
		return;
	}
	list_add_tail(&notify->queue, &message->link);
	notify->queued++;
	step(notify);
}

void notify_send_init(struct notify *notify) {
	char *unit = xasprintf("notify:%s", notify->name);
	list_init(&notify->queue);
	process_init(&notify->process, notify->notifies->host, unit, &command_calls);
	timer_init(&notify->timer, notify->notifies->loop, timer_fired);
	free(unit);
}

void notify_send_end(struct notify *notify) {
	timer_cancel(&notify->timer);
	if (notify->running)
		process_detach(&notify->process); /* it ends by itself, or as a stray */
	notify->running = false;
	list_each(&notify->queue, link) {
		list_remove(link);
		notify_message_free(list_entry(link, struct message, link));
	}
	notify->queued = 0;
	if (notify->posting)
		http_request_cancel(&notify->request);
	else
		notify_ended(notify);
}
