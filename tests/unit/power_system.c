/* What signals read from the system: a folder with proc, sys, run and dev in place of /, looked at twice. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "power/idle.h"

enum { S = 1000, M = 60 * S, AFTER = 30 * M };

static const int64_t wall_ns = 1767225600 * NS_PER_S;
static char root[] = "/tmp/tend-root-XXXXXX";
static struct idle_memory memory;

static void put_bytes(const char *path, const void *bytes, size_t len) {
	char *whole = path_join(root, path), *parent = path_parent(whole),
	     *command = xasprintf("mkdir -p '%s'", parent);
	assert_int_equal(system(command), 0);
	FILE *file = fopen(whole, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
	free(command);
	free(parent);
	free(whole);
}

static void put(const char *path, const char *text) {
	put_bytes(path, text, strlen(text));
}

static void gone(const char *path) {
	char *command = xasprintf("rm -rf '%s/%s'", root, path);
	assert_int_equal(system(command), 0);
	free(command);
}

/* A process: fields of proc(5) that are looked at. */
struct fake {
	int pid, parent, group, session, tty, foreground, ticks, uid;
	const char *name;
};

static void put_proc(const struct fake *fake) {
	char path[64], text[400];
	snprintf(path, sizeof(path), "proc/%d/stat", fake->pid);
	snprintf(text, sizeof(text),
		"%d (%s) S %d %d %d %d %d 0 0 0 0 0 %d 0 0 0 20 0 1 0 %d 0 0\n", fake->pid,
		fake->name, fake->parent, fake->group, fake->session, fake->tty, fake->foreground,
		fake->ticks, 1000 + fake->pid);
	put(path, text);
	snprintf(path, sizeof(path), "%s/proc/%d", root, fake->pid);
	assert_int_equal(chown(path, (uid_t)fake->uid, (gid_t)-1), 0);
}

static void put_terminal(const char *name, int64_t input_age_s, int64_t output_age_s) {
	char *path = xasprintf("dev/%s", name);
	put(path, "");
	char *whole = path_join(root, path);
	const struct timespec times[2] = { { (time_t)(wall_ns / NS_PER_S - input_age_s), 0 },
		{ (time_t)(wall_ns / NS_PER_S - output_age_s), 0 } };
	assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
	free(whole);
	free(path);
}

enum { PTS_0 = 136 << 8, PTS_3 = PTS_0 | 3 };

static int set_up(void **state) {
	(void)state;
	memory = (struct idle_memory){ 0 };
	char *command = xasprintf("rm -rf '%s' && mkdir -m 700 '%s'", root, root);
	assert_int_equal(system(command), 0);
	free(command);
	put("proc/uptime", "4000.50 100.00\n");
	put("proc/stat", "cpu  10 0 10 1000 0 0 0 0 0 0\ncpu0 1\n");
	put("proc/net/dev", "a\nb\n  eth0: 100 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\n");
	put_proc(&(struct fake){ 1, 0, 1, 1, 0, -1, 5, 0, "systemd" });
	put_terminal("pts/ptmx", 0, 0);
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	idle_memory_release(&memory);
	return 0;
}

static struct idle_sample *look(int64_t now_ms) {
	static struct idle_sample sample;
	sample = (struct idle_sample){ .root = root,
		.nvml = "/no/such/library.so",
		.now_ms = now_ms,
		.wall_ns = wall_ns,
		.after_ms = AFTER,
		.memory = &memory };
	for (size_t i = 0; i < SIGNAL_KINDS; i++) sample.wanted[i] = true;
	sample.threshold[SIGNAL_CPU] = 10;
	sample.threshold[SIGNAL_GPU] = 5;
	sample.threshold[SIGNAL_NET] = 1000;
	idle_sample_read(&sample);
	return &sample;
}

static void check(const struct idle_answer *answer, enum idle_word word, const char *text) {
	if (answer->word != word || !strstr(answer->text, text))
		fail_msg("word %d, '%s', not '%s'", (int)answer->word, answer->text, text);
}

/* ---- all at once ---- */

