/*
 * An older tendd and a newer keeper, and the other way round: the bytes in tests/data/keeper/1 were
 * written by protocol 1 and never change. What answers them is read here by a reader that knows the
 * wire as protocol 1 had it, and nothing of ours.
 */
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/internal.h"

enum { DEADLINE_MS = 60000, OLD_TAGS = 27 };

/* Names of protocol 1; the keeper that is tried is another program. */
enum { OLD_HELLO = 16, OLD_SPAWNED = 18, OLD_EXITED = 20, OLD_EMPTY = 21, OLD_FORGOTTEN = 23 };
enum { TAG_TYPE = 1, TAG_RUN = 2, TAG_PID = 5, TAG_SIGNUM = 7, TAG_CODE = 9, TAG_TEXT = 13 };

static char folder[64], socket_path[96];

static char *read_kept(const char *name, size_t *len) {
	char path[512];
	snprintf(path, sizeof(path), TEND_TESTS_DIR "/data/keeper/1/%s", name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *bytes = xmalloc(4096);
	*len = fread(bytes, 1, 4096, file);
	assert_true(*len > 0 && *len < 4096);
	fclose(file);
	return bytes;
}

/* ---- an older tendd ---- */

struct old_frame {
	uint64_t number[OLD_TAGS + 1];
	char run[64];
};

static uint64_t number_at(const unsigned char *at, size_t bytes) {
	uint64_t value = 0;
	for (size_t i = bytes; i-- > 0;) value = value << 8 | at[i];
	return value;
}

static void read_whole(int fd, unsigned char *bytes, size_t len) {
	for (size_t done = 0; done < len;) {
		ssize_t got = read(fd, bytes + done, len - done);
		assert_true(got > 0);
		done += (size_t)got;
	}
}

static struct old_frame read_old(int fd) {
	unsigned char head[4], bytes[65536];
	struct old_frame frame = { 0 };
	read_whole(fd, head, sizeof(head));
	size_t len = number_at(head, 4);
	assert_true(len <= sizeof(bytes));
	read_whole(fd, bytes, len);
	for (size_t at = 0; at < len;) {
		unsigned char tag = bytes[at];
		assert_true(len - at >= 5);
		size_t size = number_at(bytes + at + 1, 4);
		at += 5;
		assert_true(size <= len - at);
		if (tag == TAG_RUN)
			snprintf(frame.run, sizeof(frame.run), "%.*s", (int)size,
				(char *)bytes + at);
		if (tag <= OLD_TAGS && tag != TAG_RUN && size == 8)
			frame.number[tag] = number_at(bytes + at, 8);
		at += size;
	}
	return frame;
}

/* An older tendd passes by what it does not know. */
static struct old_frame await(int fd, uint64_t type, char run) {
	for (;;) {
		struct old_frame frame = read_old(fd);
		if (frame.number[TAG_TYPE] == type && (!run || frame.run[0] == run)) return frame;
	}
}

static void send_kept(int fd, const char *name) {
	size_t len;
	char *bytes = read_kept(name, &len);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	free(bytes);
}

static int connect_to_keeper(void) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, socket_path);
	for (int tries = 0; tries < DEADLINE_MS / 10; tries++) {
		const struct timespec pause = { .tv_nsec = 10 * NS_PER_MS };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
	fail_msg("the keeper does not listen");
	return -1;
}

static void a_newer_keeper_does_what_an_older_tendd_says(void **state) {
	int status;
	pid_t keeper = fork();
	if (keeper == 0) {
		unsetenv("NOTIFY_SOCKET");
		execl(TEND_BIN_DIR "/tend-keeper", "tend-keeper", socket_path, NULL);
		_exit(99);
	}
	alarm(60); /* nothing here waits for long */
	int fd = connect_to_keeper();
	struct old_frame hello = await(fd, OLD_HELLO, 0);
	assert_int_equal(hello.number[TAG_PID], keeper);
	send_kept(fd, "tendd-begin");
	/* One exits with 7, the other is ended by TERM: in whatever order. */
	uint64_t code = 0, signum = 0, pid = 0;
	for (int ends = 0; ends < 2;) {
		struct old_frame frame = read_old(fd);
		bool first = frame.run[0] == 'a';
		if (frame.number[TAG_TYPE] == OLD_SPAWNED && !first) pid = frame.number[TAG_PID];
		if (frame.number[TAG_TYPE] == OLD_EXITED && first) code = frame.number[TAG_CODE];
		if (frame.number[TAG_TYPE] == OLD_EXITED && !first)
			signum = frame.number[TAG_SIGNUM];
		/* Facts are repeated: an end is told once for each that has a new one. */
		if (frame.number[TAG_TYPE] == OLD_EMPTY) ends++;
	}
	assert_int_equal(code, 7);
	assert_int_equal(signum, SIGTERM);
	assert_true(pid > 1);
	/* A run of a dead keeper, with a number that is another's now: nothing of it, and nobody hurt. */
	send_kept(fd, "tendd-sweep");
	await(fd, OLD_EMPTY, 'c');
	send_kept(fd, "tendd-end");
	for (char run = 'a'; run <= 'c'; run++) await(fd, OLD_FORGOTTEN, run);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(fd);
}

