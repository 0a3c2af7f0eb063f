/* GPUs by a stand-in for libnvidia-ml.so.1, compiled here once for each kind of driver: old and new names, absent ones, errors, and
 * process arrays of 16, 24 and 32 bytes, which must never be written to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "power/idle.h"

static char folder[] = "/tmp/tend-nvml-XXXXXX";

/* What every driver has, by macros of each case. */
static const char source[] =
	"#include <string.h>\n"
	"struct use { unsigned gpu, memory; };\n"
	"#ifdef OLD_NAMES\n"
	"#define NAME(name, version) name\n"
	"#else\n"
	"#define NAME(name, version) name##version\n"
	"#endif\n"
	"static int devices[4];\n"
	"static int begun;\n"
	"int NAME(nvmlInit, _v2)(void) { begun = INIT == 0; return INIT; }\n"
	"int nvmlShutdown(void) { begun = 0; return 0; }\n"
	"#ifndef NO_COUNT\n"
	"int NAME(nvmlDeviceGetCount, _v2)(unsigned *count) { if (!begun) return 1; *count = "
	"COUNT; return 0; }\n"
	"#endif\n"
	"int NAME(nvmlDeviceGetHandleByIndex, _v2)(unsigned at, void **device) {\n"
	"	if (at >= COUNT) return 2;\n"
	"	*device = &devices[at];\n"
	"	return DEVICE;\n"
	"}\n"
	"#ifndef NO_USE\n"
	"int nvmlDeviceGetUtilizationRates(void *device, struct use *use) {\n"
	"	(void)device;\n"
	"	use->gpu = GPU;\n"
	"	use->memory = 77;\n"
	"	return USE;\n"
	"}\n"
	"#endif\n"
	"static int processes(unsigned *count, char *array, unsigned have) {\n"
	"	unsigned room = *count;\n"
	"	*count = have;\n"
	"	if (PROCESSES_RC) return PROCESSES_RC;\n"
	"	if (have > room || (have && !array)) return 7;\n"
	"	for (unsigned i = 0; i < have; i++) memset(array + i * STRIDE, 0xaa, STRIDE);\n"
	"	return 0;\n"
	"}\n"
	"#ifdef COMPUTE\n"
	"int COMPUTE(void *device, unsigned *count, void *array) { (void)device; return "
	"processes(count, array, PROCESSES); }\n"
	"#endif\n"
	"#ifdef GRAPHICS\n"
	"int GRAPHICS(void *device, unsigned *count, void *array) { (void)device; return "
	"processes(count, array, 1); }\n"
	"#endif\n";

#define COMPUTE(version)  " -DCOMPUTE=nvmlDeviceGetComputeRunningProcesses" version
#define GRAPHICS(version) " -DGRAPHICS=nvmlDeviceGetGraphicsRunningProcesses" version

static const struct {
	const char *name, *flags; /* those given last count */
	enum idle_word word;
	const char *text;
} drivers[] = {
	{ "idle, v1", COMPUTE(""), IDLE_IDLE, "GPU 0 at 0%" },
	{ "busy", COMPUTE("_v3") " -DGPU=80", IDLE_ACTIVE, "GPU 0 at 80%" },
	{ "at the bound", COMPUTE("_v3") " -DGPU=5", IDLE_IDLE, "GPU 0 at 5%" },
	{ "over the bound", COMPUTE("_v3") " -DGPU=6", IDLE_ACTIVE, "GPU 0 at 6%" },
	{ "old names", COMPUTE("") " -DOLD_NAMES -DGPU=80", IDLE_ACTIVE, "GPU 0 at 80%" },
	{ "two", COMPUTE("_v3") " -DCOUNT=2", IDLE_IDLE, "GPU 1 at 0%" },
	{ "no GPU", " -DCOUNT=0", IDLE_IDLE, "no GPU" },
	{ "garbage", COMPUTE("_v3") " -DGPU=4000000000u -DPROCESSES=0", IDLE_IDLE, "no process" },
	/* MIG does not tell its use; a context open is not known to do nothing. */
	{ "MIG, empty", COMPUTE("_v3") " -DUSE=3 -DPROCESSES=0", IDLE_IDLE, "no process" },
	{ "MIG, 16 bytes", COMPUTE("") " -DUSE=3 -DPROCESSES=2 -DSTRIDE=16", IDLE_UNKNOWN,
		"2 processes" },
	{ "MIG, 24 bytes", COMPUTE("_v2") " -DUSE=3 -DPROCESSES=3 -DSTRIDE=24", IDLE_UNKNOWN,
		"3 processes" },
	{ "MIG, 32 bytes", COMPUTE("_v3") " -DUSE=3 -DPROCESSES=4 -DSTRIDE=32", IDLE_UNKNOWN,
		"4 processes" },
	{ "MIG, 16 bytes from v3", COMPUTE("_v3") " -DUSE=3 -DPROCESSES=1 -DSTRIDE=16",
		IDLE_UNKNOWN, "1 processes" },
	{ "MIG, graphics", COMPUTE("_v3") GRAPHICS("_v3") " -DUSE=3 -DPROCESSES=0", IDLE_UNKNOWN,
		"1 processes" },
	{ "MIG, graphics of old", COMPUTE("_v3") GRAPHICS("") " -DUSE=3 -DPROCESSES=2",
		IDLE_UNKNOWN, "3 processes" },
	{ "no list of processes", " -DUSE=3", IDLE_UNKNOWN, "how busy" },
	{ "processes fail", COMPUTE("_v3") " -DUSE=3 -DPROCESSES_RC=999", IDLE_UNKNOWN,
		"how busy" },
	{ "no use", COMPUTE("_v3") " -DNO_USE -DPROCESSES=0", IDLE_IDLE, "no process" },
	{ "use fails, nothing else", " -DUSE=15", IDLE_UNKNOWN, "how busy" },
	{ "device lost", COMPUTE("_v3") " -DDEVICE=15", IDLE_UNKNOWN, "how busy" },
	{ "count absent", " -DNO_COUNT", IDLE_UNKNOWN, "cannot be counted" },
	{ "driver upgraded", " -DINIT=18", IDLE_UNKNOWN, "reboot" },
	{ "no driver, no card", " -DINIT=9", IDLE_IDLE, "no GPU" },
	{ "begins with an error", " -DINIT=999", IDLE_UNKNOWN, "does not begin" },
};

