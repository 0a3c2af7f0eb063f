/* One look at a service: does it listen, answer, is its file there, does a command say so? The words of `ready` and `check`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/internal.h"

enum {
	PATIENCE_MS = 5000,
	FILE_SLACK_MS = 20, /* a file's time is that of the kernel's last tick */
	ANSWER_MAX = 64 << 10,
};

/* ---- words ---- */

static int parse_port(const char *text, struct service_probe *probe, struct err *err) {
	int64_t port;
	const char *colon = strrchr(text, ':');
	const char *host = colon ? text : "localhost";
	size_t len = colon ? (size_t)(colon - text) : strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	snprintf(probe->host, sizeof(probe->host), "%.*s", (int)len, host);
	if (str_to_int(colon ? colon + 1 : text, 1, 65535, &port) != 0)
		return err_set(err, ERR_INVALID, "'tcp:%s' has no port: write tcp:8888", text);
	probe->port = (uint16_t)port;
	struct in6_addr room;
	if (str_equal(probe->host, "localhost") || inet_pton(AF_INET, probe->host, &room) == 1 ||
		inet_pton(AF_INET6, probe->host, &room) == 1)
		return 0;
	return err_set(err, ERR_INVALID,
		"'%s' is no address: write tcp:PORT, tcp:127.0.0.1:PORT or tcp:[::1]:PORT",
		probe->host);
}

static const char *after(const char *text, const char *word) {
	size_t len = strlen(word);
	return strncmp(text, word, len) == 0 && text[len] ? text + len : NULL;
}

int service_probe_parse(const char *text, struct service_probe *probe, struct err *err) {
	const char *rest;
	*probe = (struct service_probe){ .kind = PROBE_NONE };
	if (!text || str_equal(text, "started") || str_equal(text, "none")) return 0;
	if (str_equal(text, "notify")) {
		probe->kind = PROBE_NOTIFY;
		probe->text = text;
		return 0;
	}
	if ((rest = after(text, "tcp:"))) {
		probe->kind = PROBE_TCP;
		probe->text = text;
		return parse_port(rest, probe, err);
	}
	if (after(text, "http://") || after(text, "https://")) {
		probe->kind = PROBE_HTTP;
		probe->text = text;
		return 0;
	}
	if ((rest = after(text, "file:")))
		probe->kind = PROBE_FILE;
	else if ((rest = after(text, "log:")))
		probe->kind = PROBE_LOG;
	else if ((rest = after(text, "command:")))
		probe->kind = PROBE_COMMAND;
	probe->text = rest;
	if (probe->kind == PROBE_FILE && *rest != '/' && *rest != '~' && !str_starts(rest, "${"))
		return err_set(err, ERR_INVALID, "'%s' is not absolute: begin with / or ~", rest);
	if (rest) return 0;
	return err_set(err, ERR_INVALID,
		"'%s' is no way to tell: write tcp:PORT, http://..., file:PATH, log:TEXT, "
		"notify or command:...",
		text);
}

/* ---- one look under way ---- */

struct probing {
	struct list link; /* in services->probes */
	struct services *services;
	struct service *service; /* NULL: nobody wants to know any more */
	struct service_probe probe;
	char *text; /* what probe.text stands for; ours */
	struct timer patience;
	struct defer defer;
	bool failed;
	struct err err;
	/* tcp */
	int fd;
	struct poll *poll;
	bool second; /* localhost: ::1 is tried */
	/* http */
	struct http_request request;
	/* file, command */
	struct service_plan plan;
	struct service_settings *settings;
	int64_t since_ns;
	bool planning, running;
	struct process process;
};

static void probing_free(struct probing *p) {
	struct services *services = p->services;
	timer_cancel(&p->patience);
	defer_cancel(&p->defer);
	poll_stop(p->poll);
	if (p->fd >= 0) close(p->fd);
	if (p->probe.kind == PROBE_HTTP) http_request_release(&p->request);
	if (p->probe.kind == PROBE_COMMAND) process_release(&p->process);
	service_plan_release(&p->plan);
	service_settings_free(p->settings);
	list_remove(&p->link);
	free(p->text);
	free(p);
	if (services->detached && --services->closing == 0)
		defer_start(services->options.loop, &services->detach_defer);
}

static void tell(struct defer *defer) {
	struct probing *p = container_of(defer, struct probing, defer);
	struct service *service = p->service;
	struct err err = p->err;
	bool failed = p->failed;
	if (service) service->probing = NULL;
	probing_free(p);
	if (service) service_probed(service, failed ? &err : NULL);
}

