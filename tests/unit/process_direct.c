/* Children of this process: how they are born, how they end, and that nothing of them is left. Each
 * case runs with cgroups where this machine lets us, and without. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/internal.h"

enum { DEADLINE_MS = 60000 };

struct pause {
	struct timer timer;
	bool *over;
};

struct probe {
	struct process process;
	bool spawned, failed, exited, empty, lost;
	struct err err;
	pid_t pid;
};

static struct loop *loop;
static struct process_host *host;
static char folder[64];
static char fifo[96];
static struct timer guard;

static struct probe *probe_of(struct process *process) {
	return container_of(process, struct probe, process);
}

static void spawned(struct process *process) {
	assert_false(probe_of(process)->spawned);
	probe_of(process)->spawned = true;
	probe_of(process)->pid = process->pid;
	uint64_t start_time = process_start_time(process->pid);
	if (start_time != 0 && start_time != process->start_time)
		fail_msg("pid %d: start time %llu, not %llu", (int)process->pid,
			(unsigned long long)start_time, (unsigned long long)process->start_time);
}

static void failed(struct process *process, const struct err *err) {
	probe_of(process)->failed = true;
	probe_of(process)->err = *err;
}

static void exited(struct process *process) {
	assert_true(probe_of(process)->spawned);
	probe_of(process)->exited = true;
}

static void empty(struct process *process) {
	probe_of(process)->empty = true;
}

static void lost(struct process *process) {
	probe_of(process)->lost = true;
}

static const struct process_calls calls = { spawned, failed, exited, empty, lost };

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

/* Lets the loop work until something outside of it is so. */
static void one_turn(void) {
	bool over = false;
	struct pause pause = { .over = &over };
	timer_init(&pause.timer, loop, turned);
	timer_start(&pause.timer, 2);
	wait_for(&over);
}

static char *const plain_env[] = { "PATH=/usr/bin:/bin", "A=1", NULL };

static void start(struct probe *probe, char *const *argv, struct process_spec spec) {
	char run[PROCESS_RUN_SIZE];
	*probe = (struct probe){ 0 };
	process_init(&probe->process, host, "service:test", &calls);
	process_make_run(loop, run);
	spec.argv = argv;
	if (!spec.env) spec.env = plain_env;
	spec.umask = spec.umask ? spec.umask : 022;
	process_spawn(&probe->process, run, &spec);
	assert_false(probe->spawned || probe->failed); /* nothing comes inside the call */
}

static void finish(struct probe *probe) {
	process_forget(&probe->process);
	process_release(&probe->process);
}

static void shell(struct probe *probe, const char *script, struct process_spec spec) {
	char *argv[] = { "sh", "-c", (char *)script, NULL };
	start(probe, argv, spec);
}

/* What a script writes to its log, read to the end. The caller's. */
static char *output_of(const char *script, struct process_spec spec, struct process_exit *exit) {
	struct probe probe;
	struct buf out;
	char bytes[4096];
	ssize_t got;
	buf_init(&out, 1 << 20);
	spec.fifo = fifo;
	shell(&probe, script, spec);
	int fd = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	wait_for(&probe.empty);
	while ((got = read(fd, bytes, sizeof(bytes))) > 0) buf_add(&out, bytes, (size_t)got);
	close(fd);
	if (exit) *exit = probe.process.exit;
	finish(&probe);
	assert_int_equal(access(fifo, F_OK), -1); /* forgotten: its pipe is gone too */
	return buf_steal(&out);
}

static int set_up(void **state) {
	struct err err;
	if (*state) setenv("TEND_WITHOUT", *state, 1);
	strcpy(folder, "/tmp/tend-process-XXXXXX");
	assert_non_null(mkdtemp(folder));
	chmod(folder, 0755);
	snprintf(fifo, sizeof(fifo), "%s/log", folder);
	loop = loop_new(1, &err);
	host = process_host_new_direct(loop);
	timer_init(&guard, loop, too_late);
	return 0;
}

static int tear_down(void **state) {
	process_host_free(host);
	timer_cancel(&guard); /* a test that failed left it running */
	loop_free(loop);
	assert_int_equal(rmdir(folder), 0);
	unsetenv("TEND_WITHOUT");
	return 0;
}

/* ---- birth ---- */