static void test_nobody(void **state) {
	(void)state;
	struct idle_sample *sample = look(1000);
	assert_int_equal(sample->uptime_ms, 4000500);
	check(&sample->answers[SIGNAL_CPU], IDLE_UNKNOWN, "next look");
	check(&sample->answers[SIGNAL_NET], IDLE_UNKNOWN, "next look");
	idle_sample_release(sample);
	put("proc/stat", "cpu  11 0 10 1100 0 0 0 0 0 0\ncpu0 1\n");
	sample = look(31 * S);
	check(&sample->answers[SIGNAL_CPU], IDLE_IDLE, "%");
	check(&sample->answers[SIGNAL_NET], IDLE_IDLE, "0 B a second");
	check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "no login");
	check(&sample->answers[SIGNAL_MOSH], IDLE_IDLE, "no mosh");
	check(&sample->answers[SIGNAL_TMUX], IDLE_IDLE, "no tmux");
	check(&sample->answers[SIGNAL_JOBS], IDLE_IDLE, "no process");
	check(&sample->answers[SIGNAL_GPU], IDLE_IDLE, "no GPU");
	check(&sample->person, IDLE_IDLE, "nobody");
	check(&sample->dpkg, IDLE_IDLE, "");
	assert_int_equal(sample->server_count, 0);
	idle_sample_release(sample);
	put("proc/net/dev", "a\nb\n  eth0: 40000 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\n");
	sample = look(61 * S);
	check(&sample->answers[SIGNAL_NET], IDLE_ACTIVE, "1.3 KiB a second");
	check(&sample->answers[SIGNAL_CPU], IDLE_UNKNOWN,
		"next look"); /* its counters stand still */
	idle_sample_release(sample);
}

/* What cannot be read is not idle. */
static void test_blind(void **state) {
	(void)state;
	gone("proc");
	gone("dev");
	struct idle_sample *sample = look(1000);
	static const enum idle_kind kinds[] = { SIGNAL_SSH, SIGNAL_MOSH, SIGNAL_TMUX, SIGNAL_JOBS,
		SIGNAL_CPU, SIGNAL_NET, SIGNAL_TTY };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		check(&sample->answers[kinds[i]], IDLE_UNKNOWN, "");
	check(&sample->person, IDLE_UNKNOWN, "cannot be listed");
	assert_int_equal(sample->uptime_ms, -1);
	idle_sample_release(sample);
	put("proc/uptime", "soon");
	sample = look(2000);
	assert_int_equal(sample->uptime_ms, -1);
	idle_sample_release(sample);
}

/* ---- terminals ---- */

static void test_terminals(void **state) {
	(void)state;
	put_terminal("pts/0", 3600, 3600);
	struct idle_sample *sample = look(1000);
	check(&sample->person, IDLE_IDLE, "pts/0 59m52s ago");
	idle_sample_release(sample);
	put_terminal("tty1", 60, 3600);
	sample = look(2000);
	check(&sample->person, IDLE_ACTIVE, "tty1 52s ago");
	idle_sample_release(sample);
}

/* ---- ssh ---- */

static void put_login(const char *user, const char *tty, const char *host, int pid) {
	struct utmp entry = { .ut_type = USER_PROCESS, .ut_pid = pid };
	memcpy(entry.ut_user, user, strlen(user));
	memcpy(entry.ut_line, tty, strlen(tty));
	memcpy(entry.ut_host, host, strlen(host));
	put_bytes("run/utmp", &entry, sizeof(entry));
}

static void put_shell(const char *job) {
	put_proc(&(struct fake){ 50, 1, 50, 50, 0, -1, 5, 0, "sshd" });
	put_proc(&(struct fake){ 51, 50, 51, 51, PTS_3, job ? 52 : 51, 5, 1000, "bash" });
	if (job) put_proc(&(struct fake){ 52, 51, 52, 51, PTS_3, 52, 5, 1000, job });
}

static void test_utmp(void **state) {
	(void)state;
	put_shell(NULL);
	put_terminal("pts/3", 3600, 3600);
	put_login("soph", "pts/3", "192.0.2.7", 51);
	struct idle_sample *sample = look(1000);
	check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "soph at pts/3");
	idle_sample_release(sample);
	put_terminal("pts/3", 3600, 60); /* something was shown */
	sample = look(2000);
	check(&sample->answers[SIGNAL_SSH], IDLE_ACTIVE, "52s ago");
	check(&sample->person, IDLE_IDLE, "");
	idle_sample_release(sample);
	put_terminal("pts/3", 3600, 3600);
	put_shell("vim");
	sample = look(3000);
	check(&sample->answers[SIGNAL_SSH], IDLE_ACTIVE, "runs 'vim'");
	idle_sample_release(sample);
	/* Of a local login, of mosh and of one that is gone nothing is said here. */
	static const char *const hosts[] = { "", ":0", "192.0.2.7 via mosh [9]", "tmux(5).%0" };
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		put_login("soph", "pts/3", hosts[i], 51);
		sample = look(4000);
		check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "no login");
		idle_sample_release(sample);
	}
	put_login("soph", "pts/3", "192.0.2.7", 9999);
	sample = look(5000);
	check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "no login");
	idle_sample_release(sample);
}

