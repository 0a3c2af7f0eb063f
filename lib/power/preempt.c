/*
 * What follows from a notice: one decision for each event, however often and by however many ways it is told, and the two moments that
 * lead to the end. The table is in preempt_rule.c.
 */
#include <assert.h>
#include <stdlib.h>

#include "power/preempt.h"

enum {
	STAYED_MS = 5 * 60 * 1000, /* after the deadline: it was called off */
	DECIDED_MAX = 16,
};

struct power_preempt {
	struct power_preempt_options options;
	struct power_preempt_settings settings;
	enum power_provider provider;
	struct preempt_watch *watch; /* NULL: there is nothing to watch */
	enum preempt_state state;
	char **decided; /* ids, the oldest first */
	char **resumed; /* ids an earlier tendd decided on */
	char *what, *ack;
	int64_t deadline_ns; /* ours; 0: none */
	int64_t end_ms;      /* the same, on the loop's clock */
	struct timer near_timer, stayed_timer;
	struct defer gone_defer;
	void (*gone)(void *user);
	void *gone_user;
};

static void decide(struct power_preempt *preempt, const char *id) {
	if (strv_count(preempt->decided) >= DECIDED_MAX) {
		char **rest = strv_dup(preempt->decided + 1);
		strv_free(preempt->decided);
		preempt->decided = rest;
	}
	strv_add(&preempt->decided, id);
}

/* ---- the two moments ---- */

static struct preempt_times times_of(
	const struct power_preempt *preempt, const struct power_notice *notice) {
	const struct preempt_question question = {
		.provider = preempt->provider,
		.budget_ms = preempt->settings.budget_ms,
		.deadline_ns = notice->deadline_ns,
		.now_ns = loop_wall_ns(preempt->options.loop),
	};
	return preempt_times(&question);
}

/* Another notice may bring the end nearer, never farther: the first may still be meant. */
static void set_times(struct power_preempt *preempt, const struct preempt_times *times) {
	struct loop *loop = preempt->options.loop;
	int64_t end_ms = loop_now_ms(loop) + times->end_ms;

	if (preempt->deadline_ns && end_ms >= preempt->end_ms) return;
	preempt->end_ms = end_ms;
	preempt->deadline_ns = loop_wall_ns(loop) + times->end_ms * NS_PER_MS;
	timer_start(&preempt->stayed_timer, times->end_ms + STAYED_MS);
	if (preempt->state != PREEMPT_STOPPED) timer_start(&preempt->near_timer, times->near_ms);
}

static void forget(struct power_preempt *preempt) {
	timer_cancel(&preempt->near_timer);
	timer_cancel(&preempt->stayed_timer);
	preempt->deadline_ns = 0;
	free(preempt->what);
	free(preempt->ack);
	preempt->what = preempt->ack = NULL;
}

/* ---- steps ---- */

static void step(struct power_preempt *preempt, enum preempt_event event,
	const struct power_notice *notice) {
	const struct power_preempt_calls *calls = preempt->options.calls;
	void *user = preempt->options.user;
	const struct preempt_step next = preempt_next(preempt->state, event);
	bool ends = (event == PREEMPT_NOTICED || event == PREEMPT_RESUMED) &&
		    next.next != PREEMPT_LEAVING;
	struct preempt_times times = { 0 };

	preempt->state = next.next;
	if (ends) {
		times = times_of(preempt, notice);
		set_times(preempt, &times);
	}
	if (next.asks & (PREEMPT_TELL | PREEMPT_GO_ON)) {
		assert(notice);
		preempt->what = xstrdup(notice->what);
		preempt->ack = xstrdup(notice->ack);
	}
	if (event == PREEMPT_NOTICED) calls->decided(user, preempt->decided, preempt->deadline_ns);
	if (next.asks & PREEMPT_UP) forget(preempt);
	if (next.asks & PREEMPT_TELL) calls->told(user, notice, times.near_ms, times.end_ms);
	if (next.asks & PREEMPT_GO_ON) calls->told(user, notice, 0, times.end_ms);
	if (next.asks & PREEMPT_STOP) calls->stop(user);
	if (next.asks & PREEMPT_FLUSH) calls->flush(user, notice);
	if (next.asks & PREEMPT_UP) calls->stayed(user);
}

/* An earlier tendd began: the end is the one that it had set. */
static bool resumes(struct power_preempt *preempt, const struct power_notice *notice) {
	struct power_notice rest = *notice;

	rest.deadline_ns = preempt->options.decided_end_ns;
	if (notice->hint || !strv_has((const char *const *)preempt->resumed, notice->id))
		return false;
	preempt->options.decided_end_ns = 0;
	if (rest.deadline_ns <= loop_wall_ns(preempt->options.loop)) return false;
	log_warn("preempt: %s says: %s; it is gone on with", power_provider_name(preempt->provider),
		notice->what);
	step(preempt, PREEMPT_RESUMED, &rest);
	return true;
}

