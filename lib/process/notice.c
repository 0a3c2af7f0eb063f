/*
 * What a program says of itself: sd_notify(3), lines of NAME=value in one datagram. Names that mean
 * nothing here are passed by, as the protocol wants it; MAINPID is, because whom we forked is known
 * better than told.
 */
#include "process/internal.h"

#include <stdio.h>
#include <string.h>

/* Cut, and not in the middle of a character. */
static bool take_status(struct process_notice *notice, const char *text, size_t len) {
	char status[PROCESS_STATUS_SIZE];
	if (len > sizeof(status) - 1) {
		len = sizeof(status) - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) len--;
	}
	snprintf(status, sizeof(status), "%.*s", (int)len, text);
	for (char *at = status; *at; at++)
		if ((unsigned char)*at < ' ') *at = ' '; /* it goes to a terminal one day */
	if (strcmp(status, notice->status) == 0) return false;
	memcpy(notice->status, status, sizeof(status));
	return true;
}

static bool take_flag(bool *flag) {
	bool news = !*flag;
	*flag = true;
	return news;
}

static bool is_line(const char *line, size_t len, const char *word) {
	return len == strlen(word) && memcmp(line, word, len) == 0;
}

static bool take_line(struct process_notice *notice, const char *line, size_t len) {
	static const char status[] = "STATUS=";
	const size_t head = sizeof(status) - 1;
	if (is_line(line, len, "READY=1")) return take_flag(&notice->ready);
	if (is_line(line, len, "STOPPING=1")) return take_flag(&notice->stopping);
	if (is_line(line, len, "WATCHDOG=trigger")) return take_flag(&notice->broken);
	if (is_line(line, len, "WATCHDOG=1")) {
		notice->pings++;
		return true;
	}
	if (len >= head && memcmp(line, status, head) == 0)
		return take_status(notice, line + head, len - head);
	return false;
}

bool notice_take(struct process_notice *notice, const char *text) {
	bool news = false;
	while (*text) {
		size_t len = strcspn(text, "\n");
		news |= take_line(notice, text, len);
		text += len + (text[len] == '\n');
	}
	return news;
}
