/* Whose machine it is, what providers say, what is decided and when: tables, and the flow on the simulated loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "power/preempt.h"

/* ---- whose machine ---- */

static void test_detection(void **state) {
	const struct {
		const char *file, *text;
		enum power_provider provider;
	} rows[] = {
		{ "sys_vendor", "Amazon EC2\n", POWER_PROVIDER_AWS },
		{ "bios_vendor", "Amazon EC2", POWER_PROVIDER_AWS },
		{ "bios_version", "4.11.amazon\n", POWER_PROVIDER_AWS },
		{ "product_name", "Google Compute Engine\n", POWER_PROVIDER_GCP },
		{ "product_name", "Google Pixelbook\n", POWER_PROVIDER_NONE },
		{ "sys_vendor", "Google\n", POWER_PROVIDER_NONE },
		{ "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n", POWER_PROVIDER_AZURE },
		{ "sys_vendor", "Microsoft Corporation\n", POWER_PROVIDER_NONE }, /* Hyper-V */
		{ "sys_vendor", "QEMU\n", POWER_PROVIDER_NONE },
		{ "sys_vendor", "", POWER_PROVIDER_NONE },
		{ "product_name", "Amazon EC2\n", POWER_PROVIDER_NONE },
	};
	char root[] = "/tmp/tend-dmi-XXXXXX";
	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(power_provider_detect(root),
		POWER_PROVIDER_NONE); /* no firmware, as in a container */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *path = path_join(root, rows[i].file);
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fputs(rows[i].text, file);
		fclose(file);
		if (power_provider_detect(root) != rows[i].provider)
			fail_msg("%s: '%s'", rows[i].file, rows[i].text);
		unlink(path);
		free(path);
	}
	rmdir(root);
	assert_int_equal(power_provider_detect("/no/such/place"), POWER_PROVIDER_NONE);
	assert_string_equal(power_provider_name(POWER_PROVIDER_AZURE), "azure");
}

/* ---- what providers say ---- */

struct heard {
	struct preempt_found found;
	int count;
	char id[160], what[32], ack[64];
	int64_t deadline_ns;
	bool hint;
};

static void hear(struct preempt_found *found, const struct power_notice *notice) {
	struct heard *heard = container_of(found, struct heard, found);
	heard->count++;
	snprintf(heard->id, sizeof(heard->id), "%s", notice->id);
	snprintf(heard->what, sizeof(heard->what), "%s", notice->what);
	snprintf(heard->ack, sizeof(heard->ack), "%s", notice->ack ? notice->ack : "");
	heard->deadline_ns = notice->deadline_ns;
	heard->hint = notice->hint;
}

#define AZ(type, resources, status, before)                                                \
	"{\"DocumentIncarnation\":1,\"Events\":[{\"EventId\":\"E1\",\"EventType\":\"" type \
	"\",\"ResourceType\":\"VirtualMachine\",\"Resources\":[" resources                 \
	"],\"EventStatus\":\"" status "\",\"NotBefore\":\"" before                         \
	"\",\"EventSource\":\"Platform\"}]}"
#define MONDAY "Mon, 23 Nov 2026 14:03:07 GMT"

#define NOTHING NULL, NULL, false, false, NULL

