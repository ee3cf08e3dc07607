//! The grammar of queries, as tables: what is accepted, ignored and refused.

use expect_test::{Expect, expect};

use super::*;

fn check(queries: &[&str], expected: &Expect) {
    let read = |raw: &&str| match parse_query(Some(raw)) {
        Err(why) => format!("{raw} -> refused: {why}\n"),
        Ok(query) => {
            let JobQuery { conditions, sort, descending, page, per_page, omitted_tasks, .. } =
                query;
            let sign = if descending { "-" } else { "" };
            let conditions: Vec<_> = conditions.iter().map(condition_text).collect();
            let page = format!("{page}x{per_page} by {sign}{sort:?} without {omitted_tasks:?}");
            let page = page.replace("1x50 by Number(Id) without []", "-");
            format!("{raw} -> {page} {}\n", conditions.join(" and "))
        }
    };
    expected.assert_eq(&queries.iter().map(read).collect::<String>());
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::State(state) => state.as_str().to_owned(),
        Condition::Number(column, number) => format!("{column:?}={number}"),
        Condition::Time(column, at) => format!("{column:?}={}", at.map_or(-1, Timestamp::ms)),
        Condition::Is(column, text) => format!("{column:?}={text:?}"),
        Condition::Contains(column, _) => format!("{column:?} contains"),
    }
}

