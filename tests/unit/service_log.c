/* Bytes of a service become lines, and a kill at any moment neither loses nor doubles one. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/internal.h"

#define STAMP "1970-01-01T00:00:00.000Z "

/* ---- lines ---- */

static char *cut_all(const char *bytes, size_t len, bool flush, size_t *taken) {
	struct buf out;
	buf_init(&out, 1 << 20);
	*taken = log_cut(bytes, len, flush, 0, &out);
	return buf_steal(&out);
}

static void lines_are_cut(void **state) {
	static const struct {
		const char *bytes;
		bool flush;
		const char *text; /* stamps left out, one line each */
		size_t left;
	} cases[] = {
		{ "one\n", false, "one\n", 0 },
		{ "one\ntwo\nthr", false, "one\ntwo\n", 3 },
		{ "thr", true, "thr\n", 0 },
		{ "", true, "", 0 },
		{ "\n\n", false, "\n\n", 0 },
		{ "win\r\nnext\r\n", false, "win\nnext\n", 0 },
		{ "10%\r50%\r100%\ndone\n", false, "100%\ndone\n", 0 },
		{ "10%\r50%\r", false, "", 4 }, /* the last state stays until something follows */
		{ "10%\r50%\r", true, "50%\n", 0 },
		{ "10%\r\r\r\n", false, "10%\n", 0 },
		{ "\r\r\r", true, "", 0 },
		{ "a\rb", false, "", 1 },
		{ "\ra\n", false, "a\n", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].bytes);
		size_t taken;
		struct buf want;
		buf_init(&want, 1 << 20);
		for (const char *at = cases[i].text; *at; at = strchr(at, '\n') + 1)
			buf_addf(&want, STAMP "%.*s\n", (int)strcspn(at, "\n"), at);
		char *got = cut_all(cases[i].bytes, len, cases[i].flush, &taken);
		assert_string_equal(got, want.at);
		assert_int_equal(len - taken, cases[i].left);
		free(got);
		buf_release(&want);
	}
}

static void long_lines_are_cut_in_pieces(void **state) {
	enum { LEN = 2 * LOG_LINE_MAX + 100 };
	char *bytes = xmalloc(LEN + 1);
	size_t taken;
	memset(bytes, 'x', LEN);
	bytes[LEN] = '\n';
	char *got = cut_all(bytes, LEN + 1, false, &taken);
	assert_int_equal(taken, LEN + 1);
	assert_int_equal(strlen(got), LEN + 3 * (strlen(STAMP) + 1));
	free(got);
	free(bytes);
}

/* However the bytes arrive, the lines are the same. */
static void pieces_do_not_matter(void **state) {
	static const char bytes[] = "one\ntwo\r\nold\rnew\n\n10%\r20%\r\nlast\n";
	size_t taken;
	char *whole = cut_all(bytes, sizeof(bytes) - 1, false, &taken);
	for (size_t first = 1; first < sizeof(bytes) - 1; first++) {
		struct buf out;
		buf_init(&out, 1 << 20);
		size_t done = log_cut(bytes, first, false, 0, &out);
		done += log_cut(bytes + done, sizeof(bytes) - 1 - done, false, 0, &out);
		assert_int_equal(done, sizeof(bytes) - 1);
		assert_string_equal(out.at, whole);
		buf_release(&out);
	}
	free(whole);
}

/* ---- the spool ---- */

static char folder[64], spool_path[96], log_path[96];

static int set_up(void **state) {
	strcpy(folder, "/tmp/tend-spool-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(spool_path, sizeof(spool_path), "%s/spool", folder);
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	return 0;
}

static int tear_down(void **state) {
	unlink(spool_path);
	unlink(log_path);
	return rmdir(folder);
}

static struct spool *open_spool(void) {
	struct err err;
	struct spool *spool = spool_open(spool_path, &err);
	if (!spool) fail_msg("%s", err.text);
	return spool;
}

static void bytes_go_round_the_ring(void **state) {
	enum { STEP = 40000 };
	int fds[2];
	char out[STEP];
	uint32_t written = 0, read_back = 0;
	struct spool *spool = open_spool();
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < STEP; i++) out[i] = (char)(1 + written++ % 251);
		assert_int_equal(write(fds[1], out, STEP), STEP);
		assert_int_equal(spool_read(spool, fds[0]), STEP);
		size_t len;
		const char *bytes = spool_bytes(spool, &len);
		size_t take = round % 3 == 0 ? len / 2 : len;
		for (size_t i = 0; i < take; i++)
			assert_int_equal(bytes[i], (char)(1 + read_back++ % 251));
		spool_skip(spool, take);
	}
	close(fds[0]);
	close(fds[1]);
	spool_close(spool);
}

