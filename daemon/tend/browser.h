/* The person's browser. */
#ifndef TEND_BROWSER_H
#define TEND_BROWSER_H

#include <stdbool.h>

bool browser_is_here(void); /* is there a desktop that could show one? */
/* The desktop's own way to open a page. Its address is seen by all who may look at processes. */
void browser_open(const char *page);

#endif
