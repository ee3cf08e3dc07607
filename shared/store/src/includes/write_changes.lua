-- write_changes: writes what this script has counted, and added to sorted sets. A script that uses
-- members, hash_counts or count_waiting, or includes a file that does, calls it last.
-- include: count_waiting, members, hash_counts, try_step

local function write_changes()
  write_members()
  try_reported('counts', write_counts)
  record_waiting()
end

-- For a script that creates several jobs: those that it created before it failed are written whole.
local function then_write_changes(create)
  local done, answer = pcall(create)
  write_changes()
  if not done then error(answer, 0) end
  return answer
end
