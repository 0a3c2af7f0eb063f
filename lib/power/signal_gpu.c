/*
 * GPUs by NVML, which is loaded at run time: machines without one have no such library, and the build does not want it. Each
 * symbol may be absent. Of processes only the number is asked: the layout of their array has changed under one name three times
 * (16, 24 and 32 bytes), so none is ever read.
 *
 * A utilisation covers the last 1/6 to 1 s, so it is asked often between two samples, and the highest counts.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

/* nvml.h's error codes */
enum {
	NVML_SUCCESS = 0,
	NVML_NOT_SUPPORTED = 3,
	NVML_INSUFFICIENT_SIZE = 7,
	NVML_NO_DRIVER = 9,
	NVML_MISMATCH = 18
};

struct utilization {
	unsigned gpu, memory; /* per cent */
};

struct nvml {
	void *library;
	bool begun;
	int (*init)(void);
	int (*shut_down)(void);
	int (*count)(unsigned *count);
	int (*device)(unsigned at, void **device);
	int (*use)(void *device, struct utilization *use);
	int (*processes[2])(void *device, unsigned *count, void *none); /* compute, graphics */
};

/* The newest name first; a driver of its time has only the older ones. */
static void *find(void *library, const char *const *names) {
	void *found = NULL;
	for (; !found && *names; names++) found = dlsym(library, *names);
	return found;
}

/* ISO C has no cast from an object's address to a function's; POSIX promises that they are alike. */
static void take(void *library, const char *const *names, void *function, size_t size) {
	void *found = find(library, names);
	memcpy(function, &found, size);
}

#define TAKE(nvml, member, ...)                                                            \
	take((nvml)->library, (const char *const[]){ __VA_ARGS__, NULL }, &(nvml)->member, \
		sizeof((nvml)->member))

