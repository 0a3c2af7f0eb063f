/* What tendd says of a configuration, asked of the tendd that lies beside this program, without starting anything. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tend/command.h"

enum { LINE_MAX_BYTES = 4096, LINES_MAX = 200 };

/* In the child. Its stdout only says "good". */
static void become_tendd(const char *program, const char *file, int said) {
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(said, STDERR_FILENO) < 0)
		_exit(126);
	execlp(program, "tendd", "--check", "-c", file, (char *)NULL);
	_exit(127);
}

static void read_lines(int fd, char ***lines) {
	char line[LINE_MAX_BYTES];
	size_t count = 0;
	FILE *said = fdopen(fd, "r");

	while (said && fgets(line, sizeof(line), said)) {
		str_trim(line);
		if (*line && count++ < LINES_MAX) strv_add(lines, line);
	}
	if (said) (void)fclose(said);
}

static int read_end(pid_t child, const char *program, char ***lines, struct err *err) {
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) return err_sys(err, errno, "cannot wait for '%s'", program);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE) {
		strv_free(*lines); /* what it warned of is no error */
		*lines = NULL;
		return 0;
	}
	if (*lines && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE) return 0;
	return err_set(err, ERR_SYSTEM, "'%s' cannot check it: %s", program,
		*lines ? **lines : "install tendd beside tend, or put it on PATH");
}

int check_file(const char *file, char ***lines, struct err *err) {
	char *beside = place_beside("tendd");
	const char *program = beside && access(beside, X_OK) == 0 ? beside : "tendd";
	int said[2], result = -1;

	*lines = NULL;
	fflush(stdout); /* else the child would have it too */
	if (pipe(said) != 0) {
		err_sys(err, errno, "cannot make a pipe");
	} else {
		pid_t child = fork();
		if (child == 0) become_tendd(program, file, said[1]);
		(void)close(said[1]);
		if (child < 0) {
			err_sys(err, errno, "cannot start '%s'", program);
			(void)close(said[0]);
		} else {
			read_lines(said[0], lines);
			result = read_end(child, program, lines, err);
		}
	}
	if (result != 0) {
		strv_free(*lines);
		*lines = NULL;
	}
	free(beside);
	return result;
}
