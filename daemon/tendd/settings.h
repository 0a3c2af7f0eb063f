/* [tend], and where everything lies when the file does not say. */
#ifndef TENDD_SETTINGS_H
#define TENDD_SETTINGS_H

#include "config/config.h"

enum on_stop { ON_STOP_STOP, ON_STOP_KEEP };

struct tend_settings {
	char **include; /* read by config itself */
	char *state_dir, *runtime_dir, *log_dir;
	int log_level;  /* enum log_level */
	int log_format; /* enum log_format: text, json */
	int64_t workers, max_transfers, buffer_limit_bytes;
	int on_stop; /* enum on_stop */
	int64_t network_timeout_ms, shutdown_timeout_ms;
	char **path, **environment;
	char *upload_limit, *download_limit;
	char *web, *web_token_file;
	bool web_allow_remote;
};

/* All sections that tendd understands or will; NULL-ended. */
extern const struct config_table *const tendd_tables[];

/* The daemon's home; NULL with err. The caller's. */
char *home_find(struct err *err);

/* The configuration file when -c does not say. The caller's. */
char *default_config_path(const char *home);

/* The place of the socket when the file does not say. The caller's. */
char *default_runtime_dir(const char *home);

/* Fills the folders that the file does not name. */
void settings_complete(struct tend_settings *settings, const char *home);

bool settings_web(const struct tend_settings *settings); /* is the TCP side wanted? */

/* [tend] of a configuration that was read. */
struct tend_settings *settings_of(const struct config *config);

#endif
