/* The keeper as its own program: what it knows outlives whoever asked, and what it leaves behind
 * when it is killed is found. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/internal.h"

enum { DEADLINE_MS = 60000 };

struct probe {
	struct process process;
	bool spawned, failed, exited, empty, lost;
	struct err err;
};

struct pause {
	struct timer timer;
	bool *over;
};

static struct loop *loop;
static struct process_host *host;
static struct timer guard;
static char folder[64], fifo[96], socket_path[96], log_path[96];
static char stray_run[PROCESS_RUN_SIZE], stray_unit[64];
static unsigned strays;

static struct probe *probe_of(struct process *process) {
	return container_of(process, struct probe, process);
}

static void spawned(struct process *process) {
	probe_of(process)->spawned = true;
}

static void failed(struct process *process, const struct err *err) {
	probe_of(process)->failed = true;
	probe_of(process)->err = *err;
}

static void exited(struct process *process) {
	probe_of(process)->exited = true;
}

static void empty(struct process *process) {
	probe_of(process)->empty = true;
}

static void lost(struct process *process) {
	probe_of(process)->lost = true;
}

static const struct process_calls calls = { spawned, failed, exited, empty, lost };

static void stray(void *user, const char *run, const char *unit) {
	snprintf(stray_run, sizeof(stray_run), "%s", run);
	snprintf(stray_unit, sizeof(stray_unit), "%s", unit);
	strays++;
}

static const struct process_host_calls host_calls = { .stray = stray };

static void too_late(struct timer *timer) {
	fail_msg("what was waited for did not come");
}

static void wait_for(const bool *flag) {
	timer_start(&guard, DEADLINE_MS);
	loop_run_until(loop, flag);
	timer_cancel(&guard);
	assert_true(*flag);
}

static void turned(struct timer *timer) {
	*container_of(timer, struct pause, timer)->over = true;
}

static void one_turn(void) {
	bool over = false;
	struct pause pause = { .over = &over };
	timer_init(&pause.timer, loop, turned);
	timer_start(&pause.timer, 2);
	wait_for(&over);
}

/* ---- one life of tendd ---- */

static void live(const char *keeper_path) {
	const struct process_keeper_options options = { socket_path, keeper_path, log_path };
	host = process_host_new_keeper(loop, &options, &host_calls, NULL);
}

static void connect_host(void) {
	while (!process_host_ready(host)) one_turn();
}

static void die(void) {
	process_host_free(host);
	host = NULL;
}

static pid_t keeper_pid(void) {
	struct buf text;
	buf_init(&text, 1024);
	process_describe(host, &text);
	const char *at = strstr(text.at, "pid ");
	assert_non_null(at);
	pid_t pid = (pid_t)strtol(at + 4, NULL, 10);
	buf_release(&text);
	return pid;
}

static void start(struct probe *probe, const char *script, const char *log) {
	static char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	char *argv[] = { "/bin/sh", "-c", (char *)script, NULL };
	char run[PROCESS_RUN_SIZE];
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 022, .fifo = log };
	*probe = (struct probe){ 0 };
	process_init(&probe->process, host, "service:test", &calls);
	process_make_run(loop, run);
	process_spawn(&probe->process, run, &spec);
}

static void adopt(struct probe *probe, const char *run) {
	*probe = (struct probe){ 0 };
	process_init(&probe->process, host, "service:test", &calls);
	process_adopt(&probe->process, run);
}

static void forget(struct probe *probe) {
	process_forget(&probe->process);
	process_release(&probe->process);
}

static int count_marked(const char *run) {
	struct procs_question question = { .run = run };
	return (int)procs_walk(&question, NULL, NULL);
}

static int set_up(void **state) {
	struct err err;
	if (*state) setenv("TEND_WITHOUT", *state, 1);
	strcpy(folder, "/tmp/tend-keeper-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(fifo, sizeof(fifo), "%s/log-test", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/keeper.sock", folder);
	snprintf(log_path, sizeof(log_path), "%s/keeper.log", folder);
	strays = 0;
	loop = loop_new(1, &err);
	timer_init(&guard, loop, too_late);
	live(TEND_BIN_DIR "/tend-keeper");
	return 0;
}

/* Every test ends with a keeper that has nothing left: it goes when it is told to, and says nothing
 * bad. */
