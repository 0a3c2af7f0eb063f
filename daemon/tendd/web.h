/* The TCP side of the API as [tend] asks for it: its token, and its address tried again. */
#ifndef TENDD_WEB_H
#define TENDD_WEB_H

#include "tendd/house.h"

struct web *web_new(struct house *house);
void web_free(struct web *web);

/* Is there a token that may be used, or can one be made? Before anything is touched. */
int web_check(struct house *house, const struct tend_settings *settings, struct err *err);
/* Opens, closes or moves it to what the configuration says now; soon, so that whoever asked for a
 * reload over it still hears the answer. What cannot be opened is tried again. */
void web_apply(struct web *web);

json_t *web_status(const struct web *web); /* null: not wanted */

/* POST /v1/web/login: a link that logs a browser in once; with a "code": is it still unused? */
void route_web_login(void *user, struct control_request *request);

#endif