static void end(struct probing *p, const struct err *err) {
	p->failed = err != NULL;
	if (err) p->err = *err;
	timer_cancel(&p->patience);
	defer_start(p->services->options.loop, &p->defer);
}

/* ---- tcp ---- */

static void try_connect(struct probing *p);

static void connected(struct probing *p, int errnum) {
	struct err err;
	poll_stop(p->poll);
	p->poll = NULL;
	close(p->fd);
	p->fd = -1;
	if (!errnum) {
		end(p, NULL);
	} else if (!p->second && str_equal(p->probe.host, "localhost")) {
		p->second = true;
		try_connect(p);
	} else {
		err_set(&err, ERR_OFFLINE, "nothing listens on port %u: %s",
			(unsigned)p->probe.port, strerror(errnum));
		end(p, &err);
	}
}

static void socket_ready(void *user, int events) {
	struct probing *p = user;
	int errnum = 0;
	socklen_t len = sizeof(errnum);
	(void)events;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0) errnum = errno;
	connected(p, errnum);
}

static void try_connect(struct probing *p) {
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(p->probe.port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(p->probe.port) };
	bool local = str_equal(p->probe.host, "localhost");
	const char *host = !local ? p->probe.host : p->second ? "::1" : "127.0.0.1";
	bool is_four = inet_pton(AF_INET, host, &four.sin_addr) == 1;
	if (!is_four && inet_pton(AF_INET6, host, &six.sin6_addr) != 1) abort(); /* it was parsed */
	p->fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (p->fd < 0 || fcntl(p->fd, F_SETFD, FD_CLOEXEC) != 0 ||
		fcntl(p->fd, F_SETFL, O_NONBLOCK) != 0) {
		struct err err;
		err_sys(&err, errno, "cannot make a socket");
		end(p, &err);
		return;
	}
	int rc = is_four ? connect(p->fd, (struct sockaddr *)&four, sizeof(four))
			 : connect(p->fd, (struct sockaddr *)&six, sizeof(six));
	if (rc == 0 || errno != EINPROGRESS)
		connected(p, rc ? errno : 0);
	else
		p->poll = poll_start(p->services->options.loop, p->fd, POLL_WRITE, socket_ready, p);
}

/* ---- http ---- */

static void answered(struct http_request *request, const struct err *err) {
	struct probing *p = container_of(request, struct probing, request);
	struct err wrong;
	if (!err && (request->status < 200 || request->status > 399)) {
		char *url = http_redact(p->text);
		err_set(&wrong, ERR_OFFLINE, "%s answers %d", url, request->status);
		free(url);
		err = &wrong;
	}
	end(p, err);
}

static void ask(struct probing *p) {
	http_request_init(&p->request, "GET", p->text);
	p->request.total_ms = PATIENCE_MS;
	p->request.answer_max = ANSWER_MAX;
	/* A connection that the service kept open says nothing of its listening. */
	p->request.fresh = true;
	p->request.done = answered;
	http_request_start(p->services->options.http, &p->request);
}

/* ---- file ---- */

/* One that an earlier run left does not count. */
static int look_at_file(struct job *job, struct err *err) {
	struct probing *p = container_of(job, struct probing, plan.job);
	struct stat st;
	char *path = service_expand(p->settings, p->text, err);
	int rc = path ? 0 : -1;
	if (path && stat(path, &st) != 0)
		rc = err_set(err, ERR_NOT_FOUND, "'%s' is not there", path);
	else if (path && stat_changed_ns(&st) < p->since_ns - FILE_SLACK_MS * NS_PER_MS)
		rc = err_set(err, ERR_NOT_FOUND, "'%s' is of an earlier run", path);
	free(path);
	return rc;
}

static void file_looked(struct job *job, const struct err *err) {
	struct probing *p = container_of(job, struct probing, plan.job);
	p->planning = false;
	end(p, err);
}

/* ---- command ---- */

static void command_moved(struct process *process) {
	(void)process; /* its end matters */
}

static void command_failed(struct process *process, const struct err *err) {
	struct probing *p = container_of(process, struct probing, process);
	p->running = false;
	process_forget(process);
	end(p, err);
}