static void test_answers(void **state) {
	static const struct {
		const struct preempt_driver *driver;
		size_t row;
		const char *text;
		int rc;
		const char *what; /* NULL: nothing is found */
		const char *id;
		bool hint, deadline;
		const char *ack;
	} rows[] = {
		{ &preempt_aws, 0,
			"{\"action\": \"terminate\", \"time\": \"2026-11-23T14:03:07Z\"}", 0,
			"terminate", "aws:terminate:2026-11-23T14:03:07Z", false, true, "" },
		{ &preempt_aws, 0, "{\"action\":\"stop\",\"time\":\"2026-11-23T14:03:07Z\"}\n", 0,
			"stop", "aws:stop:2026-11-23T14:03:07Z", false, true, "" },
		{ &preempt_aws, 0, "{\"action\":\"hibernate\",\"time\":\"now\"}", 0, "hibernate",
			"aws:hibernate:now", false, false, "" },
		{ &preempt_aws, 0, "{\"action\":\"terminate\"}", 0, "terminate",
			"aws:terminate:", false, false, "" },
		{ &preempt_aws, 0, "{\"action\":\"dance\",\"time\":\"2026-11-23T14:03:07Z\"}", -1,
			NOTHING },
		{ &preempt_aws, 0, "{\"action\":1}", -1, NOTHING },
		{ &preempt_aws, 0, "<html>captive portal</html>", -1, NOTHING },
		{ &preempt_aws, 0, "", -1, NOTHING },
		{ &preempt_aws, 0, "[]", -1, NOTHING },
		{ &preempt_aws, 1, "{\"noticeTime\":\"2026-11-23T14:03:07Z\"}", 0, "rebalance",
			"aws:rebalance:2026-11-23T14:03:07Z", true, false, "" },
		{ &preempt_aws, 1, "{\"notice\":1}", -1, NOTHING },
		{ &preempt_gcp, 0, "FALSE", 0, NOTHING },
		{ &preempt_gcp, 0, "TRUE\n", 0, "preempt", "gcp:preempted", false, false, "" },
		{ &preempt_gcp, 0, "TRUE but", -1, NOTHING },
		{ &preempt_gcp, 0, "", -1, NOTHING },
		{ &preempt_gcp, 1, "NONE", 0, NOTHING },
		{ &preempt_gcp, 1, "MIGRATE_ON_HOST_MAINTENANCE", 0, NOTHING },
		{ &preempt_gcp, 1, "TERMINATE_ON_HOST_MAINTENANCE", 0, "maintenance",
			"gcp:maintenance", true, false, "" },
		{ &preempt_gcp, 1, "FALSE", -1, NOTHING },
		{ &preempt_azure, 0, "{\"DocumentIncarnation\":1,\"Events\":[]}", 0, NOTHING },
		{ &preempt_azure, 0, AZ("Preempt", "\"own\"", "Scheduled", MONDAY), 0, "preempt",
			"azure:E1", false, true, "E1" },
		{ &preempt_azure, 0, AZ("Terminate", "\"other\",\"own\"", "Scheduled", MONDAY), 0,
			"terminate", "azure:E1", false, true, "" },
		{ &preempt_azure, 0, AZ("Redeploy", "\"own\"", "Started", ""), 0, "redeploy",
			"azure:E1", false, false, "" },
		{ &preempt_azure, 0, AZ("Reboot", "\"own\"", "Scheduled", MONDAY), 0, "reboot",
			"azure:E1", true, true, "" },
		{ &preempt_azure, 0, AZ("Freeze", "\"own\"", "Scheduled", MONDAY), 0, NOTHING },
		{ &preempt_azure, 0, AZ("Preempt", "\"other\"", "Scheduled", MONDAY), 0, NOTHING },
		{ &preempt_azure, 0, AZ("Preempt", "\"own2\",\"OWN\"", "Scheduled", MONDAY), 0,
			NOTHING },
		{ &preempt_azure, 0, AZ("Preempt", "", "Scheduled", MONDAY), 0, NOTHING },
		{ &preempt_azure, 0, AZ("Preempt", "1,null", "Scheduled", MONDAY), 0, NOTHING },
		{ &preempt_azure, 0, "{\"Events\":7}", -1, NOTHING },
		{ &preempt_azure, 0, "{\"Events\":[", -1, NOTHING },
		{ &preempt_azure, 0, "{\"Events\":[null,1,{}]}", 0, NOTHING },
	};
	int64_t monday_ns;
	(void)state;
	assert_int_equal(time_parse("2026-11-23T14:03:07Z", &monday_ns), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard heard = { .found = { .notice = hear, .own_name = "own" } };
		struct err err;
		int rc = rows[i].driver->rows[rows[i].row].read(
			&heard.found, rows[i].text, strlen(rows[i].text), &err);
		bool good = rc == rows[i].rc && heard.count == (rows[i].what != NULL);
		if (good && rows[i].what)
			good = str_equal(heard.what, rows[i].what) &&
			       str_equal(heard.id, rows[i].id) && heard.hint == rows[i].hint &&
			       heard.deadline_ns == (rows[i].deadline ? monday_ns : 0) &&
			       str_equal(heard.ack, rows[i].ack);
		if (!good)
			fail_msg("row %zu: %d, %d found: %s %s", i, rc, heard.count, heard.id,
				heard.what);
	}
}