static char *make_library(size_t number, const char *flags) {
	char *code = xasprintf("%s/nvml.c", folder),
	     *library = xasprintf("%s/libnvidia-ml-%zu.so.1", folder, number);
	FILE *file = fopen(code, "we");
	assert_non_null(file);
	fputs(source, file);
	fclose(file);
	/* Whatever a case says again comes behind. */
	char *command = xasprintf("cc -w -shared -fPIC -DINIT=0 -DCOUNT=1 -DDEVICE=0 -DGPU=0 "
				  "-DUSE=0 -DPROCESSES=1 -DPROCESSES_RC=0 "
				  "-DSTRIDE=16 %s -o '%s' '%s'",
		flags, library, code);
	assert_int_equal(system(command), 0);
	free(command);
	free(code);
	return library;
}

static void look(const char *name, const char *library, enum idle_word word, const char *text) {
	struct idle_answer answer;
	struct idle_gpu_look *look = xcalloc(1, sizeof(*look));
	void *nvml = NULL;
	/* Twice: what is open is used again. */
	for (int i = 0; i < 2; i++) {
		signal_gpu_look(folder, library, &nvml, look);
		signal_gpu(look, 5, &answer);
		if (answer.word != word || !strstr(answer.text, text))
			fail_msg("%s: word %d, '%s'", name, (int)answer.word, answer.text);
	}
	signal_gpu_close(nvml);
	free(look);
}

static void test_drivers(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		char *library = make_library(i, drivers[i].flags);
		look(drivers[i].name, library, drivers[i].word, drivers[i].text);
		unlink(library);
		free(library);
	}
}

static void make_file(const char *name) {
	char *path = path_join(folder, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fputs("x", file);
	fclose(file);
	free(path);
}

/* No library is no GPU, unless the system says that there is one. */
static void test_without_a_library(void **state) {
	(void)state;
	look("nothing", "/no/such/library.so", IDLE_IDLE, "no GPU");
	char *dev = path_join(folder, "dev");
	assert_int_equal(mkdir(dev, 0700), 0);
	make_file("dev/nvidia0");
	look("a card", "/no/such/library.so", IDLE_UNKNOWN, "no libnvidia-ml.so.1");
	char *library = make_library(99, " -DINIT=9");
	look("a card without a driver", library, IDLE_UNKNOWN, "does not begin");
	unlink(library);
	free(library);
	free(dev);
}

/* A look between two samples that was high is not forgotten by one that is low. */
static void test_the_highest_counts(void **state) {
	struct idle_answer highest, low;
	(void)state;
	idle_say(&highest, IDLE_ACTIVE, 0, "GPU 0 at 80%%");
	idle_say(&low, IDLE_IDLE, -1, "GPU 0 at 0%%");
	idle_worse(&low, &highest);
	assert_int_equal(low.word, IDLE_ACTIVE);
	assert_string_equal(low.text, "GPU 0 at 80%");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drivers),
		cmocka_unit_test(test_without_a_library),
		cmocka_unit_test(test_the_highest_counts),
	};
	if (!mkdtemp(folder)) return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	char *command = xasprintf("rm -rf '%s'", folder);
	if (system(command) != 0) rc = 1;
	free(command);
	return rc;
}
