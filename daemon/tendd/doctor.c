/* GET /v1/doctor: what the rooms find, looked at by a worker, while the remotes are asked. */
#include <stdlib.h>
#include <unistd.h>

#include "answers/answers.h"
#include "tendd/routes.h"

enum { DOCTORS_MAX = 4, STATUS_BUSY = 503 };

struct doctoring {
	struct list link;
	struct house *house;
	struct control_request *request; /* NULL: nobody waits any more */
	struct job job;
	struct doctor_ground ground;
	struct findings findings; /* the worker's until it is done */
	struct store_doctor *remotes;
	unsigned left; /* the worker, the remotes */
	bool closing;  /* the house waits for it */
};

static void doctoring_free(struct doctoring *doctoring) {
	struct house *house = doctoring->closing ? doctoring->house : NULL;

	list_remove(&doctoring->link);
	store_doctor_free(doctoring->remotes);
	findings_release(&doctoring->findings);
	doctor_ground_release(&doctoring->ground);
	free(doctoring);
	if (!house) return;
	house->closing--;
	house_close_step(house);
}

static void doctoring_step(struct doctoring *doctoring) {
	if (--doctoring->left > 0) return;
	store_doctor_tell(doctoring->remotes, &doctoring->findings);
	if (doctoring->request)
		control_answer(doctoring->request, 200, answer_findings(&doctoring->findings));
	doctoring_free(doctoring);
}

static int look(struct job *job, struct err *err) {
	struct doctoring *doctoring = container_of(job, struct doctoring, job);
	struct config_user user;
	struct err unknown;

	(void)err;
	/* The system's database of users may ask a network. */
	if (config_user_find(NULL, &user, &unknown) == 0) {
		doctoring->ground.user = xstrdup(user.name);
		config_user_release(&user);
	}
	doctor_look(&doctoring->ground, &doctoring->findings);
	return 0;
}

static void looked(struct job *job, const struct err *err) {
	(void)err;
	doctoring_step(container_of(job, struct doctoring, job));
}

static void remotes_done(struct store_doctor *remotes, void *user) {
	(void)remotes;
	doctoring_step(user);
}

static void asker_gone(void *user) {
	struct doctoring *doctoring = user;
	doctoring->request = NULL;
}

/* ---- the ground ---- */

static int64_t count_sections(const struct house *house, const char *kind) {
	const struct config_section *section = NULL;
	int64_t count = 0;
	while ((section = config_next(house->config, kind, section))) count++;
	return count;
}

/* Transfers have a file and a connection each, a service its pipe at both ends and its log, a folder its index. */
static int64_t descriptors_of(const struct house *house) {
	return 64 + 2 * house_settings(house)->max_transfers +
	       8 * count_sections(house, "service") + 8 * count_sections(house, "folder");
}

static void fill_ground(struct house *house, struct doctor_ground *ground) {
	config_doctor_ground(house->config, house->home, ground);
	ground->root = xstrdup("");
	ground->system = geteuid() == 0;
	ground->daemon = true;
	ground->home = xstrdup(house->home);
	ground->state_dir = xstrdup(house->state_dir);
	ground->descriptors = descriptors_of(house);
	list_each(&house->folders, link) {
		const struct house_folder *folder = list_entry(link, struct house_folder, link);
		struct folder_status status;
		folder_status(folder->folder, &status);
		doctor_add_folder(ground, folder->name, status.path, status.folders);
		folder_status_release(&status);
	}
}

/* What tendd itself knows. */
static void tell_own(const struct house *house, struct findings *findings) {
	findings->check = "tendd";
	finding_add(findings, FINDING_GOOD, NULL, "tendd " TEND_VERSION " runs");
	if (house->config_error)
		finding_add(findings, FINDING_PERSON, xstrdup("mend it, then: tend reload"),
			"the configuration was not taken: %s", house->config_error);
	if (house->processes_trouble)
		finding_add(findings, FINDING_WRONG, xstrdup("systemctl start tend-services"),
			"services cannot be run: %s", house->processes_trouble);
}

void route_doctor(void *user, struct control_request *request) {
	struct house *house = user;
	const struct config_section *section = NULL;
	struct err err;
	size_t running = 0;

	list_each(&house->doctors, link) running++;
	if (running >= DOCTORS_MAX) {
		err_set(&err, ERR_BUSY, "%d of these questions are being answered", DOCTORS_MAX);
		control_refuse_with(request, STATUS_BUSY, &err, "try again in a moment", NULL);
		return;
	}
	struct doctoring *doctoring = xcalloc(1, sizeof(*doctoring));
	doctoring->house = house;
	doctoring->request = request;
	list_add_tail(&house->doctors, &doctoring->link);
	findings_init(&doctoring->findings);
	tell_own(house, &doctoring->findings);
	fill_ground(house, &doctoring->ground);
	doctoring->remotes = store_doctor_new(house->loop, house->http);
	while ((section = config_next(house->config, "remote", section)))
		store_doctor_add(doctoring->remotes, section->name, section->settings);
	control_on_gone(request, asker_gone, doctoring);
	doctoring->left = 2;
	doctoring->job = (struct job){ .work = look, .done = looked };
	job_start(house->loop, &doctoring->job);
	store_doctor_start(doctoring->remotes, remotes_done, doctoring);
}

void doctors_close(struct house *house) {
	list_each(&house->doctors, link) {
		struct doctoring *doctoring = list_entry(link, struct doctoring, link);
		doctoring->request = NULL; /* control refuses it */
		doctoring->closing = true;
		house->closing++;
		job_cancel(&doctoring->job);
		store_doctor_cancel(doctoring->remotes);
	}
}
