/*
 * init: the text of a first configuration, made of three answers. No disk is looked at.
 */
#ifndef TEND_INIT_H
#define TEND_INIT_H

#include <stdio.h>

#include "base/base.h"

struct init_answers {
	char *folder;  /* its path */
	char *where;   /* "s3:bucket" */
	char *command; /* "none": none */
};

/* Is it one of the ways to say where the cloud is? -1 with err. */
int init_remote_check(const char *where, struct err *err);
/* The ini; secrets of the remote are in `folder`/secrets. The caller's. */
char *init_text(const struct init_answers *answers, const char *folder);
/* What is still to be done before such a remote answers. */
void init_remote_next(const char *where, FILE *out);

#endif
