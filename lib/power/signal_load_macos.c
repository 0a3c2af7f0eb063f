/* Counters of processors by Mach, of links by getifaddrs(3). */
#include <ifaddrs.h>
#include <mach/mach.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "power/idle.h"

void signal_cpu_now(const char *root, struct idle_cpu *cpu) {
	host_cpu_load_info_data_t load;
	mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	(void)root;
	*cpu = (struct idle_cpu){ 0 };
	if (host_statistics(mach_host_self(), HOST_CPU_LOAD_INFO, (host_info_t)&load, &count) !=
		KERN_SUCCESS)
		return;
	cpu->busy = (uint64_t)load.cpu_ticks[CPU_STATE_USER] + load.cpu_ticks[CPU_STATE_SYSTEM] +
		    load.cpu_ticks[CPU_STATE_NICE];
	cpu->all = cpu->busy + load.cpu_ticks[CPU_STATE_IDLE];
	cpu->processors = processors > 0 ? (uint64_t)processors : 1;
	cpu->known = true;
}

/* The counters have 32 bits: one that went round counts as not known. */
int signal_net_now(const char *root, uint64_t *bytes) {
	struct ifaddrs *all = NULL;
	(void)root;
	*bytes = 0;
	if (getifaddrs(&all) != 0) return -1;
	for (const struct ifaddrs *link = all; link; link = link->ifa_next) {
		const struct if_data *counts = link->ifa_data;
		if (!counts || !link->ifa_addr || link->ifa_addr->sa_family != AF_LINK ||
			(link->ifa_flags & IFF_LOOPBACK))
			continue;
		*bytes += (uint64_t)counts->ifi_ibytes + counts->ifi_obytes;
	}
	freeifaddrs(all);
	return 0;
}