static int tear_down(void **state) {
	char path[128], text[4096] = "";
	if (!host) live(NULL);
	connect_host();
	process_host_quit(host);
	while (access(socket_path, F_OK) == 0) one_turn();
	die();
	timer_cancel(&guard); /* a test that failed left it running */
	loop_free(loop);
	FILE *log = fopen(log_path, "r");
	while (log && fgets(text, sizeof(text), log))
		if (strstr(text, "Sanitizer") || strstr(text, "runtime error"))
			fail_msg("%s", text);
	if (log) fclose(log);
	unlink(log_path);
	snprintf(path, sizeof(path), "%s.lock", socket_path);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
	unsetenv("TEND_WITHOUT");
	return 0;
}

/* ---- tests ---- */

static void it_is_started_when_nobody_answers(void **state) {
	static struct probe probe;
	assert_false(process_host_ready(host));
	start(&probe, "exit 3", NULL); /* waits for the connection */
	wait_for(&probe.empty);
	assert_true(process_host_ready(host));
	assert_true(probe.spawned && probe.exited);
	assert_int_equal(probe.process.exit.code, 3);
	forget(&probe);
}

static void a_failed_start_comes_with_its_reason(void **state) {
	static struct probe probe;
	char *argv[] = { "jupyter-not-here", NULL };
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	char run[PROCESS_RUN_SIZE];
	process_init(&probe.process, host, "service:test", &calls);
	process_make_run(loop, run);
	probe.failed = false;
	process_spawn(&probe.process, run, &(struct process_spec){ .argv = argv, .env = env });
	wait_for(&probe.failed);
	assert_string_equal(
		probe.err.text, "cannot run 'jupyter-not-here': not found in PATH /usr/bin:/bin");
	assert_int_equal(probe.err.kind, ERR_NOT_FOUND);
	forget(&probe);
}

/* tendd dies, the service goes on, ends, and its exit code waits for the next tendd. */
static void an_exit_waits_for_the_next_tendd(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE];
	start(&probe, "exit 42", NULL);
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	pid_t pid = probe.process.pid;
	process_release(&probe.process);
	die();
	while (kill(pid, 0) == 0) one_turn();
	live(NULL);
	adopt(&probe, run);
	wait_for(&probe.empty);
	assert_true(probe.spawned && probe.exited && !probe.lost);
	assert_int_equal(probe.process.pid, pid);
	assert_int_equal(probe.process.exit.code, 42);
	forget(&probe);
}

/* Trap 2: what is written while nobody reads is there for whoever reads next. */
static void the_log_waits_for_the_next_tendd(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE], bytes[65536];
	size_t total = 0;
	start(&probe, "head -c 2097152 /dev/zero | tr '\\0' x; exit 7", fifo);
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	process_release(&probe.process);
	die();
	live(NULL);
	adopt(&probe, run);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	while (total < 2097152) {
		ssize_t got = read(fd, bytes, sizeof(bytes));
		if (got > 0) total += (size_t)got;
		if (got <= 0) one_turn();
	}
	wait_for(&probe.empty);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), -1); /* nothing more; the pipe is held */
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(probe.process.exit.code, 7);
	close(fd);
	forget(&probe);
}

/* Trap 3: tendd dies with the start still on its way. The next one must find it, not start it
 * again. */
static void a_start_on_its_way_is_not_lost(void **state) {
	connect_host();
	for (int i = 0; i < 20; i++) {
		static struct probe probe;
		char run[PROCESS_RUN_SIZE];
		start(&probe, "sleep 1000", NULL);
		strcpy(run, probe.process.run);
		process_release(&probe.process);
		die();
		live(NULL);
		adopt(&probe, run);
		wait_for(&probe.spawned);
		assert_false(probe.lost);
		process_signal(&probe.process, SIGKILL, true);
		wait_for(&probe.empty);
		forget(&probe);
	}
}

static void a_run_of_nobodys_is_told(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE];
	start(&probe, "sleep 1000", NULL);
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	process_release(&probe.process);
	die();
	live(NULL);
	connect_host();
	assert_int_equal(strays, 1);
	assert_string_equal(stray_run, run);
	assert_string_equal(stray_unit, "service:test");
	adopt(&probe, stray_run);
	wait_for(&probe.spawned);
	process_signal(&probe.process, SIGKILL, true);
	wait_for(&probe.empty);
	forget(&probe);
}

/* The keeper is killed: its children are lost, what is left of them is ended, and only then is it
 * as if they never were. */