static struct nvml *open_library(const char *name) {
	static const char *const names[] = { "libnvidia-ml.so.1", "libnvidia-ml.so" };
	void *library = name ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : NULL;
	for (size_t i = 0; !name && !library && i < ARRAY_LEN(names); i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library) return NULL;
	struct nvml *nvml = xcalloc(1, sizeof(*nvml));
	nvml->library = library;
	TAKE(nvml, init, "nvmlInit_v2", "nvmlInit");
	TAKE(nvml, shut_down, "nvmlShutdown");
	TAKE(nvml, count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
	TAKE(nvml, device, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
	TAKE(nvml, use, "nvmlDeviceGetUtilizationRates");
	TAKE(nvml, processes[0], "nvmlDeviceGetComputeRunningProcesses_v3",
		"nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses");
	TAKE(nvml, processes[1], "nvmlDeviceGetGraphicsRunningProcesses_v3",
		"nvmlDeviceGetGraphicsRunningProcesses_v2",
		"nvmlDeviceGetGraphicsRunningProcesses");
	return nvml;
}

void signal_gpu_close(void *pointer) {
	struct nvml *nvml = pointer;
	if (!nvml) return;
	if (nvml->begun && nvml->shut_down) nvml->shut_down();
	dlclose(nvml->library);
	free(nvml);
}

/* Is a driver or a card here, though its library does not say so? */
static bool should_be_one(const char *root) {
	static const char *const places[] = { "proc/driver/nvidia/gpus", "dev/nvidia0" };
	bool found = false;
	for (size_t i = 0; !found && i < ARRAY_LEN(places); i++) {
		char *path = path_join(root, places[i]);
		DIR *folder = opendir(path);
		char *file = folder ? NULL : idle_file(root, places[i], 1);
		found = folder || file;
		if (folder) closedir(folder);
		free(file);
		free(path);
	}
	return found;
}

static void trouble(struct idle_gpu_look *look, const char *text) {
	look->found = IDLE_GPUS_TROUBLE;
	look->trouble = text;
}

static int64_t count_processes(struct nvml *nvml, void *device) {
	int64_t all = 0;
	for (size_t i = 0; i < ARRAY_LEN(nvml->processes); i++) {
		unsigned count = 0;
		if (!nvml->processes[i]) {
			if (i == 0) return -1; /* without graphics one may know all that computes */
			continue;
		}
		int rc = nvml->processes[i](device, &count, NULL);
		if (rc != NVML_SUCCESS && rc != NVML_INSUFFICIENT_SIZE) {
			if (i == 0 || rc != NVML_NOT_SUPPORTED) return -1;
			continue;
		}
		all += count;
	}
	return all;
}

static void look_at_devices(struct nvml *nvml, struct idle_gpu_look *look) {
	unsigned count = 0;
	if (!nvml->count || !nvml->device || nvml->count(&count) != NVML_SUCCESS) {
		trouble(look, "its GPUs cannot be counted");
		return;
	}
	look->found = count ? IDLE_GPUS_FOUND : IDLE_GPUS_NONE;
	for (unsigned i = 0; i < count && look->count < ARRAY_LEN(look->at); i++) {
		struct idle_gpu *gpu = &look->at[look->count++];
		struct utilization use = { 0 };
		void *device = NULL;
		*gpu = (struct idle_gpu){ -1, -1 };
		if (nvml->device(i, &device) != NVML_SUCCESS) continue;
		if (nvml->use && nvml->use(device, &use) == NVML_SUCCESS && use.gpu <= 100)
			gpu->percent = (int)use.gpu;
		gpu->processes = count_processes(nvml, device);
	}
}

void signal_gpu_look(
	const char *root, const char *library, void **kept, struct idle_gpu_look *look) {
	struct nvml *nvml = *kept ? *kept : open_library(library);
	memset(look, 0, sizeof(*look));
	*kept = nvml;
	if (!nvml) {
		if (should_be_one(root)) trouble(look, "there is a GPU, but no libnvidia-ml.so.1");
		return;
	}
	int rc = nvml->begun ? NVML_SUCCESS : nvml->init ? nvml->init() : -1;
	nvml->begun = rc == NVML_SUCCESS;
	if (nvml->begun)
		look_at_devices(nvml, look);
	else if (rc == NVML_MISMATCH)
		trouble(look, "the driver was upgraded while it ran: reboot");
	else if (rc != NVML_NO_DRIVER || should_be_one(root))
		trouble(look, "NVML does not begin");
	/* After an error it is begun anew: it may be the driver that went. */
	if (look->found == IDLE_GPUS_TROUBLE) {
		signal_gpu_close(nvml);
		*kept = NULL;
	}
}

/* A context that is open and does nothing is no use: most notebooks hold one. Only where a GPU does not tell its utilisation
 * (MIG) are its processes asked: none is idle, and of any it cannot be said. */
void signal_gpu(const struct idle_gpu_look *look, int64_t threshold, struct idle_answer *answer) {
	if (look->found == IDLE_GPUS_TROUBLE) {
		idle_say(answer, IDLE_UNKNOWN, 0, "%s", look->trouble);
		return;
	}
	idle_say(answer, IDLE_IDLE, -1, "no GPU");
	for (size_t i = 0; i < look->count; i++) {
		const struct idle_gpu *gpu = &look->at[i];
		struct idle_answer one;
		if (gpu->percent > threshold)
			idle_say(&one, IDLE_ACTIVE, 0,
				"GPU %zu at %d%%, the bound is %" PRId64 "%%", i, gpu->percent,
				threshold);
		else if (gpu->percent >= 0)
			idle_say(&one, IDLE_IDLE, -1, "GPU %zu at %d%%", i, gpu->percent);
		else if (gpu->processes == 0)
			idle_say(&one, IDLE_IDLE, -1, "GPU %zu has no process", i);
		else if (gpu->processes > 0)
			idle_say(&one, IDLE_UNKNOWN, 0,
				"GPU %zu has %" PRId64 " processes and does not tell what they do",
				i, gpu->processes);
		else
			idle_say(&one, IDLE_UNKNOWN, 0, "GPU %zu does not tell how busy it is", i);
		idle_worse(answer, &one);
	}
}

void signal_gpu_read(struct idle_sample *sample) {
	struct idle_gpu_look *look = xcalloc(1, sizeof(*look));
	signal_gpu_look(sample->root, sample->nvml, &sample->memory->nvml, look);
	signal_gpu(look, sample->threshold[SIGNAL_GPU], &sample->answers[SIGNAL_GPU]);
	free(look);
}