static void a_full_spool_takes_no_more(void **state) {
	int fds[2];
	char out[65536];
	struct spool *spool = open_spool();
	memset(out, 'x', sizeof(out));
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	size_t total = 0;
	while (spool_room(spool) > 0) {
		assert_int_equal(write(fds[1], out, sizeof(out)), sizeof(out));
		total += spool_read(spool, fds[0]);
	}
	assert_int_equal(total, SPOOL_BYTES);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(spool_read(spool, fds[0]), 0);
	spool_close(spool);
	spool = open_spool(); /* the next life */
	size_t len;
	spool_bytes(spool, &len);
	assert_int_equal(len, SPOOL_BYTES);
	spool_skip(spool, 10);
	assert_int_equal(spool_read(spool, fds[0]), 1);
	spool_close(spool);
	close(fds[0]);
	close(fds[1]);
}

static void nonsense_in_its_file_is_passed_by(void **state) {
	int fd = open(spool_path, O_CREAT | O_WRONLY, 0600);
	char bytes[100000];
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	struct spool *spool = open_spool();
	size_t len;
	spool_bytes(spool, &len);
	assert_int_equal(len, 0);
	assert_int_equal(spool_room(spool), SPOOL_BYTES);
	spool_close(spool);
}

/* One life: from the pipe through the spool into the file, as log.c does it, until it is killed. */
static void live(int fifo) {
	struct spool *spool = open_spool();
	struct err err;
	struct log_work work = { .where = LOG_TO_FILE,
		.journal_fd = -1,
		.path = log_path,
		.fd = -1,
		.task = LOG_TASK_OPEN,
		.recover = true };
	buf_init(&work.text, 2 * SPOOL_BYTES);
	spool_agreed(spool, &work.inode, &work.file_bytes);
	if (log_work_do(&work, &err) != 0) _exit(1);
	spool_commit(spool, 0, work.inode, work.file_bytes);
	work.task = LOG_TASK_WRITE;
	for (;;) {
		spool_read(spool, fifo);
		size_t len;
		const char *bytes = spool_bytes(spool, &len);
		size_t taken = log_cut(bytes, len, false, 0, &work.text);
		if (work.text.len == 0) continue;
		if (log_work_do(&work, &err) != 0) _exit(1);
		spool_commit(spool, taken, work.inode, work.file_bytes);
		buf_clear(&work.text);
	}
}

static void write_numbers(int fd) {
	char line[32];
	for (unsigned i = 0;; i++) {
		int len = snprintf(line, sizeof(line), "%u\n", i);
		if (write(fd, line, (size_t)len) != len) _exit(0);
	}
}

static pid_t child(void (*work)(int fd), int fd, int other) {
	pid_t pid = fork();
	if (pid == 0) {
		close(other);
		signal(SIGPIPE, SIG_DFL);
		work(fd);
		_exit(0);
	}
	return pid;
}