static void exec_errors_say_why(void **state) {
	char script[96], plain[96], folder_argv[80], orphan[96];
	snprintf(script, sizeof(script), "%s/script", folder);
	snprintf(plain, sizeof(plain), "%s/plain", folder);
	snprintf(orphan, sizeof(orphan), "%s/orphan", folder);
	snprintf(folder_argv, sizeof(folder_argv), "%s/", folder);
	close(open(script, O_CREAT | O_WRONLY, 0755));
	close(open(plain, O_CREAT | O_WRONLY, 0644));
	FILE *file = fopen(orphan, "w");
	fputs("#!/no/such/interpreter\n", file);
	fchmod(fileno(file), 0755);
	fclose(file);
	const struct {
		const char *program;
		const char *directory;
		const char *says;
		enum err_kind kind;
	} cases[] = {
		{ "no-such-program", NULL,
			"cannot run 'no-such-program': not found in PATH /usr/bin:/bin",
			ERR_NOT_FOUND },
		{ "/no/such/program", NULL, "cannot run '/no/such/program': no such file",
			ERR_NOT_FOUND },
		{ plain, NULL, "permission denied", ERR_DENIED },
		{ folder_argv, NULL, "permission denied", ERR_DENIED },
		{ script, NULL, "is no program: a script needs a first line such as #!/bin/sh",
			ERR_INVALID },
		{ orphan, NULL, "the interpreter named in the first line", ERR_NOT_FOUND },
		{ "true", "/no/such/folder", "cannot enter its directory '/no/such/folder'",
			ERR_NOT_FOUND },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct probe probe;
		char *argv[] = { (char *)cases[i].program, NULL };
		start(&probe, argv, (struct process_spec){ .directory = cases[i].directory });
		wait_for(&probe.failed);
		assert_false(probe.spawned || probe.exited);
		if (!strstr(probe.err.text, cases[i].says)) fail_msg("%s", probe.err.text);
		assert_int_equal(probe.err.kind, cases[i].kind);
		finish(&probe);
	}
	unlink(script);
	unlink(plain);
	unlink(orphan);
}

static void a_log_pipe_that_cannot_be_is_an_error(void **state) {
	struct probe probe;
	shell(&probe, "true", (struct process_spec){ .fifo = "/no/such/folder/log" });
	wait_for(&probe.failed);
	assert_non_null(strstr(probe.err.text, "cannot run 'sh': cannot make the log pipe"));
	finish(&probe);
}

static void exits_are_told(void **state) {
	static const struct {
		const char *script;
		int code, signal;
	} cases[] = { { "exit 0", 0, 0 }, { "exit 3", 3, 0 }, { "exit 255", 255, 0 },
		{ "kill -TERM $$", 0, SIGTERM }, { "kill -KILL $$", 0, SIGKILL },
		{ "ulimit -c 0; kill -SEGV $$", 0, SIGSEGV } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct process_exit exit;
		free(output_of(cases[i].script, (struct process_spec){ 0 }, &exit));
		assert_int_equal(exit.code, cases[i].code);
		assert_int_equal(exit.signal, cases[i].signal);
		assert_false(exit.oom);
	}
}

