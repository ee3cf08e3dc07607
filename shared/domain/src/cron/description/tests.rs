//! Tests of the description of schedules.

use crate::cron::Schedule;

#[test]
fn a_schedule_is_described_in_words() {
    let cases = [
        ("57 54 3 * * *", "at 03:54:57 every day"),
        ("0 0 1 * * 6", "at 01:00:00 on Saturday"),
        ("0 */15 * * * *", "at second 0 of every 15th minute from 0 on of every hour"),
        ("* * * * *", "every minute"),
        ("* * * * * *", "every second"),
        ("@hourly", "every hour"),
        ("@every 90s", "every 90 seconds, counted from 1970-01-01T00:00:00Z"),
        ("0 8,20 * * 1-5", "at 08:00:00 and 20:00:00 on Monday to Friday"),
        ("0 0 1,15 * MON", "at 00:00:00 on the 1st and 15th, and on Monday"),
        ("0 0 1-10/3 * MON", "at 00:00:00 on the 1st, 4th, 7th and 10th, and on Monday"),
        ("0 0 L JAN,JUL ?", "at 00:00:00 on the last day of the month in January and July"),
        ("0 0 15W * *", "at 00:00:00 on the weekday nearest to the 15th"),
        (
            "0 0 ? * FRI#2,SUNL",
            "at 00:00:00 on the 2nd Friday of the month and the last Sunday of the month",
        ),
        ("5-7 0 9-17 * * *", "at seconds 5 to 7 of minute 0 of hours 9 to 17 every day"),
    ];
    for (line, words) in cases {
        assert_eq!(line.parse::<Schedule>().unwrap().describe(), words, "{line}");
    }
}