/* ---- when ---- */

static void test_times(void **state) {
	enum { NOW_S = 1000 };
	static const struct {
		enum power_provider provider;
		int64_t budget_ms, deadline_s, near_ms, end_ms;
	} rows[] = {
		{ POWER_PROVIDER_AWS, 0, 0, 100000, 110000 },
		{ POWER_PROVIDER_AWS, 0, NOW_S + 120, 110000, 120000 },
		{ POWER_PROVIDER_AWS, 0, NOW_S + 30, 24000, 30000 },
		{ POWER_PROVIDER_AWS, 0, NOW_S - 5, 100000, 110000 }, /* past: it says nothing */
		{ POWER_PROVIDER_AWS, 0, NOW_S, 100000, 110000 },
		{ POWER_PROVIDER_GCP, 0, 0, 20000, 25000 },
		{ POWER_PROVIDER_AZURE, 0, 0, 20000, 25000 },
		{ POWER_PROVIDER_AZURE, 0, NOW_S + 900, 890000, 900000 },
		{ POWER_PROVIDER_AZURE, 60000, NOW_S + 900, 50000, 60000 },
		{ POWER_PROVIDER_AZURE, 60000, NOW_S + 20, 16000, 20000 },
		{ POWER_PROVIDER_GCP, 100000, 0, 90000, 100000 },
		{ POWER_PROVIDER_GCP, 1000, 0, 800, 1000 },
		{ POWER_PROVIDER_AWS, 0, NOW_S + 1, 800, 1000 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct preempt_question question = { rows[i].provider, rows[i].budget_ms,
			rows[i].deadline_s * NS_PER_S, NOW_S * NS_PER_S };
		struct preempt_times times = preempt_times(&question);
		if (times.near_ms != rows[i].near_ms || times.end_ms != rows[i].end_ms)
			fail_msg("row %zu: %lld %lld", i, (long long)times.near_ms,
				(long long)times.end_ms);
		assert_true(times.near_ms > 0 && times.near_ms < times.end_ms);
	}
	/* A moment before the deadline there is still a moment. */
	const struct preempt_question late = { POWER_PROVIDER_AWS, 0, NS_PER_S + 2000000,
		NS_PER_S };
	assert_int_equal(preempt_times(&late).end_ms, 1000);
}

static void test_backoff(void **state) {
	(void)state;
	assert_int_equal(preempt_backoff_ms(5000, 1), 5000);
	assert_int_equal(preempt_backoff_ms(5000, 2), 10000);
	assert_int_equal(preempt_backoff_ms(5000, 4), 40000);
	assert_int_equal(preempt_backoff_ms(5000, 5), 60000);
	assert_int_equal(preempt_backoff_ms(0, 1), 1000);
	assert_int_equal(preempt_backoff_ms(0, 3), 4000);
	assert_int_equal(preempt_backoff_ms(2000, INT32_MAX), 60000);
}

/* ---- what: whatever comes, services are told once for one event ---- */

static void test_table(void **state) {
	(void)state;
	for (int s = 0; s < PREEMPT_STATES; s++) {
		for (int e = 0; e < PREEMPT_EVENTS; e++) {
			struct preempt_step step =
				preempt_next((enum preempt_state)s, (enum preempt_event)e);
			bool tells = s == PREEMPT_WATCHING && e == PREEMPT_NOTICED;
			bool stops = s == PREEMPT_TOLD && e == PREEMPT_NEAR;
			bool ups =
				(s == PREEMPT_TOLD || s == PREEMPT_STOPPED) && e == PREEMPT_STAYED;
			assert_int_equal((step.asks & PREEMPT_TELL) != 0, tells);
			assert_int_equal((step.asks & PREEMPT_STOP) != 0, stops);
			assert_int_equal((step.asks & PREEMPT_UP) != 0, ups);
			if (s == PREEMPT_LEAVING || e == PREEMPT_TERM)
				assert_int_equal(step.next, PREEMPT_LEAVING);
			if (e == PREEMPT_KNOWN && s != PREEMPT_LEAVING) {
				assert_int_equal(step.asks, 0);
				assert_int_equal(step.next, s);
			}
		}
	}
}

/* ---- the flow ---- */

struct flow {
	struct loop *loop;
	struct power_preempt *preempt;
	struct power_preempt_settings settings;
	char said[256]; /* a letter a call */
	int64_t limit_ms, left_ms, decided_ns;
	int decided; /* how many ids are to be remembered */
	bool gone;
};

static void say(struct flow *flow, const char *letter) {
	strcat(flow->said, letter); // NOLINT: few
}

static void on_flush(void *user, const struct power_notice *notice) {
	say(user, notice && notice->hint ? "h" : "f");
}

static void on_told(
	void *user, const struct power_notice *notice, int64_t limit_ms, int64_t left_ms) {
	struct flow *flow = user;
	assert_non_null(notice);
	flow->limit_ms = limit_ms;
	flow->left_ms = left_ms;
	say(flow, limit_ms ? "t" : "r");
}

static void on_decided(void *user, char *const *ids, int64_t deadline_ns) {
	struct flow *flow = user;
	flow->decided = (int)strv_count(ids);
	flow->decided_ns = deadline_ns;
}

static void on_stop(void *user) {
	say(user, "s");
}

static void on_stayed(void *user) {
	say(user, "u");
}

static const struct power_preempt_calls calls = { on_flush, on_told, on_decided, on_stop,
	on_stayed };

static void open_flow(struct flow *flow, const char *decided, int64_t end_ns) {
	*flow = (struct flow){ .loop = loop_new_simulated(7),
		.settings = { .provider = POWER_PREEMPT_OFF } };
	char *ids[] = { (char *)"x", (char *)decided, NULL };
	const struct power_preempt_options options = { .loop = flow->loop,
		.settings = &flow->settings,
		.decided = decided ? ids : NULL,
		.decided_end_ns = end_ns ? loop_wall_ns(flow->loop) + end_ns : 0,
		.calls = &calls,
		.user = flow };
	flow->preempt = power_preempt_new(&options);
}

static void is_gone(void *user) {
	struct flow *flow = user;
	flow->gone = true;
}

static void close_flow(struct flow *flow) {
	power_preempt_free(flow->preempt, is_gone, flow);
	loop_run_until(flow->loop, &flow->gone);
	assert_true(flow->gone);
	loop_free(flow->loop);
}

static void notice(struct flow *flow, const char *id, bool hint, int64_t in_s) {
	const struct power_notice notice = { .id = id,
		.what = "terminate",
		.hint = hint,
		.deadline_ns = in_s ? loop_wall_ns(flow->loop) + in_s * NS_PER_S : 0 };
	preempt_noticed(flow->preempt, &notice);
}

static void wake(struct timer *timer) {
	loop_stop(timer->loop);
}

static void pass(struct flow *flow, int64_t ms) {
	struct timer timer;
	timer_init(&timer, flow->loop, wake);
	timer_start(&timer, ms);
	loop_run(flow->loop);
}

static struct power_preempt_status status_of(const struct flow *flow) {
	struct power_preempt_status status;
	power_preempt_status(flow->preempt, &status);
	return status;
}

static void test_one_event(void **state) {
	struct flow flow;
	(void)state;
	open_flow(&flow, NULL, 0);
	notice(&flow, "a", false, 100);
	assert_string_equal(flow.said, "tf");
	assert_int_equal(flow.limit_ms, 90000);
	assert_int_equal(flow.left_ms, 100000);
	assert_int_equal(status_of(&flow).deadline_ns, loop_wall_ns(flow.loop) + 100 * NS_PER_S);
	notice(&flow, "a", false, 100); /* each poll says it again */
	notice(&flow, "a", false, 0);
	pass(&flow, 89999);
	assert_string_equal(flow.said, "tf");
	pass(&flow, 2);
	assert_string_equal(flow.said, "tfsf");
	notice(&flow, "a", false, 0);
	pass(&flow, 10000 + 299990);
	assert_string_equal(flow.said, "tfsf");
	pass(&flow, 20);
	assert_string_equal(flow.said, "tfsfu");
	notice(&flow, "a", false, 0); /* it is still said: it was decided on */
	pass(&flow, 1000000);
	assert_string_equal(flow.said, "tfsfu");
	assert_null(status_of(&flow).what);
	notice(&flow, "b", false, 0);
	assert_string_equal(flow.said, "tfsfutf");
	close_flow(&flow);
}

static void test_another_event_hurries(void **state) {
	struct flow flow;
	(void)state;
	open_flow(&flow, NULL, 0);
	notice(&flow, "a", false, 100);
	assert_int_equal(flow.decided, 1);
	notice(&flow, "b", false, 1000); /* later: the first may still be meant */
	assert_int_equal(status_of(&flow).deadline_ns, loop_wall_ns(flow.loop) + 100 * NS_PER_S);
	notice(&flow, "c", false, 20);
	assert_int_equal(status_of(&flow).deadline_ns, loop_wall_ns(flow.loop) + 20 * NS_PER_S);
	assert_string_equal(flow.said, "tf");
	assert_int_equal(flow.decided, 3); /* a restart must not take one of them for a new one */
	assert_int_equal(flow.decided_ns, status_of(&flow).deadline_ns);
	pass(&flow, 16001);
	assert_string_equal(flow.said, "tfsf");
	close_flow(&flow);
}

static void test_a_hint_only_flushes(void **state) {
	struct flow flow;
	(void)state;
	open_flow(&flow, NULL, 0);
	notice(&flow, "h", true, 0);
	notice(&flow, "h", true, 0);
	assert_string_equal(flow.said, "h");
	pass(&flow, 10000000);
	assert_string_equal(flow.said, "h");
	notice(&flow, "a", false, 0);
	notice(&flow, "h2", true, 0);
	assert_string_equal(flow.said, "htf");
	close_flow(&flow);
}

/* Notice, then TERM; TERM, then notice; TERM alone. */
static void test_however_many_signals(void **state) {
	struct flow flow;
	(void)state;
	open_flow(&flow, NULL, 0);
	notice(&flow, "a", false, 100);
	power_preempt_leaving(flow.preempt);
	notice(&flow, "b", false, 50);
	pass(&flow, 1000000);
	assert_string_equal(flow.said, "tf");
	assert_string_equal(status_of(&flow).state, "off"); /* there is no provider here */
	close_flow(&flow);
	open_flow(&flow, NULL, 0);
	power_preempt_leaving(flow.preempt);
	assert_string_equal(flow.said, "f");
	notice(&flow, "a", false, 100);
	power_preempt_leaving(flow.preempt);
	pass(&flow, 1000000);
	assert_string_equal(flow.said, "f");
	close_flow(&flow);
}

/* tendd was started anew in between: it goes on to the same end, and tells no service again. */
static void test_a_restart(void **state) {
	struct flow flow;
	(void)state;
	open_flow(&flow, "a", 50 * NS_PER_S);
	notice(&flow, "x", true, 0); /* a hint of then, which comes first now */
	assert_string_equal(flow.said, "");
	notice(&flow, "a", false, 0);
	assert_string_equal(flow.said, "rf");
	assert_int_equal(flow.left_ms, 50000);
	notice(&flow, "a", false, 0);
	pass(&flow, 40001);
	assert_string_equal(flow.said, "rfsf");
	close_flow(&flow);
	/* Its end is past: it was called off, though it is still said. */
	open_flow(&flow, "a", 50 * NS_PER_S);
	pass(&flow, 50001);
	notice(&flow, "a", false, 0);
	pass(&flow, 1000000);
	assert_string_equal(flow.said, "");
	notice(&flow, "b", false, 0);
	assert_string_equal(flow.said, "tf");
	close_flow(&flow);
	/* Another event is another decision. */
	open_flow(&flow, "a", 50 * NS_PER_S);
	notice(&flow, "b", false, 0);
	assert_string_equal(flow.said, "tf");
	close_flow(&flow);
}

static void test_many_events_are_remembered(void **state) {
	struct flow flow;
	char id[16];
	(void)state;
	open_flow(&flow, NULL, 0);
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "h%d", i);
		notice(&flow, id, true, 0);
		notice(&flow, id, true, 0);
	}
	assert_int_equal(strlen(flow.said), 100);
	close_flow(&flow);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detection),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_one_event),
		cmocka_unit_test(test_another_event_hurries),
		cmocka_unit_test(test_a_hint_only_flushes),
		cmocka_unit_test(test_however_many_signals),
		cmocka_unit_test(test_a_restart),
		cmocka_unit_test(test_many_events_are_remembered),
	};
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