/* Trap 5: whatever the parent had done to itself, the child is born clean. */
static void a_child_is_born_clean(void **state) {
	static const char script[] =
		"cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt|Umask)'; "
		"cat /proc/self/environ | tr '\\0' '\\n' | sort | grep -v ^TEND_RUN= | grep -v "
		"^PWD=; "
		"ls /proc/self/fd | tr '\\n' ' '; echo; readlink /proc/self/fd/0; "
		"pwd; test -w /dev/stdout && echo own log; "
		"test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo own session";
	static const char golden[] = "Umask:\t0022\n"
				     "SigBlk:\t0000000000000000\n"
				     "SigIgn:\t0000000000000000\n"
				     "SigCgt:\t0000000000000000\n"
				     "A=1\nPATH=/usr/bin:/bin\nTEND_UNIT=service:test\n"
				     "0 1 2 3 \n" /* 3 is ls reading the folder */
				     "/dev/null\n/\nown log\nown session\n";
	sigset_t set, before;
	sigfillset(&set);
	sigdelset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	int leak = open("/dev/null", O_RDONLY); /* not closed at exec */
	int high = dup2(leak, 700);
	mode_t mask = umask(077);
	char *said = output_of(script, (struct process_spec){ 0 }, NULL);
	assert_string_equal(said, golden);
	free(said);
	umask(mask);
	close(leak);
	close(high);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void settings_reach_the_child(void **state) {
	struct process_spec spec = { .directory = "/usr", .umask = 027, .nice = 5, .nofile = 123 };
	char *said = output_of("umask; nice; ulimit -n; pwd", spec, NULL);
	assert_string_equal(said, "0027\n5\n123\n/usr\n");
	free(said);
}

static void a_child_becomes_its_user(void **state) {
	const gid_t groups[] = { 4, 44, 1234 };
	struct process_spec spec = {
		.become = true, .uid = 65534, .gid = 65533, .groups = groups, .group_count = 3
	};
	/* Reopening /dev/stdout is what refuses a pipe of root's. */
	char *said = output_of("id -u; id -g; id -G; echo again >/dev/stdout", spec, NULL);
	assert_string_equal(said, "65534\n65533\n65533 4 44 1234\nagain\n");
	free(said);
}

/* The mark is ours alone. */
static void nobody_forges_the_mark(void **state) {
	char *const env[] = { "PATH=/bin", "TEND_RUN=forged", "TEND_UNIT=forged", NULL };
	char *said = output_of(
		"echo ${#TEND_RUN} $TEND_UNIT", (struct process_spec){ .env = env }, NULL);
	assert_string_equal(said, "32 service:test\n");
	free(said);
}

/* ---- the group ---- */

static int count_marked(const char *run) {
	struct procs_question question = { .run = run };
	return (int)procs_walk(&question, NULL, NULL);
}

/* The main process is gone, a grandchild in a session of its own holds the log: not empty until
 * that is gone too. */
static void a_grandchild_belongs_to_the_group(void **state) {
	struct probe probe;
	char run[PROCESS_RUN_SIZE];
	shell(&probe, "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & exit 4",
		(struct process_spec){ 0 });
	strcpy(run, probe.process.run);
	wait_for(&probe.exited);
	assert_int_equal(probe.process.exit.code, 4);
	assert_false(probe.empty);
	process_signal(&probe.process, SIGKILL, true);
	wait_for(&probe.empty);
	assert_int_equal(count_marked(run), 0);
	finish(&probe);
}

static void a_signal_to_all_reaches_all(void **state) {
	struct probe probe;
	shell(&probe, "setsid sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.05; done' & wait",
		(struct process_spec){ 0 });
	wait_for(&probe.spawned);
	process_signal(&probe.process, SIGTERM, false);
	wait_for(&probe.exited);
	assert_int_equal(probe.process.exit.signal, SIGTERM);
	process_signal(&probe.process, SIGTERM, true);
	wait_for(&probe.empty);
	finish(&probe);
}

static void a_stopped_child_can_be_ended(void **state) {
	struct probe probe;
	shell(&probe, "kill -STOP $$; sleep 1000", (struct process_spec){ 0 });
	wait_for(&probe.spawned);
	siginfo_t stopped;
	assert_int_equal(waitid(P_PID, (id_t)probe.pid, &stopped, WSTOPPED | WNOWAIT), 0);
	process_signal(&probe.process, SIGTERM, false);
	wait_for(&probe.exited);
	process_signal(&probe.process, SIGKILL, true);
	wait_for(&probe.empty);
	finish(&probe);
}

/* Trap 7: a child that ends at once is never missed. */
static void a_thousand_that_end_at_once(void **state) {
	enum { AT_ONCE = 50 };
	static struct probe probes[AT_ONCE];
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < AT_ONCE; i++) {
			char *argv[] = { "true", NULL };
			start(&probes[i], argv, (struct process_spec){ 0 });
		}
		for (int i = 0; i < AT_ONCE; i++) {
			wait_for(&probes[i].empty);
			assert_true(probes[i].exited && !probes[i].lost);
			assert_int_equal(probes[i].process.exit.code, 0);
			finish(&probes[i]);
		}
	}
}

/* ---- runs of an earlier life ---- */

static pid_t plant(const char *run) {
	char mark[64];
	snprintf(mark, sizeof(mark), "TEND_RUN=%s", run);
	int ready[2];
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		char *argv[] = { "sleep", "1000", NULL };
		char *env[] = { "A=1", mark, "B=2", NULL };
		execve("/usr/bin/sleep", argv, env);
		_exit(1);
	}
	close(ready[1]);
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 0); /* closed by exec */
	close(ready[0]);
	return pid;
}

