/* The API: which path is answered by what. Requests that wait are kept in lists of the house. */
#ifndef TENDD_ROUTES_H
#define TENDD_ROUTES_H

#include "tendd/house.h"

extern const struct control_route tendd_routes[];
extern const size_t tendd_route_count;

/* Before control goes: what waits is let go. */
void routes_close(struct house *house);

/* The unit that ":id" names, or NULL, and the request is refused. */
struct unit *route_unit(struct house *house, struct control_request *request);
/* The folder that ":id" names, or NULL, and the request is refused. */
struct folder *route_folder(struct house *house, struct control_request *request);
void route_answer_unit(struct house *house, struct control_request *request, struct unit *unit);

/* ---- history.c: GET /v1/history ---- */
void route_history(void *user, struct control_request *request);
/* Says in log and history who gave an order ("stop", say) to a unit, or to "tendd" itself. */
void route_ordered(
	struct house *house, struct control_request *request, const char *unit, const char *order);
/* A folder that fails, and is well again, leaves a row. */
void history_folder(struct house *house, const struct unit *unit);
char *route_who(const struct control_request *request); /* "uid 1000"; the caller's */

/* ---- orders.c: start, stop, restart of services ---- */
void route_start(void *user, struct control_request *request);
void route_stop_unit(void *user, struct control_request *request);
void route_restart(void *user, struct control_request *request);
void orders_step(struct house *house); /* units have changed */
void orders_close(struct house *house);

/* ---- barrier.c: POST /v1/wait ---- */
void route_wait(void *user, struct control_request *request);
void barriers_close(struct house *house);

/* ---- log.c: GET /v1/units/service:NAME/log, also of steps ---- */
void route_log(void *user, struct control_request *request);
/* Streams what a step writes from now on, until its run has ended. */
void log_of_run(struct house *house, struct control_request *request, struct step *step);
void logs_close(struct house *house);

/* ---- plan.c: GET /v1/plan, POST /v1/units/step:NAME/run ---- */
void route_plan(void *user, struct control_request *request);
void route_run(void *user, struct control_request *request);
void plans_close(struct house *house);

/* ---- past.c, content.c: GET /v1/units/folder:NAME/tree, versions, content ---- */
void route_tree(void *user, struct control_request *request);
void route_versions(void *user, struct control_request *request);
void route_content(void *user, struct control_request *request);
void pasts_close(struct house *house);
void contents_close(struct house *house);

/* ---- power.c: POST and GET /v1/awake ---- */
void route_awake(void *user, struct control_request *request);
void route_why_awake(void *user, struct control_request *request);

/* ---- upgrade.c: POST /v1/upgrade ---- */
void route_upgrade(void *user, struct control_request *request);

/* ---- restore.c: POST /v1/units/folder:NAME/restore ---- */
void route_restore(void *user, struct control_request *request);
void restores_close(struct house *house);

/* ---- resolve.c: POST /v1/units/folder:NAME/resolve ---- */
void route_resolve(void *user, struct control_request *request);
void resolves_close(struct house *house);

/* ---- doctor.c: GET /v1/doctor ---- */
void route_doctor(void *user, struct control_request *request);
/* What is being looked at is one of the ends that house_close waits for. */
void doctors_close(struct house *house);

#endif