/* ---- an older keeper ---- */

struct seen {
	struct process process;
	bool spawned, failed, exited, empty, lost;
	struct err err;
};

static struct seen *seen_of(struct process *process) {
	return container_of(process, struct seen, process);
}

static void spawned(struct process *process) {
	seen_of(process)->spawned = true;
}

static void failed(struct process *process, const struct err *err) {
	seen_of(process)->failed = true;
	seen_of(process)->err = *err;
}

static void exited(struct process *process) {
	seen_of(process)->exited = true;
}

static void empty(struct process *process) {
	seen_of(process)->empty = true;
}

static void lost(struct process *process) {
	seen_of(process)->lost = true;
}

static void too_late(struct timer *timer) {
	fail_msg("what was waited for did not come");
}

static const struct process_calls calls = { spawned, failed, exited, empty, lost };

static void wait_for(struct loop *loop, const bool *flag) {
	struct timer guard;
	timer_init(&guard, loop, too_late);
	timer_start(&guard, DEADLINE_MS);
	loop_run_until(loop, flag);
	timer_cancel(&guard);
	assert_true(*flag);
}

/* The older keeper. */
struct played {
	int listener, fd;
};

static void caller_came(void *user, int events) {
	struct played *played = user;
	assert_int_equal(played->fd, -1);
	played->fd = accept(played->listener, NULL, NULL);
	assert_true(played->fd >= 0);
	send_kept(played->fd, "keeper-greeting");
}

static void adopt(struct seen *seen, struct process_host *host, char letter) {
	char run[PROCESS_RUN_SIZE] = { 0 };
	char unit[] = { 's', 'e', 'r', 'v', 'i', 'c', 'e', ':', letter, '\0' };
	memset(run, letter, PROCESS_RUN_SIZE - 1);
	*seen = (struct seen){ 0 };
	process_init(&seen->process, host, unit, &calls);
	process_adopt(&seen->process, run);
}

static void check_first(const struct seen *seen) {
	assert_true(seen->spawned && seen->exited && !seen->lost);
	assert_int_equal(seen->process.pid, 1201);
	assert_int_equal(seen->process.start_time, 3400);
	assert_int_equal(seen->process.limited, PROCESS_LIMITED_MEMORY | PROCESS_LIMITED_CPU);
	assert_int_equal(seen->process.exit.signal, SIGKILL);
	assert_true(seen->process.exit.oom);
}

static void a_newer_tendd_hears_what_an_older_keeper_says(void **state) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct seen seen[4];
	struct err err;
	strcpy(address.sun_path, socket_path);
	struct played played = { .listener = socket(AF_UNIX, SOCK_STREAM, 0), .fd = -1 };
	assert_int_equal(bind(played.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(played.listener, 1), 0);
	struct loop *loop = loop_new(1, &err);
	assert_non_null(loop);
	struct poll *poll = poll_start(loop, played.listener, POLL_READ, caller_came, &played);
	const struct process_keeper_options options = { .socket_path = socket_path };
	struct process_host *host = process_host_new_keeper(loop, &options, NULL, NULL);
	for (int i = 0; i < 4; i++) adopt(&seen[i], host, (char)('a' + i));
	wait_for(loop, &seen[0].empty);
	check_first(&seen[0]);
	wait_for(loop, &seen[1].failed);
	assert_int_equal(seen[1].err.kind, ERR_NOT_FOUND);
	assert_string_equal(seen[1].err.text, "cannot run 'x': no such file");
	wait_for(loop, &seen[2].spawned);
	assert_false(seen[2].process.notice.given); /* it has no socket for sd_notify */
	wait_for(loop, &seen[3].lost);              /* nothing was said of it */
	send_kept(played.fd, "keeper-later");
	wait_for(loop, &seen[2].empty);
	assert_int_equal(seen[2].process.exit.code, 5);
	poll_stop(poll);
	close(played.fd);
	for (int i = 0; i < 4; i++) process_release(&seen[i].process);
	process_host_free(host);
	loop_free(loop);
	close(played.listener);
}

static int make_folder(void **state) {
	strcpy(folder, "/tmp/tend-protocol-XXXXXX");
	if (!mkdtemp(folder)) return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/keeper.sock", folder);
	return 0;
}

static int remove_folder(void **state) {
	static const char *const names[] = { "keeper.sock", "keeper.sock.lock", "notify.sock" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = path_join(folder, names[i]);
		unlink(path);
		free(path);
	}
	return rmdir(folder);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_newer_keeper_does_what_an_older_tendd_says, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			a_newer_tendd_hears_what_an_older_keeper_says, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
