/* Where things lie on this platform; the root's places are constants, a person's are the
 * caller's to free. */
#ifndef TENDD_PLACE_H
#define TENDD_PLACE_H

const char *place_system_config(void);
const char *place_system_state_dir(void);
const char *place_system_runtime_dir(void);
const char *place_system_log_dir(void);

char *place_user_config(const char *home);
char *place_user_state_dir(const char *home);
char *place_user_runtime_dir(const char *home);

/* The path of the program that runs; the caller's, NULL when the system does not tell. */
char *place_program(void);

#endif