/* The size of the log is the moment: each life is killed when it has written a little more. */
static void a_kill_loses_and_doubles_nothing(void **state) {
	int fds[2];
	struct stat st = { 0 };
	assert_int_equal(pipe(fds), 0);
	pid_t writer = child(write_numbers, fds[1], fds[0]);
	off_t before = 0;
	for (int lives = 0; lives < 60; lives++) {
		pid_t pid = child(live, fds[0], fds[1]);
		do {
			assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
			if (stat(log_path, &st) != 0) st.st_size = 0;
		} while (st.st_size < before + 1 + lives * 997);
		before = st.st_size;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	FILE *log = fopen(log_path, "r");
	char line[128], want[128];
	struct spool *spool = open_spool();
	uint64_t inode, agreed;
	spool_agreed(spool, &inode, &agreed);
	unsigned count = 0;
	/* What the last life wrote and did not note is what its next one would cut off. */
	while ((uint64_t)ftell(log) < agreed && fgets(line, sizeof(line), log)) {
		snprintf(want, sizeof(want), STAMP "%u\n", count++);
		assert_string_equal(line, want);
	}
	assert_true(count > 1000);
	size_t len;
	const char *rest = spool_bytes(spool, &len);
	if (len > 0) assert_int_equal(strtoul(rest, NULL, 10), count);
	spool_close(spool);
	fclose(log);
}

/* ---- a piece without an end is written after a second, and no other ---- */

enum { ROUNDS = 75, ROUND_MS = 20 };

struct busy {
	struct timer timer;
	struct loop *loop;
	int fd, rounds;
	int64_t last_ms, longest_ms;
	bool over, drained;
};

/* The end of one line and the beginning of the next: there is always a piece, and none is old. */
static void write_piece(struct timer *timer) {
	struct busy *busy = container_of(timer, struct busy, timer);
	char text[64];
	int64_t now_ms = loop_now_ms(busy->loop);
	if (now_ms - busy->last_ms > busy->longest_ms) busy->longest_ms = now_ms - busy->last_ms;
	busy->last_ms = now_ms;
	busy->over = busy->rounds == ROUNDS;
	int len = snprintf(text, sizeof(text), busy->over ? "end\n" : "end\nbegin ");
	assert_int_equal(write(busy->fd, text, (size_t)len), len);
	if (busy->over) return;
	busy->rounds++;
	timer_start(timer, ROUND_MS);
}

static void is_drained(void *user) {
	((struct busy *)user)->drained = true;
}

/* False when this machine stood still for so long that a piece was old. */
static bool try_busy_log(struct loop *loop) {
	const struct services_options options = {
		.loop = loop, .runtime_dir = folder, .log_dir = folder
	};
	const struct service_settings settings = { .log_max_size_bytes = 0 };
	struct busy busy = { .loop = loop, .last_ms = loop_now_ms(loop) };
	struct service_log log;
	struct err err;
	char line[64];
	unlink(log_path);
	service_log_init(&log, loop, "log", &options);
	service_log_settings(&log, &settings);
	assert_int_equal(mkfifo(log.fifo_path, 0600), 0);
	busy.fd = open(log.fifo_path, O_RDWR);
	assert_int_equal(service_log_attach(&log, &err), 0);
	assert_int_equal(write(busy.fd, "begin ", 6), 6);
	timer_init(&busy.timer, loop, write_piece);
	timer_start(&busy.timer, ROUND_MS);
	loop_run_until(loop, &busy.over);
	close(busy.fd);
	service_log_drain(&log, is_drained, &busy);
	loop_run_until(loop, &busy.drained);
	busy.drained = false;
	service_log_close(&log, is_drained, &busy);
	loop_run_until(loop, &busy.drained);
	bool good = busy.longest_ms < 800;
	FILE *file = fopen(log.work.path, "r");
	for (int count = 0; good && count <= ROUNDS; count++) {
		assert_non_null(fgets(line, sizeof(line), file));
		assert_string_equal(strchr(line, ' '), " begin end\n");
	}
	fclose(file);
	unlink(log.work.path);
	unlink(log.fifo_path);
	service_log_release(&log);
	return good;
}

static void a_piece_that_just_came_is_not_written(void **state) {
	struct err err;
	struct loop *loop = loop_new(1, &err);
	assert_non_null(loop);
	for (int tries = 0; !try_busy_log(loop); tries++) assert_true(tries < 20);
	loop_free(loop);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut),
		cmocka_unit_test(long_lines_are_cut_in_pieces),
		cmocka_unit_test(pieces_do_not_matter),
		cmocka_unit_test_setup_teardown(
			a_piece_that_just_came_is_not_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_go_round_the_ring, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_spool_takes_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nonsense_in_its_file_is_passed_by, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_kill_loses_and_doubles_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