static void adopt(struct probe *probe, const char *run) {
	*probe = (struct probe){ 0 };
	process_init(&probe->process, host, "service:test", &calls);
	process_adopt(&probe->process, run);
	wait_for(&probe->lost);
}

static void a_sweep_finds_what_carries_the_mark(void **state) {
	char run[PROCESS_RUN_SIZE];
	struct probe probe;
	process_make_run(loop, run);
	pid_t pid = plant(run);
	adopt(&probe, run);
	process_sweep(&probe.process, 0, 0);
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) one_turn();
	assert_int_equal(WTERMSIG(status), SIGKILL);
	wait_for(&probe.empty);
	finish(&probe);
}

/* Trap 4: the number was given to another process, or nothing is known but the number. */
static void a_foreign_process_is_never_signalled(void **state) {
	char run[PROCESS_RUN_SIZE], other[PROCESS_RUN_SIZE];
	struct probe probe;
	process_make_run(loop, run);
	process_make_run(loop, other);
	pid_t pid = plant(other);
	const uint64_t start_times[] = { 0, process_start_time(pid) - 1,
		process_start_time(pid) + 1 };
	for (size_t i = 0; i < ARRAY_LEN(start_times); i++) {
		adopt(&probe, run);
		process_sweep(&probe.process, pid, start_times[i]);
		wait_for(&probe.empty);
		finish(&probe);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A program that hides its environment is known by pid and start time. */
static void a_sweep_trusts_pid_and_start_time(void **state) {
	char run[PROCESS_RUN_SIZE], other[PROCESS_RUN_SIZE];
	struct probe probe;
	process_make_run(loop, run);
	process_make_run(loop, other);
	pid_t pid = plant(other);
	adopt(&probe, run);
	process_sweep(&probe.process, pid, process_start_time(pid));
	wait_for(&probe.empty);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	finish(&probe);
}

static void what_is_left_ends_with_the_host(void **state) {
	struct probe probe;
	char run[PROCESS_RUN_SIZE];
	shell(&probe, "setsid sleep 1000 & sleep 1000", (struct process_spec){ 0 });
	strcpy(run, probe.process.run);
	wait_for(&probe.spawned);
	process_release(&probe.process);
	process_host_free(host);
	while (count_marked(run) > 0) one_turn();
	host = process_host_new_direct(loop);
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, NULL),                   \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "cgroup,pidfd"), \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "cgroup.kill")

/* What it says comes to us, and the end of our socket with its own. */
static void a_child_may_talk_with_us(void **state) {
	struct probe probe;
	char bytes[64] = "";
	int talk[2], message[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk), 0);
	assert_int_equal(pipe2(message, O_CLOEXEC), 0);
	const int stdio[3] = { talk[1], talk[1], message[1] };
	shell(&probe, "read word; echo got $word; echo trouble >&2",
		(struct process_spec){ .stdio = stdio });
	close(talk[1]);
	close(message[1]);
	assert_int_equal(write(talk[0], "this\n", 5), 5);
	wait_for(&probe.empty);
	assert_int_equal(probe.process.exit.code, 0);
	assert_int_equal(read(talk[0], bytes, sizeof(bytes)), 9);
	assert_memory_equal(bytes, "got this\n", 9);
	assert_int_equal(read(talk[0], bytes, sizeof(bytes)), 0);
	assert_int_equal(read(message[0], bytes, sizeof(bytes)), 8);
	assert_memory_equal(bytes, "trouble\n", 8);
	close(talk[0]);
	close(message[0]);
	finish(&probe);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BOTH(exec_errors_say_why),
		BOTH(a_log_pipe_that_cannot_be_is_an_error),
		BOTH(exits_are_told),
		BOTH(a_child_is_born_clean),
		BOTH(settings_reach_the_child),
		BOTH(a_child_becomes_its_user),
		BOTH(nobody_forges_the_mark),
		BOTH(a_grandchild_belongs_to_the_group),
		BOTH(a_signal_to_all_reaches_all),
		BOTH(a_stopped_child_can_be_ended),
		cmocka_unit_test_setup_teardown(a_thousand_that_end_at_once, set_up, tear_down),
		BOTH(a_sweep_finds_what_carries_the_mark),
		BOTH(a_foreign_process_is_never_signalled),
		BOTH(a_sweep_trusts_pid_and_start_time),
		BOTH(a_child_may_talk_with_us),
		BOTH(what_is_left_ends_with_the_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
