"""Values of the formats in the OpenAPI document that JSON Schema does not define."""

import datetime

import schemathesis
from hypothesis import strategies as st

SCHEDULES = [
    "* * * * *",
    "0 0 1 * * 6",
    "*/5 0-6,20-23 1,15 * MON-FRI",
    "0 0 L * *",
    "@hourly",
    "@every 90s",
]

URLS = ["https://example.org/", "http://10.0.0.1:8080/hook?key=1", "https://[2001:db8::1]/a%20b"]

times = st.datetimes(
    min_value=datetime.datetime(1970, 1, 1),
    max_value=datetime.datetime(9000, 1, 1),
    timezones=st.just(datetime.timezone.utc),
)

schemathesis.openapi.format("cron", st.sampled_from(SCHEDULES))
schemathesis.openapi.format("http-url", st.sampled_from(URLS))
schemathesis.openapi.format("date-time", times.map(datetime.datetime.isoformat))


def with_integers(value):
    """Replaces 1.0 by 1. Both are integers in JSON Schema, but the service accepts only 1."""
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def map_body(context, body):
    return with_integers(body)


@schemathesis.hook
def filter_query(context, query):
    """Skips empty values, which the service accepts for every type."""
    return not query or all(value or value in (0, False) for value in query.values())
