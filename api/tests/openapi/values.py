"""Values of the formats that the document names and JSON Schema does not know."""

import datetime

import schemathesis
from hypothesis import strategies as st

LINES = ["* * * * *", "0 0 1 * * 6", "*/5 0-6,20-23 1,15 * MON-FRI", "0 0 L * *", "@hourly", "@every 90s"]

URLS = ["https://example.org/", "http://10.0.0.1:8080/hook?key=1", "https://[2001:db8::1]/a%20b"]

moments = st.datetimes(
    min_value=datetime.datetime(1970, 1, 1),
    max_value=datetime.datetime(9000, 1, 1),
    timezones=st.just(datetime.timezone.utc),
)

schemathesis.openapi.format("cron", st.sampled_from(LINES))
schemathesis.openapi.format("http-url", st.sampled_from(URLS))
schemathesis.openapi.format("date-time", moments.map(datetime.datetime.isoformat))


def whole(value):
    """1 for 1.0: to JSON Schema that is a whole number too, but not to the service, nor to most clients."""
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def map_body(context, body):
    return whole(body)


@schemathesis.hook
def filter_query(context, query):
    """An empty value is the same as none, whatever the type: it is not wrong."""
    return not query or all(value or value in (0, False) for value in query.values())
