"""What no error, trace or log line may show."""

PASSWORD = "hunter2-planted"
TOKEN = "tOk3n-planted-0123456789abcdefgh"
COOKIE = "c00kie-planted"
EMAIL = "ann.planted@people.example"

ALL = [PASSWORD, TOKEN, COOKIE, EMAIL, "ann.planted"]
