//! The files that scripts can include, by name.

macro_rules! includes {
    ($($name:ident)*) => {
        /// Each name with its source.
        pub(super) const INCLUDES: &[(&str, &str)] = &[$((
            stringify!($name),
            include_str!(concat!("../includes/", stringify!($name), ".lua")),
        ),)*];
    };
}

includes! {
    bury_job
    change_permits
    changes_after
    check_relations
    children_failed
    clock
    close_job
    count_actions
    count_in
    count_parked
    create_firing
    create_job
    cron_job_keys
    cron_keys
    depend_on
    digits
    emit
    emit_cron
    emit_job
    end_job
    end_run
    end_waiting
    expire_grants
    fire_tick
    follow_up
    free_locks
    granted
    hold_locks
    job_keys
    job_status
    join_parent
    last_event
    last_follow_up
    lock_keys
    member_of
    move_job
    needs_of
    note_end
    offer
    offer_by_action
    offer_now
    offer_window
    offered_at
    park_job
    parse_needs
    permits_held
    permits_of
    pop_members
    propagate
    propagate_child
    propagate_dependents
    propagate_stop
    publish
    queue_keys
    queue_of
    read_job
    relation_keys
    remove_job
    retention
    root
    route
    schedule_job
    send_heartbeat_hint
    set_aside
    skip_ticks
    stands_for
    start_run
    stop_job
    submit_job
    subscription_keys
    try_step
    unfinished_jobs
    wait_queue
    wake_waiters
    withdraw_job
    withdraw_offer
    words_in
    worker_keys
}
