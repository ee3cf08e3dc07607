-- write_changes: writes the buffered changes of sets, sorted sets and counts, the events and the
-- outbox. A script that buffers some, directly or through an include, calls it last.
-- include: count_waiting, members, hash_counts, emit, outbox, try_step

local function write_changes()
  write_members()
  try_reported('counts', write_counts)
  try_reported('events', write_events)
  try_reported('outbox', write_outbox)
  record_waiting()
end

-- For a script that changes several jobs: when one fails, the changes of those before it are still
-- written.
local function then_write_changes(change_all)
  local done, why = pcall(change_all)
  write_changes()
  if not done then error(why, 0) end
end