static void put_socket(int pid, const char *state) {
	char *fd = xasprintf("%s/proc/%d/fd", root, pid), *link = xasprintf("%s/4", fd), text[300];
	snprintf(text, sizeof(text),
		"  sl  local_address\n   0: 0100007F:0016 0100007F:C350 %s 00000000:00000000 "
		"00:00000000 00000000 0 0 4711 1\n",
		state);
	put("proc/net/tcp", text);
	mkdir(fd, 0700);
	unlink(link);
	assert_int_equal(symlink("socket:[4711]", link), 0);
	free(link);
	free(fd);
}

/* Neither logind nor utmp knows it: the connection that an sshd holds, whatever its port and name. */
static void test_sockets(void **state) {
	static const char *const names[] = { "sshd", "sshd-session", "dropbear" };
	(void)state;
	put_terminal("pts/3", 3600, 60);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		put_proc(&(struct fake){ 50, 1, 50, 50, 0, -1, 5, 0, names[i] });
		put_proc(&(struct fake){ 51, 50, 51, 51, PTS_3, 51, 5, 1000, "bash" });
		put_socket(50, "01");
		struct idle_sample *sample = look(1000);
		check(&sample->answers[SIGNAL_SSH], IDLE_ACTIVE, "at pts/3");
		idle_sample_release(sample);
		put_socket(50, "0A"); /* it only listens */
		sample = look(2000);
		check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "no login");
		idle_sample_release(sample);
	}
}

static void test_without_a_terminal(void **state) {
	(void)state;
	put_proc(&(struct fake){ 50, 1, 50, 50, 0, -1, 5, 0, "sshd" });
	put_socket(50, "01");
	struct idle_sample *sample = look(1000);
	check(&sample->answers[SIGNAL_SSH], IDLE_UNKNOWN, "not known");
	idle_sample_release(sample);
	put("proc/50/io", "rchar: 1000\nwchar: 2000\nsyscr: 5\n");
	sample = look(2000);
	idle_sample_release(sample);
	put("proc/50/io", "rchar: 1100\nwchar: 2200\nsyscr: 5\n");
	sample = look(32 * S);
	check(&sample->answers[SIGNAL_SSH], IDLE_IDLE, "moves nothing");
	idle_sample_release(sample);
	put("proc/50/io", "rchar: 901100\nwchar: 2200\nsyscr: 5\n");
	sample = look(62 * S);
	check(&sample->answers[SIGNAL_SSH], IDLE_ACTIVE, "moves bytes");
	idle_sample_release(sample);
}

/* ---- mosh ---- */

static void test_mosh(void **state) {
	(void)state;
	put_proc(&(struct fake){ 60, 1, 60, 60, 0, -1, 5, 1000, "mosh-server" });
	put_proc(&(struct fake){ 61, 60, 61, 61, PTS_3, 61, 5, 1000, "fish" });
	put_terminal("pts/3", 3600, 60);
	put("proc/60/status", "Name:\tmosh-server\nvoluntary_ctxt_switches:\t100\nnonvoluntary_"
			      "ctxt_switches:\t9\n");
	struct idle_sample *sample = look(1000);
	check(&sample->answers[SIGNAL_MOSH], IDLE_UNKNOWN, "next look");
	idle_sample_release(sample);
	put("proc/60/status", "Name:\tmosh-server\nvoluntary_ctxt_switches:\t110\nnonvoluntary_"
			      "ctxt_switches:\t9\n");
	sample = look(31 * S);
	check(&sample->answers[SIGNAL_MOSH], IDLE_ACTIVE, "uid 1000 at pts/3");
	idle_sample_release(sample);
	sample = look(61 * S); /* the lid was shut */
	check(&sample->answers[SIGNAL_MOSH], IDLE_IDLE, "nobody at its other end");
	idle_sample_release(sample);
}