void preempt_noticed(void *user, const struct power_notice *notice) {
	struct power_preempt *preempt = user;
	bool known = strv_has((const char *const *)preempt->decided, notice->id);

	if (preempt->options.decided_end_ns && known && resumes(preempt, notice)) return;
	if (!known) {
		decide(preempt, notice->id);
		log_warn("preempt: %s says: %s%s", power_provider_name(preempt->provider),
			notice->what, notice->hint ? ", perhaps" : "");
	}
	step(preempt,
		known          ? PREEMPT_KNOWN
		: notice->hint ? PREEMPT_HINTED
			       : PREEMPT_NOTICED,
		notice);
}

static void near_passed(struct timer *timer) {
	step(container_of(timer, struct power_preempt, near_timer), PREEMPT_NEAR, NULL);
}

static void stayed_passed(struct timer *timer) {
	step(container_of(timer, struct power_preempt, stayed_timer), PREEMPT_STAYED, NULL);
}

void power_preempt_leaving(struct power_preempt *preempt) {
	step(preempt, PREEMPT_TERM, NULL);
	timer_cancel(&preempt->near_timer);
	timer_cancel(&preempt->stayed_timer);
}

void power_preempt_done(struct power_preempt *preempt) {
	if (preempt->watch && preempt->ack) preempt_watch_ack(preempt->watch, preempt->ack);
}

/* ---- life ---- */

static enum power_provider choose(const struct power_preempt_options *options) {
	switch ((enum power_preempt_choice)options->settings->provider) {
	case POWER_PREEMPT_AUTO: return power_provider_detect(options->dmi_root);
	case POWER_PREEMPT_AWS: return POWER_PROVIDER_AWS;
	case POWER_PREEMPT_GCP: return POWER_PROVIDER_GCP;
	case POWER_PREEMPT_AZURE: return POWER_PROVIDER_AZURE;
	case POWER_PREEMPT_OFF: break;
	}
	return POWER_PROVIDER_NONE;
}

struct power_preempt *power_preempt_new(const struct power_preempt_options *options) {
	struct power_preempt *preempt = xcalloc(1, sizeof(*preempt));

	preempt->options = *options;
	preempt->options.settings = &preempt->settings;
	preempt->settings = *options->settings;
	preempt->settings.endpoint = xstrdup(options->settings->endpoint);
	preempt->provider = choose(options);
	preempt->options.dmi_root = NULL;
	preempt->options.decided = NULL;
	for (char *const *id = options->decided; id && *id; id++) decide(preempt, *id);
	preempt->resumed = strv_dup(options->decided);
	timer_init(&preempt->near_timer, options->loop, near_passed);
	timer_init(&preempt->stayed_timer, options->loop, stayed_passed);
	const struct preempt_driver *driver = preempt_driver_of(preempt->provider);
	if (driver) {
		log_info("preempt: listening to notices of %s",
			power_provider_name(preempt->provider));
		preempt->watch = preempt_watch_new(options->loop, options->http, driver,
			preempt->settings.endpoint, preempt_noticed, preempt);
	}
	return preempt;
}

static void released(void *user) {
	struct power_preempt *preempt = user;
	void (*gone)(void *user) = preempt->gone;
	void *gone_user = preempt->gone_user;

	strv_free(preempt->decided);
	strv_free(preempt->resumed);
	free(preempt->settings.endpoint);
	free(preempt);
	gone(gone_user);
}

static void nothing_to_end(struct defer *defer) {
	released(container_of(defer, struct power_preempt, gone_defer));
}

void power_preempt_free(struct power_preempt *preempt, void (*gone)(void *user), void *user) {
	forget(preempt);
	preempt->gone = gone;
	preempt->gone_user = user;
	defer_init(&preempt->gone_defer, nothing_to_end);
	if (preempt->watch)
		preempt_watch_free(preempt->watch, released, preempt);
	else
		defer_start(preempt->options.loop, &preempt->gone_defer);
}

void power_preempt_status(
	const struct power_preempt *preempt, struct power_preempt_status *status) {
	static const char *const states[] = { "watching", "told", "stopped", "leaving" };

	*status = (struct power_preempt_status){
		.provider = power_provider_name(preempt->provider),
		.state = preempt->watch ? states[preempt->state] : "off",
		.what = preempt->what,
		.deadline_ns = preempt->deadline_ns,
		.trouble = preempt->watch ? preempt_watch_trouble(preempt->watch) : NULL,
	};
}
