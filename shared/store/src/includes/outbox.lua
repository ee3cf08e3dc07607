-- outbox: the jobs that relays are to publish. They are buffered, and write_changes writes up to 64
-- of one queue as one entry, a line each: job, number, scheduledAt. A line leaves out the last when
-- it is as in the line before. A single job is an entry with a field each.

local most_jobs = 64
-- The queues that this script publishes to, in order, and for each the lines of its jobs.
local unpublished = {}

local function add_to_outbox(queue, id, number, at)
  local lines = unpublished[queue]
  if not lines then
    lines = {}
    unpublished[queue], unpublished[#unpublished + 1] = lines, queue
  end
  local line = id .. ' ' .. number
  if #lines % most_jobs == 0 or lines.at ~= at then line = line .. ' ' .. at end
  lines[#lines + 1], lines.at, lines.id, lines.number = line, at, id, number
end

local function write_outbox()
  for _, queue in ipairs(unpublished) do
    local lines = unpublished[queue]
    for first = 1, #lines, most_jobs do
      if first == #lines then
        call('XADD', root .. 'outbox', '*', 'job', lines.id, 'queue', queue, 'scheduledAt',
          lines.at, 'number', lines.number)
      else
        call('XADD', root .. 'outbox', '*', 'queue', queue, 'jobs',
          table.concat(lines, '\n', first, math.min(first + most_jobs - 1, #lines)))
      end
    end
  end
  unpublished = {}
end