/* ---- tmux, jobs ---- */

static void put_pane(int ticks) {
	put_proc(&(struct fake){ 70, 1, 70, 70, 0, -1, 5, 1000, "tmux: server" });
	put_proc(&(struct fake){ 71, 70, 71, 71, PTS_3, 72, 5, 1000, "fish" });
	put_proc(&(struct fake){ 72, 71, 72, 71, PTS_3, 72, ticks, 1000, "python" });
}

static void test_tmux(void **state) {
	(void)state;
	put_pane(500);
	struct idle_sample *sample = look(1000);
	check(&sample->answers[SIGNAL_TMUX], IDLE_UNKNOWN, "next look");
	idle_sample_release(sample);
	sample = look(31 * S);
	check(&sample->answers[SIGNAL_TMUX], IDLE_IDLE, "'python' in a pane does nothing");
	idle_sample_release(sample);
	put_pane(501);
	sample = look(61 * S);
	check(&sample->answers[SIGNAL_TMUX], IDLE_ACTIVE, "'python' works");
	check(&sample->answers[SIGNAL_JOBS], IDLE_IDLE,
		"no process"); /* one tick in half a minute */
	idle_sample_release(sample);
	put_proc(&(struct fake){ 71, 70, 71, 71, PTS_3, 71, 900, 1000, "fish" });
	gone("proc/72");
	sample = look(91 * S);
	check(&sample->answers[SIGNAL_TMUX], IDLE_IDLE, "no pane is busy");
	idle_sample_release(sample);
}

static void test_jobs(void **state) {
	/* who, and is it a person's */
	static const struct {
		int uid;
		const char *login, *cgroup, *environ, *name;
		enum idle_word word;
	} who[] = {
		{ 1000, NULL, NULL, NULL, "python", IDLE_ACTIVE },
		{ 999, NULL, NULL, NULL, "postgres", IDLE_IDLE },
		{ 65534, NULL, NULL, NULL, "dnsmasq", IDLE_IDLE },
		{ 0, "4294967295", NULL, NULL, "agent", IDLE_IDLE },
		{ 0, "0", NULL, NULL, "python", IDLE_ACTIVE },
		{ 0, "1000", NULL, NULL, "python", IDLE_ACTIVE },
		{ 1000, NULL, "0::/system.slice/tend-services.service/a\n", NULL, "python",
			IDLE_IDLE },
		{ 1000, NULL, "0::/user.slice\n", "A=b\nTEND_RUN=0123", "python", IDLE_IDLE },
		{ 1000, NULL, "0::/user.slice\n", "A=b\nMY_TEND_RUN=0123", "python", IDLE_ACTIVE },
		{ 1000, NULL, NULL, NULL, "tendd", IDLE_IDLE },
		{ 1000, NULL, NULL, NULL, "tend-keeper", IDLE_IDLE },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		set_up(NULL);
		put_proc(&(struct fake){ 80, 1, 80, 80, 0, -1, 100, who[i].uid, who[i].name });
		if (who[i].login) put("proc/80/loginuid", who[i].login);
		if (who[i].cgroup) put("proc/80/cgroup", who[i].cgroup);
		if (who[i].environ) {
			char *text = xstrdup(who[i].environ);
			size_t len = strlen(text) + 1;
			for (char *at = text; *at; at++)
				if (*at == '\n') *at = '\0';
			put_bytes("proc/80/environ", text, len);
			free(text);
		}
		struct idle_sample *sample = look(1000);
		idle_sample_release(sample);
		put_proc(&(struct fake){ 80, 1, 80, 80, 0, -1, 1000, who[i].uid, who[i].name });
		sample = look(31 * S);
		if (sample->answers[SIGNAL_JOBS].word != who[i].word)
			fail_msg("%zu: %d, %s", i, (int)sample->answers[SIGNAL_JOBS].word,
				sample->answers[SIGNAL_JOBS].text);
		idle_sample_release(sample);
		tear_down(NULL);
	}
}

/* ---- jupyter's files ---- */

