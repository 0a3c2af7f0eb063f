/* tendd: keeps folders in the cloud and services running, from one ini file. Always in the
 * foreground. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "tendd/check.h"
#include "tendd/house.h"
#include "tendd/upgrade.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, HELP_MAX = 1 << 20 };

struct arguments {
	const char *config_path;
	bool check;
};

static void print_usage(FILE *to) {
	fputs("usage: tendd [-c FILE] [--check] [--help-config] [--version]\n"
	      "\n"
	      "  -c FILE        the configuration; else /etc/tend/tend.ini as root, "
	      "~/.config/tend/tend.ini\n"
	      "  --check        read and check the configuration, start nothing\n"
	      "  --help-config  all sections and keys\n"
	      "  --version\n"
	      "\n"
	      "It stays in the foreground. TERM stops it, HUP reloads; 'tend' talks to it.\n",
		to);
}

static void print_help_config(void) {
	struct buf text;
	buf_init(&text, HELP_MAX);
	config_print_help(tendd_tables, &text);
	fputs(text.at, stdout);
	buf_release(&text);
}

/* An exit code, or -1: go on. Help and version touch nothing, so that they work wherever the
 * program does. */
static int read_arguments(int argc, char **argv, struct arguments *arguments) {
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' }, { "help-config", no_argument, NULL, 'H' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	int option;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c': arguments->config_path = optarg; break;
		case 'k': arguments->check = true; break;
		case 'H': print_help_config(); return EXIT_DONE;
		case 'V': printf("tendd %s\n", TEND_VERSION); return EXIT_DONE;
		case 'h': print_usage(stdout); return EXIT_DONE;
		default: print_usage(stderr); return EXIT_USAGE;
		}
	}
	if (optind == argc) return -1;
	fprintf(stderr, "tendd takes no '%s'\n", argv[optind]);
	print_usage(stderr);
	return EXIT_USAGE;
}

/* ---- the configuration ---- */

/* To stderr as they are, without time or level: an editor can jump to file:line. */
static void print_errors(const struct config_errors *errors, const struct err *err) {
	if (!errors->lines) fprintf(stderr, "%s\n", err->text);
	for (size_t i = 0; errors->lines && errors->lines[i]; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
}

struct place_check {
	bool done, good;
};

static void places_checked(void *user, const struct config_errors *errors) {
	struct place_check *check = user;
	check->done = true;
	check->good = errors->lines == NULL;
	if (!check->good) print_errors(errors, NULL);
}

/* Absolute, but with its links as they are: a reload follows where they point then. The
 * caller's. */
static char *config_path_of(const struct arguments *arguments, const char *home) {
	char folder[PATH_MAX];
	if (!arguments->config_path) return default_config_path(home);
	if (arguments->config_path[0] == '/' || !getcwd(folder, sizeof(folder))) {
		return xstrdup(arguments->config_path);
	}
	return path_join(folder, arguments->config_path);
}

static struct config *read_config(const struct arguments *arguments, const char *home) {
	struct config_errors errors = { 0 };
	struct err err;
	char *path = config_path_of(arguments, home);
	struct config *config = check_read(path, home, &errors, &err);
	if (!config && err.kind == ERR_NOT_FOUND) {
		fprintf(stderr,
			"there is no '%s': 'tend init' writes one, or name another file "
			"with -c\n",
			path);
	} else if (!config) {
		print_errors(&errors, &err);
	}
	config_errors_release(&errors);
	free(path);
	return config;
}

/* ---- life ---- */

static int exit_code_of(const struct err *err) {
	switch (err->kind) {
	case ERR_INVALID:
	case ERR_BUSY:
	case ERR_DENIED:
	case ERR_NOT_FOUND: return EXIT_USAGE; /* it will not be better the next time */
	default: return EXIT_FAILED;
	}
}

/* Every way out goes through house_close: services are let go of, files are closed. */
static int run_house(struct house *house, char **become) {
	struct err err;
	if (house_open(house, &err)) {
		fprintf(stderr, "%s\n", err.text);
		house->exit_code = exit_code_of(&err);
	} else {
		log_info("tendd %s runs with '%s'", TEND_VERSION, house->config->path);
		host_ready(house->host);
		loop_run(house->loop);
	}
	house_close(house);
	int code = house->exit_code;
	*become = house->become;
	house_free(house);
	return code;
}

static int run(
	const struct arguments *arguments, char *home, struct config *config, char **become) {
	const struct tend_settings *settings = settings_of(config);
	struct place_check check = { 0 };
	struct err err;
	int code;
	log_open((enum log_level)settings->log_level,
		host_has_journal() ? LOG_JOURNAL : (enum log_format)settings->log_format);
	struct loop *loop = loop_new((unsigned)settings->workers, &err);
	if (!loop) {
		fprintf(stderr, "%s\n", err.text);
		config_free(config);
		free(home);
		return EXIT_FAILED;
	}
	/* On the loop and by workers: a folder on a network that hangs must not hold the start. */
	check_places(loop, config, places_checked, &check);
	loop_run_until(loop, &check.done);
	if (!check.good || arguments->check) {
		if (check.good) printf("%s: good\n", config->path);
		code = check.good ? EXIT_DONE : EXIT_USAGE;
		config_free(config);
		free(home);
	} else {
		code = run_house(house_new(loop, home, config, host_new(loop)), become);
	}
	/* A worker that hangs on a disk that does not answer ends with the process. */
	if (loop_counts(loop).jobs_in_flight > 0) {
		fflush(stdout);
		if (*become) return code;
		_exit(code);
	}
	loop_free(loop);
	return code;
}

int main(int argc, char **argv) {
	extern char **environ;
	struct arguments arguments = { 0 };
	struct err err;
	int code = read_arguments(argc, argv, &arguments);
	if (code >= 0) return code;
	/* State, indexes and logs hold what is in people's folders. Services get their own
	 * umask. */
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	crypto_forbid_core_dumps();
	char *home = home_find(&err);
	if (!home) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_USAGE;
	}
	/* systemd gives root's units none, and credentials are looked for there. */
	setenv("HOME", home, 1);
	struct config *config = read_config(&arguments, home);
	if (!config) {
		free(home);
		return EXIT_USAGE;
	}
	/* The host takes out of it what is ours; whoever goes on in our place is told the same. */
	char **env = strv_dup(environ), *become = NULL;
	code = run(&arguments, home, config, &become);
	if (become) {
		upgrade_become(become, argv, env);
		code = EXIT_FAILED;
	}
	free(become);
	strv_free(env);
	return code;
}
