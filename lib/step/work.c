/* One look at a step, with all that it needs; on a worker, for files and users may lie on a network. */
#include "step/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void step_digest(const void *bytes, size_t len, char digest[LEDGER_DIGEST_SIZE]) {
	uint8_t hash[DIGEST_MAX];
	hex_encode(hash, digest_of(DIGEST_SHA256, bytes, len, hash), digest);
}

/* ---- this machine ---- */

/* The first line of a small file; nothing where there is none. */
static void add_file(struct buf *out, const char *root, const char *path) {
	char line[256] = "";
	char *whole = path_join(root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
	if (fd >= 0) close(fd);
	free(whole);
	if (len > 0) buf_addf(out, "%.*s", (int)strcspn(line, "\n"), line);
	buf_addc(out, '\n');
}

/* An image made from a finished machine often keeps its machine id, and never its instance id. */
void step_machine(const char *root, char machine[LEDGER_DIGEST_SIZE]) {
	struct buf ids;
	buf_init(&ids, 4096);
	add_file(&ids, root, "etc/machine-id");
	add_file(&ids, root, "var/lib/cloud/data/instance-id");
	step_digest(ids.at, ids.len, machine);
	buf_release(&ids);
}

/* ---- small things of all kinds ---- */

void step_add_word(struct buf *script, const char *word) {
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@";
	if (*word && word[strspn(word, plain)] == '\0') {
		buf_adds(script, word);
		return;
	}
	buf_addc(script, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_adds(script, "'\\''");
		else
			buf_addc(script, *word);
	}
	buf_addc(script, '\'');
}

char *step_read_text(const char *path, size_t max) {
	char block[16 << 10];
	struct buf text;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	buf_init(&text, max);
	while (fd >= 0 && (got = read(fd, block, sizeof(block))) > 0)
		if (buf_add(&text, block, (size_t)got) != 0) break;
	if (fd >= 0) close(fd);
	if (got != 0) buf_clear(&text);
	return buf_steal(&text);
}

/* ---- paths ---- */

/* "~" is the step's user, who may have come a moment ago, so nothing is expanded when the file is read. */
char *step_work_expand(const struct step_work *work, const char *text, struct err *err) {
	char *whole = config_user_expand(text, work->person.home, err);
	if (whole && *whole != '/') {
		err_set(err, ERR_INVALID, "'%s' is not absolute: begin with / or ~", whole);
		free(whole);
		whole = NULL;
	}
	return whole;
}

/* ---- looking ---- */

void step_work_due(struct step_work *work, bool there) {
	const struct ledger_step *record = &work->record;
	const struct step_due due = {
		.forced = work->forced,
		.there = there,
		.done = work->verifying || record->definition[0] != '\0',
		.same = work->verifying || str_equal(record->definition, work->definition),
		.here = work->verifying || str_equal(record->machine, work->machine),
		.this_boot = work->verifying || str_equal(record->done_boot, work->boot),
		.when = (enum step_when)work->settings->when,
	};
	const char *why;
	work->finding.verdict = step_is_due(&due, &why);
	work->finding.why = xstrdup(why);
}

static int find_person(struct step_work *work, struct err *err) {
	if (config_user_find(work->settings->as, &work->person, err) != 0) return -1;
	work->become = work->settings->as && geteuid() == 0;
	if (work->become)
		work->groups =
			config_user_groups(work->person.name, work->person.gid, &work->group_count);
	return 0;
}

int step_work_do(struct step_work *work, struct err *err) {
	const struct step_kind *kind = step_kind_of(work->settings, &work->finding.subject);
	if (!kind) return err_set(err, ERR_INVALID, "this step is not exactly one thing");
	work->finding.kind = kind->name;
	step_definition(work->settings, work->definition);
	if (find_person(work, err) != 0 || kind->look(work, err) != 0) return -1;
	return work->script && !work->dry ? step_work_command(work, err) : 0;
}

void step_work_release(struct step_work *work) {
	free(work->name);
	step_settings_free(work->settings);
	strv_free(work->tend_path);
	strv_free(work->tend_environment);
	step_finding_release(&work->finding);
	free(work->told);
	free(work->script);
	free(work->keys);
	strv_free(work->argv);
	strv_free(work->env);
	free(work->directory);
	config_user_release(&work->person);
	free(work->groups);
	*work = (struct step_work){ 0 };
}

/* ---- for a plan ---- */

int step_look(const char *name, const struct step_settings *settings,
	const struct ledger_step *record, const char *boot, struct step_finding *finding,
	struct err *err) {
	struct step_work work = { .name = xstrdup(name),
		.settings = step_settings_copy(settings),
		.record = *record,
		.boot = boot ? boot : process_boot_id(),
		.dry = true };
	step_machine("/", work.machine);
	int result = step_work_do(&work, err);
	*finding = work.finding;
	work.finding = (struct step_finding){ 0 };
	step_work_release(&work);
	return result;
}

void step_finding_release(struct step_finding *finding) {
	free(finding->subject);
	free(finding->why);
	free(finding->diff);
	*finding = (struct step_finding){ 0 };
}

static int look_work(struct job *job, struct err *err) {
	struct step_planning *planning = container_of(job, struct step_planning, job);
	return step_look(planning->name, planning->settings, &planning->record, planning->boot,
		&planning->finding, err);
}

static void look_done(struct job *job, const struct err *err) {
	struct step_planning *planning = container_of(job, struct step_planning, job);
	err_clear(&planning->err);
	if (err) planning->err = *err;
	planning->done(planning);
}

void step_plan_start(struct step *step, struct step_planning *planning) {
	planning->name = xstrdup(step->unit.name);
	planning->settings = step_settings_copy(step->settings);
	planning->record = step->record;
	planning->boot = process_boot_id();
	planning->job = (struct job){ .work = look_work, .done = look_done };
	job_start(step->steps->options.loop, &planning->job);
}

void step_plan_release(struct step_planning *planning) {
	free(planning->name);
	step_settings_free(planning->settings);
	step_finding_release(&planning->finding);
}