#[test]
fn filters_are_parsed() {
    check(
        &[
            "",
            "filter[status]=finished&filter[function_name]=sync_devices",
            "filter%5Bfunction.name%5D%5Bcontains%5D=sync",
            "filter[next.job.id]=7&filter[id]=+8&filter[change_score]=-1_0",
            "filter[id]=99999999999999999999999999999999999999999999",
            "filter[id][gt]=5",
            "filter[comment][icontains]=x",
            "filter[comment]=",
            "filter[ticket_ref]=a&filter[ticket_ref]=b",
            "filter[ticket_ref]=a&filter[ticket.ref]=b",
            "filter[scheduled_by][contains]=",
            "filter[start_time]=2024-01-01T12:00:00.123",
            "filter[start_time]=2024-01-01 12:00:00.123000",
            "filter[start_time]=2024-01-01T12:00:00.123001",
            "filter[finish_time]=2024-01-01&filter[scheduled_time]=2024-01-01T00:00:00Z",
        ],
        &expect![[r#"
             -> - 
            filter[status]=finished&filter[function_name]=sync_devices -> - FINISHED and FunctionName="sync_devices"
            filter%5Bfunction.name%5D%5Bcontains%5D=sync -> - FunctionName contains
            filter[next.job.id]=7&filter[id]=+8&filter[change_score]=-1_0 -> - NextJobId=7 and Id=8 and ChangeScore=-10
            filter[id]=99999999999999999999999999999999999999999999 -> - Id=170141183460469231731687303715884105727
            filter[id][gt]=5 -> - Id=5
            filter[comment][icontains]=x -> - Comment="x"
            filter[comment]= -> - Comment=""
            filter[ticket_ref]=a&filter[ticket_ref]=b -> - TicketRef="a"
            filter[ticket_ref]=a&filter[ticket.ref]=b -> - TicketRef="a" and TicketRef="b"
            filter[scheduled_by][contains]= -> - ScheduledBy contains
            filter[start_time]=2024-01-01T12:00:00.123 -> - Start=1704110400123
            filter[start_time]=2024-01-01 12:00:00.123000 -> - Start=1704110400123
            filter[start_time]=2024-01-01T12:00:00.123001 -> - Start=-1
            filter[finish_time]=2024-01-01&filter[scheduled_time]=2024-01-01T00:00:00Z -> - Finish=1704067200000 and Scheduled=1704067200000
        "#]],
    );
}

#[test]
fn a_parameter_that_is_not_a_filter_is_ignored() {
    check(
        &[
            "limit=1&filter=a,b&x=y",
            "filter[status][Contains]=nonsense",
            "filter[function-name]=x",
            "filter[]=x&filter[x]contains=y&filter[x][]=y&filter[id][a][b]=1",
            "filter[st%00atus]=x",
        ],
        &expect![[r#"
            limit=1&filter=a,b&x=y -> - 
            filter[status][Contains]=nonsense -> - 
            filter[function-name]=x -> - 
            filter[]=x&filter[x]contains=y&filter[x][]=y&filter[id][a][b]=1 -> - 
            filter[st%00atus]=x -> - 
        "#]],
    );
}

#[test]
fn an_invalid_column_or_value_is_named() {
    check(
        &[
            "filter[foo]=1",
            "filter[Status]=RUNNING",
            "filter[next.job]=1",
            "filter[result]=x",
            "filter[exception][contains]=x",
            "filter[start.arguments]=x",
            "filter[status]=BOGUS",
            "filter[status]=",
            "filter[status][contains]=bogus",
            "filter[status][contains]=running",
            "filter[id]=one",
            "filter[id]=1.0",
            "filter[id]=",
            "filter[change_score][contains]=1",
            "filter[start_time]=yesterday",
            "filter[start_time][contains]=2024",
        ],
        &expect![[r#"
            filter[foo]=1 -> refused: foo is not a valid attribute to filter on
            filter[Status]=RUNNING -> refused: Status is not a valid attribute to filter on
            filter[next.job]=1 -> refused: next_job is not a valid attribute to filter on
            filter[result]=x -> refused: result is not a valid attribute to filter on
            filter[exception][contains]=x -> refused: exception is not a valid attribute to filter on
            filter[start.arguments]=x -> refused: start_arguments is not a valid attribute to filter on
            filter[status]=BOGUS -> refused: BOGUS is not a valid value for status
            filter[status]= -> refused:  is not a valid value for status
            filter[status][contains]=bogus -> refused: BOGUS is not a valid value for status
            filter[status][contains]=running -> refused: Cannot use 'contains' operator for enum types
            filter[id]=one -> refused: one is not a valid value for id
            filter[id]=1.0 -> refused: 1.0 is not a valid value for id
            filter[id]= -> refused:  is not a valid value for id
            filter[change_score][contains]=1 -> refused: Cannot use 'contains' operator for integer types
            filter[start_time]=yesterday -> refused: yesterday is not a valid value for start_time
            filter[start_time][contains]=2024 -> refused: Cannot use 'contains' operator for datetime types
        "#]],
    );
}

#[test]
fn pages_and_orders_are_parsed_as_leniently_as_in_the_reference() {
    check(
        &[
            "per_page=1000&page=3",
            "per_page=0",
            "per_page=1001",
            "per_page=",
            "per_page=abc",
            "page=0",
            "page=-7",
            "page=abc",
            "page=2.5",
            "page=99999999999999999999999999999999999999999999",
            "sort=-finish_time",
            "sort=--ID",
            "sort=function.name",
            "sort=-nonsense",
            "sort=result",
            "sort=status&sort=id",
            "filter_jobresult=config",
            "filter_jobresult=config,diff, config,Diff,x",
            "filter_jobresult=config,config",
        ],
        &expect![[r#"
            per_page=1000&page=3 -> 3x1000 by Number(Id) without [] 
            per_page=0 -> refused: per_page argument must be integer between 1-1000
            per_page=1001 -> refused: per_page argument must be integer between 1-1000
            per_page= -> refused: per_page argument must be integer between 1-1000
            per_page=abc -> refused: per_page argument must be integer between 1-1000
            page=0 -> - 
            page=-7 -> - 
            page=abc -> - 
            page=2.5 -> - 
            page=99999999999999999999999999999999999999999999 -> 18446744073709551615x50 by Number(Id) without [] 
            sort=-finish_time -> 1x50 by -Time(Finish) without [] 
            sort=--ID -> 1x50 by -Number(Id) without [] 
            sort=function.name -> - 
            sort=-nonsense -> - 
            sort=result -> - 
            sort=status&sort=id -> 1x50 by Status without [] 
            filter_jobresult=config -> 1x50 by Number(Id) without [1] 
            filter_jobresult=config,diff, config,Diff,x -> 1x50 by Number(Id) without [2, 1] 
            filter_jobresult=config,config -> 1x50 by Number(Id) without [1, 1] 
        "#]],
    );
    assert_eq!(omitted_tasks_of(Some("a=b&filter_jobresult=diff")), [2]);
    assert_eq!(omitted_tasks_of(None), [] as [usize; 0]);
}
