/* What the files of this room share. */
#ifndef NOTIFY_INTERNAL_H
#define NOTIFY_INTERNAL_H

#include "notify/notify.h"

struct message {
	struct list link;
	char *event, *unit, *text;
	int64_t at_ns, count; /* how often, this time included */
	unsigned tries;
};

/* One [notify], and how it sends (send.c). */
struct notify {
	struct list link;
	struct notifies *notifies;
	char *name;
	struct notify_settings settings;
	struct list topics; /* topics that are quiet now */
	struct list lates;  /* folders whose changes wait (late.c) */
	struct list queue;  /* of struct message; the first is under way */
	size_t queued;
	struct http_request request;
	char *body;
	struct process process;
	bool posting, running;
	bool leaving; /* out of the configuration: freed when nothing is under way */
	struct timer timer;
};

struct notifies {
	struct loop *loop;
	struct http *http;
	struct process_host *host;
	struct list all;  /* of struct notify */
	struct map state; /* id to the last word about it */
	bool closing;
	struct defer closed_defer;
	void (*closed)(void *user);
	void *user;
};

/* What happened, if it wants to know of that. */
void notify_tell(struct notify *notify, const char *event, const char *unit, const char *text);
void notify_late_end(struct notify *notify); /* no folder is waited for any more */
/* Takes the message. */
void notify_send(struct notify *notify, struct message *message);
void notify_send_init(struct notify *notify);
/* Nothing more is sent; notify_ended() when nothing is under way, now or later. */
void notify_send_end(struct notify *notify);
void notify_ended(struct notify *notify);
void notify_message_free(struct message *message);

#endif