static void a_killed_keeper_leaves_nothing(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE];
	start(&probe,
		"setsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 1000",
		NULL);
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	while (count_marked(run) < 5) one_turn();
	pid_t pid = probe.process.pid;
	uint64_t start_time = probe.process.start_time;
	kill(keeper_pid(), SIGKILL);
	wait_for(&probe.lost);
	assert_false(probe.exited || probe.empty);
	process_sweep(&probe.process, pid, start_time);
	wait_for(&probe.empty);
	assert_int_equal(count_marked(run), 0);
	assert_int_equal(process_start_time(pid), 0);
	forget(&probe);
}

/* Killed again while it sweeps: the next one sweeps on. */
static void a_sweep_survives_its_keeper(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE];
	start(&probe, "setsid sleep 1000 & sleep 1000", NULL);
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	kill(keeper_pid(), SIGKILL);
	wait_for(&probe.lost);
	kill(keeper_pid(), SIGKILL);
	process_sweep(&probe.process, 0, 0);
	wait_for(&probe.empty);
	assert_int_equal(count_marked(run), 0);
	forget(&probe);
}

static void an_unknown_run_is_lost(void **state) {
	static struct probe probe;
	char run[PROCESS_RUN_SIZE];
	process_make_run(loop, run);
	adopt(&probe, run);
	wait_for(&probe.lost);
	forget(&probe);
}

static void there_is_one_keeper(void **state) {
	int status;
	connect_host();
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr)) _exit(126);
		execl(TEND_BIN_DIR "/tend-keeper", "tend-keeper", socket_path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	one_turn();
	assert_true(process_host_ready(host));
}

/* A tendd that ends in its first moments leaves no keeper that comes up for nobody. */
static void one_that_is_on_its_way_is_called_back(void **state) {
	char socket[96], slow[96];
	int status = 0, turns = 0;
	pid_t ended = 0;
	connect_host();
	while (waitpid(-1, NULL, WNOHANG) > 0) continue; /* keepers of the tests before */
	snprintf(socket, sizeof(socket), "%s/other.sock", folder);
	snprintf(slow, sizeof(slow), "%s/slow", folder);
	FILE *script = fopen(slow, "w");
	assert_non_null(script);
	fputs("#!/bin/sh\nexec sleep 1000\n", script);
	fclose(script);
	chmod(slow, 0755);
	const struct process_keeper_options options = { socket, slow, log_path };
	struct process_host *other = process_host_new_keeper(loop, &options, &host_calls, NULL);
	one_turn();
	process_host_quit(other);
	for (; ended == 0 && turns < 5000; turns++) {
		ended = waitpid(-1, &status, WNOHANG);
		one_turn();
	}
	process_host_free(other);
	unlink(slow);
	assert_true(ended > 0 && ended != keeper_pid());
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Even with the socket's own permissions gone, another user is not heard. */
static void another_user_is_turned_away(void **state) {
	int status;
	connect_host();
	chmod(folder, 0755);
	chmod(socket_path, 0777);
	pid_t pid = fork();
	if (pid == 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		char byte;
		strcpy(address.sun_path, socket_path);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setuid(65534) != 0) _exit(2);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) _exit(3);
		_exit(read(fd, &byte, 1) == 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	one_turn();
	assert_true(process_host_ready(host)); /* the one who may was not disturbed */
}

static int children_of(pid_t parent) {
	char path[64], text[4096] = "";
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "r");
	int count = 0;
	if (file && fgets(text, sizeof(text), file))
		for (char *at = text; *at; at++) count += *at == ' ';
	if (file) fclose(file);
	return count;
}

/* Orphans of a service become the keeper's: none stays a zombie. */
static void orphans_are_reaped(void **state) {
	static struct probe probe;
	start(&probe, "for i in 1 2 3 4 5; do (setsid sh -c 'exit 0' &) ; done; exit 0", NULL);
	wait_for(&probe.empty);
	while (children_of(keeper_pid()) > 0) one_turn();
	forget(&probe);
}

#define BOTH(test)                                                               \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, NULL), \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "cgroup,pidfd")

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_is_started_when_nobody_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_failed_start_comes_with_its_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_exit_waits_for_the_next_tendd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_log_waits_for_the_next_tendd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_start_on_its_way_is_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_run_of_nobodys_is_told, set_up, tear_down),
		BOTH(a_killed_keeper_leaves_nothing),
		BOTH(a_sweep_survives_its_keeper),
		cmocka_unit_test_setup_teardown(an_unknown_run_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_one_keeper, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_is_on_its_way_is_called_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_user_is_turned_away, set_up, tear_down),
		BOTH(orphans_are_reaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