static void command_exited(struct process *process) {
	struct probing *p = container_of(process, struct probing, process);
	struct err err;
	if (!p->failed && process->exit.signal)
		p->failed = err_set(&err, ERR_OFFLINE, "'%s' was ended by signal %d", p->text,
			process->exit.signal);
	else if (!p->failed && process->exit.code)
		p->failed = err_set(
			&err, ERR_OFFLINE, "'%s' exits with code %d", p->text, process->exit.code);
	else
		err = p->err;
	p->err = err;
	/* What it leaves behind is nobody's. */
	process_signal(process, SIGKILL, true);
}

static void command_gone(struct process *process) {
	struct probing *p = container_of(process, struct probing, process);
	struct err err = p->err;
	p->running = false;
	process_forget(process);
	end(p, p->failed ? &err : NULL);
}

/* The keeper died: whether it went well is not known. */
static void command_lost(struct process *process) {
	struct probing *p = container_of(process, struct probing, process);
	p->failed = err_set(&p->err, ERR_OFFLINE, "how '%s' ended is not known", p->text) != 0;
	process_sweep(process, 0, 0);
}

static const struct process_calls command_calls = { command_moved, command_failed, command_exited,
	command_gone, command_lost };

static int plan_command(struct job *job, struct err *err) {
	return service_plan_make(container_of(job, struct service_plan, job), err);
}

static void command_planned(struct job *job, const struct err *err) {
	struct probing *p = container_of(job, struct probing, plan.job);
	char run[PROCESS_RUN_SIZE];
	p->planning = false;
	if (err || !p->service) {
		end(p, err);
		return;
	}
	const struct process_spec spec = service_plan_spec(&p->plan, NULL);
	process_make_run(p->services->options.loop, run);
	p->running = true;
	process_spawn(&p->process, run, &spec);
}

/* ---- all of them ---- */

static void lost_patience(struct timer *timer) {
	struct probing *p = container_of(timer, struct probing, patience);
	struct err err;
	err_set(&err, ERR_OFFLINE, "'%s' took longer than %d s", p->text, PATIENCE_MS / 1000);
	if (p->running) { /* its end follows */
		p->failed = true;
		p->err = err;
		process_signal(&p->process, SIGKILL, true);
	} else if (!p->planning) {
		poll_stop(p->poll);
		p->poll = NULL;
		end(p, &err);
	}
}

void service_probe_start(struct service *service, const struct service_probe *probe) {
	struct services *services = service->services;
	struct probing *p = xcalloc(1, sizeof(*p));
	p->services = services;
	p->service = service;
	p->probe = *probe;
	p->text = xstrdup(probe->text);
	p->fd = -1;
	p->since_ns = service->record.started_ns;
	timer_init(&p->patience, services->options.loop, lost_patience);
	defer_init(&p->defer, tell);
	list_add_tail(&services->probes, &p->link);
	service->probing = p;
	if (probe->kind != PROBE_HTTP) timer_start(&p->patience, PATIENCE_MS);
	if (probe->kind == PROBE_TCP) {
		try_connect(p);
	} else if (probe->kind == PROBE_HTTP) {
		ask(p);
	} else if (probe->kind == PROBE_FILE) {
		p->settings = service_settings_copy(service->settings);
		p->plan.job = (struct job){ .work = look_at_file, .done = file_looked };
	} else {
		char *unit = xasprintf("check:%s", service->unit.name);
		process_init(&p->process, services->options.host, unit, &command_calls);
		free(unit);
		service_plan_init(&p->plan, service);
		free(p->plan.settings->command);
		p->plan.settings->command = xstrdup(p->text);
		p->plan.job = (struct job){ .work = plan_command, .done = command_planned };
	}
	if (!p->plan.job.work) return;
	p->planning = true;
	job_start(services->options.loop, &p->plan.job);
}

void service_probe_drop(struct probing *p) {
	if (!p) return;
	p->service->probing = NULL;
	p->service = NULL;
	if (p->planning) { /* its job ends first */
		job_cancel(&p->plan.job);
	} else if (p->running) {
		process_signal(&p->process, SIGKILL, true);
	} else if (p->probe.kind == PROBE_HTTP && http_request_running(&p->request)) {
		http_request_cancel(&p->request);
	} else {
		end(p, NULL);
	}
}

/* The next tendd finds a command of ours as a stray, and ends it. */
void service_probes_detach(struct services *services) {
	list_each(&services->probes, link) {
		struct probing *p = list_entry(link, struct probing, link);
		services->closing++;
		if (!p->running) continue;
		p->running = false;
		process_detach(&p->process);
		end(p, NULL);
	}
}
