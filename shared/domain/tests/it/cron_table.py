"""Prints cron_table.tsv: random crontab lines with their next firings according to python-croniter.

    python3 -m venv venv
    venv/bin/pip install croniter==7.0.0 tzdata
    venv/bin/python cron_table.py > cron_table.tsv

A row has a time zone, a line, and pairs of a start and the number of seconds until the line fires (- if it never does).
"""

import random
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

STARTS = 4
LINES_IN_UTC = 5500
LINES_PER_ZONE = 300
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"]
pick = random.Random(20261121)


def item(least, largest):
    a, b = sorted(pick.randint(least, largest) for _ in range(2))
    kind = pick.randrange(5)
    if kind < 3 or a == b:
        return str(a)
    return f"{a}-{b}" if kind == 3 else f"{a}-{b}/{pick.randint(1, b - a)}"


def field(least, largest):
    kind = pick.randrange(8)
    if kind < 3:
        return "*"
    if kind == 3:
        return f"*/{pick.randint(2, largest - least)}"
    return ",".join(item(least, largest) for _ in range(pick.randint(1, 3)))


def day_of_month():
    kind = pick.randrange(10)
    return "L" if kind == 0 else f"{pick.randint(1, 31)}W" if kind == 1 else field(1, 31)


def day_of_week():
    """In our words and in croniter's, which writes the last Friday L5."""
    kind, day = pick.randrange(10), pick.randint(0, 6)
    if kind == 0:
        return f"{day}L", f"L{day}"
    one = f"{day}#{pick.randint(1, 5)}" if kind == 1 else "MON-FRI" if kind == 2 else field(0, 6)
    return one, one


def row(zone, starts):
    clock = [field(0, 59), field(0, 59), field(0, 23)]
    date = [day_of_month(), pick.choice(["*", "*", "*", field(1, 12), "FEB", "JUN-SEP"])]
    ours, theirs = day_of_week()
    # croniter joins these with the other day field by "and"; a few such lines are enough.
    if pick.randrange(10) and ("W" in date[0] or "#" in ours or "L" in ours):
        if "W" in date[0]:
            ours = theirs = "*"
        else:
            date[0] = "*"
    pairs = []
    for start in starts:
        at = datetime.fromtimestamp(start, zone)
        try:
            found = croniter(" ".join(clock + date + [theirs]), at, second_at_beginning=True)
            pairs.append(f"{start}:{int(found.get_next(float)) - start}")
        except CroniterBadDateError:
            pairs.append(f"{start}:-")
    print("\t".join([str(zone), " ".join(clock + date + [ours]), *pairs]))


def changes(zone):
    """When the zone's clock was changed between 2010 and 2026."""
    offset = lambda at: datetime.fromtimestamp(at, zone).utcoffset()
    hours = range(1262304000, 1798761600, 1800)
    return [at for at in hours if offset(at) != offset(at - 1800)]


for _ in range(LINES_IN_UTC):
    row(timezone.utc, [pick.randrange(1420070400, 2051222400) for _ in range(STARTS)])
for name in ZONES:
    zone = ZoneInfo(name)
    around = changes(zone)
    for _ in range(LINES_PER_ZONE):
        row(zone, [pick.choice(around) + pick.randrange(-200000, 10000) for _ in range(STARTS)])
