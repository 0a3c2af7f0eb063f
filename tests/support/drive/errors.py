"""Refusals in the shapes of Google's services."""


class Refused(Exception):
    """An answer with another status than 2xx; `body` is the JSON that goes with it."""

    def __init__(self, status, body, headers=None):
        super().__init__(str(body))
        self.status, self.body, self.headers = status, body, headers or {}


def api(status, reason, message, domain="global", headers=None, **where):
    """{"error": {"errors": [{domain, reason, message}], code, message}}: of the Drive API itself."""
    one = {"message": message, "domain": domain, "reason": reason, **where}
    return Refused(status, {"error": {"code": status, "message": message, "errors": [one]}}, headers)


def invalid(message, name=None):
    where = {"location": name, "locationType": "parameter"} if name else {}
    return api(400, "invalid", message, **where)


def unknown_parameter(name):
    return api(400, "invalidParameter", f"Unknown name \"{name}\": Cannot bind query parameter.")


def required(name, method="this method"):
    return api(400, "required", f"The '{name}' parameter is required for {method}.", location=name,
               locationType="parameter")


def not_found(file_id):
    return api(404, "notFound", f"File not found: {file_id}.", location="fileId", locationType="parameter")


def no_login():
    return api(401, "authError", "Invalid Credentials", headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
               location="Authorization", locationType="header")


def no_scope():
    return api(403, "insufficientPermissions", "Request had insufficient authentication scopes.")


def no_right(file_id):
    return api(403, "insufficientFilePermissions",
               f"The user does not have sufficient permissions for file {file_id}.")


# What a test can ask for by its reason: status, message, domain.
LIMITS = {
    "userRateLimitExceeded": (403, "User Rate Limit Exceeded. Rate of requests for user exceed configured project quota, you may "
                              "consider re-evaluating expected per-user traffic to the API.", "usageLimits"),
    "rateLimitExceeded": (403, "Rate Limit Exceeded", "usageLimits"),
    "dailyLimitExceeded": (403, "Daily Limit Exceeded", "usageLimits"),
    "storageQuotaExceeded": (403, "The user's Drive storage quota has been exceeded.", "usageLimits"),
    "quotaExceeded": (403, "The download quota for this file has been exceeded.", "usageLimits"),
    "downloadQuotaExceeded": (403, "The download quota for this file has been exceeded.", "usageLimits"),
    "teamDriveFileLimitExceeded": (403, "The file limit for this shared drive has been exceeded.", "global"),
    "tooManyRequests": (429, "Too Many Requests", "usageLimits"),
    "backendError": (503, "Backend Error", "global"),
    "internalError": (500, "Internal Error", "global"),
    "authError": (401, "Invalid Credentials", "global"),
}


def limit(reason, headers=None):
    status, message, domain = LIMITS[reason]
    return api(status, "rateLimitExceeded" if reason == "tooManyRequests" else reason, message, domain, headers)


def oauth(error, description, status=400):
    """{"error": ..., "error_description": ...}: RFC 6749 §5.2."""
    return Refused(status, {"error": error, "error_description": description})
