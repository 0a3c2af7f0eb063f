/*
 * What is to be done for one path, as a pure function of the three trees (one-way modes). No loop, no clock, no disk: table tests
 * call it directly.
 */
#ifndef SYNC_PLAN_H
#define SYNC_PLAN_H

#include <stdbool.h>

enum plan_local {
	LOCAL_ABSENT,
	LOCAL_FILE,
	LOCAL_LINK,
	LOCAL_FOLDER,
	LOCAL_OTHER,    /* socket, FIFO, device: not kept */
	LOCAL_EXCLUDED, /* the rules leave it out, whatever it is */
};

/* What the index says of a path under one of its two names ("a" or "a/"). */
enum plan_base {
	BASE_NONE,
	BASE_STRANGER, /* only the remote is known to have it */
	BASE_AGREED,
};

/* How the bytes and attributes of a file or link compare with its base. */
enum plan_same {
	SAME_ALL,     /* identity equal: nothing to read */
	SAME_BYTES,   /* bytes equal, remote attributes equal: only the local identity moved */
	SAME_CONTENT, /* bytes equal, mtime or mode differ: SET */
	SAME_NOT,
};

struct plan_question {
	enum plan_local local;
	enum plan_base file; /* also a link's */
	bool file_is_link;   /* the kind the base has under that name */
	enum plan_base folder;
	bool folder_has_children; /* agreed ones */
	enum plan_same same;
	bool unsealed;       /* the base row belongs to an epoch that no SYNC sealed */
	bool folder_differs; /* mode, or the marker object it wants */
};

enum plan_action {
	PLAN_NOTHING,
	PLAN_RECORD, /* rewrite the base's local side: the remote needs nothing */
	PLAN_ADOPT,  /* the remote has the same: agreed from now on */
	PLAN_PUT,
	PLAN_SET,
	PLAN_MKDIR,
	PLAN_REMOVE, /* the file or link at the remote */
	PLAN_REMOVE_FOLDER,
	PLAN_EMPTY_FOLDER, /* first what is agreed below it, then the folder */
	PLAN_FORGET,       /* newly excluded: base dropped, remote untouched */
	PLAN_REFUSE_KIND,  /* not kept */
	PLAN_CHECK,        /* ask the remote before the base is believed */
};

enum plan_action plan_path(const struct plan_question *question);

#endif