static void test_jupyter_files(void **state) {
	(void)state;
	put_proc(&(struct fake){ 90, 1, 90, 90, 0, -1, 5, 1000, "jupyter-noteboo" });
	put("home/soph/.local/share/jupyter/runtime/jpserver-90.json",
		"{\"url\":\"http://localhost:8888/\",\"token\":\"t\",\"pid\":90,\"sock\":\"\"}");
	put("home/soph/.local/share/jupyter/runtime/jpserver-91.json",
		"{\"url\":\"http://localhost:8889/\",\"pid\":91}");
	put("home/soph/.local/share/jupyter/runtime/kernel-1.json", "no server");
	put("root/.local/share/jupyter/runtime/nbserver-90.json",
		"{\"url\":\"http://localhost:8890/\",\"token\":\"\",\"pid\":90}");
	struct idle_sample *sample = look(1000);
	assert_int_equal(sample->server_count, 2); /* 91 was a crash's */
	assert_string_equal(sample->servers[0].url, "http://localhost:8888/");
	assert_string_equal(sample->servers[0].token, "t");
	assert_null(sample->servers[0].socket);
	assert_null(sample->servers[1].token);
	assert_false(sample->servers_failed);
	idle_sample_release(sample);
	put("home/soph/.local/share/jupyter/runtime/jpserver-90.json", "{\"url\":");
	sample = look(2000);
	assert_true(sample->servers_failed);
	idle_sample_release(sample);
}

/* ---- where the bill is paid ---- */

static void test_clouds(void **state) {
	static const struct {
		const char *file, *text, *name;
		bool needs_call, warns;
	} clouds[] = {
		{ "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n", "azure", true, true },
		{ "sys_vendor", "Microsoft Corporation\n", "", false, false },
		{ "sys_vendor", "Amazon EC2\n", "ec2", false, true },
		{ "product_name", "Google Compute Engine\n", "gcp", false, false },
		{ "product_name", "OpenStack Nova\n", "openstack", false, true },
		{ "sys_vendor", "DigitalOcean\n", "digitalocean", false, true },
		{ "sys_vendor", "Hetzner\n", "hetzner", false, true },
		{ "sys_vendor", "Vultr\n", "vultr", false, true },
		{ "sys_vendor", "ASUS\n", "", false, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
		char *path = xasprintf("sys/class/dmi/id/%s", clouds[i].file);
		gone("sys");
		put(path, clouds[i].text);
		const struct idle_cloud *cloud = idle_cloud_find(root);
		assert_string_equal(cloud->name, clouds[i].name);
		assert_int_equal(cloud->needs_call, clouds[i].needs_call);
		if ((cloud->warning != NULL) != clouds[i].warns)
			fail_msg("%s: %s", clouds[i].text, cloud->warning);
		free(path);
	}
	put("proc/cpuinfo", "flags\t\t: fpu vme hypervisor lahf_lm\n");
	assert_non_null(strstr(idle_cloud_find(root)->warning, "cannot be told"));
}

static void test_containers(void **state) {
	(void)state;
	assert_false(idle_in_container(root));
	put(".dockerenv", "x");
	assert_true(idle_in_container(root));
	gone(".dockerenv");
	put("run/systemd/container", "lxc\n");
	assert_true(idle_in_container(root));
	gone("run");
	put("proc/1/environ", "container=lxc");
	assert_true(idle_in_container(root));
}

/* Terminals that their owners opened to others get the line. */
static void test_terminals_are_told(void **state) {
	(void)state;
	put_terminal("pts/1", 10, 10);
	put_terminal("pts/2", 10, 10);
	char *path = path_join(root, "dev/pts/1"), *other = path_join(root, "dev/pts/2");
	chmod(path, 0620);
	chmod(other, 0600);
	assert_int_equal(idle_terminals_tell(root, "it goes"), 1);
	char *text = idle_file(root, "dev/pts/1", 100),
	     *nothing = idle_file(root, "dev/pts/2", 100);
	assert_string_equal(text, "\r\n\ait goes\r\n");
	assert_string_equal(nothing, "");
	free(text);
	free(nothing);
	free(path);
	free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(test_nobody),
		TEST(test_blind),
		TEST(test_terminals),
		TEST(test_utmp),
		TEST(test_sockets),
		TEST(test_without_a_terminal),
		TEST(test_mosh),
		TEST(test_tmux),
		TEST(test_jobs),
		TEST(test_jupyter_files),
		TEST(test_clouds),
		TEST(test_containers),
		TEST(test_terminals_are_told),
	};
	if (!mkdtemp(root)) return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	gone("");
	return rc;
}
