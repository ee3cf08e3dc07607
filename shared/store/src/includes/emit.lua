-- emit: appends events to the stream of changes, in the step that makes the change. The events of
-- jobs are buffered, and write_changes writes up to 32 of them as one entry, a line each: job,
-- number, token, since, action, status, worker, class. A line leaves out the last four when they are
-- as in the line before. The id of an entry is that of its last event; those before it have the ids just
-- below, so a reader can resume after any event. A single event is an entry with a field each.
-- include: clock, digits

local events_kept, most_events = 10000, 32
-- The lines of the events that are not written yet, and the last of these events.
local event_lines, last_job_event = {}, {}

local function append_event(id, ...)
  return call('XADD', root .. 'events', 'MAXLEN', '~', events_kept, id, ...)
end

local function append(fields, name, value)
  fields[#fields + 1], fields[#fields + 2] = name, value
end

-- The id of an entry with so many events. `last` is that of the last entry.
local function next_event_id(last, count)
  local ms, sequence = string.match(last, '(%d+)-(%d+)')
  if tonumber(ms) < now_ms() then return digits(now_ms()) .. '-' .. digits(count - 1) end
  return ms .. '-' .. digits(sequence + count)
end

local function write_events()
  local lines, event, last = event_lines, last_job_event, nil
  event_lines = {}
  for first = 1, #lines, most_events do
    if first == #lines then
      local fields = { 'job', event[1], 'number', event[2], 'action', event[5], 'status', event[6],
        'worker', event[7], 'token', event[3] }
      if event[8] ~= '' then append(fields, 'class', event[8]) end
      if event[4] ~= '' then
        append(fields, event[6] == 'running' and 'scheduledAt' or 'startedAt', event[4])
      end
      append_event('*', unpack(fields))
    else
      local to = math.min(first + most_events - 1, #lines)
      last = last or (call('XREVRANGE', root .. 'events', '+', '-', 'COUNT', 1)[1] or { '0-0' })[1]
      last = append_event(next_event_id(last, to - first + 1), 'events',
        table.concat(lines, '\n', first, to))
    end
  end
end

-- Appends an event of another kind, after those of jobs that came before it.
local function emit(...)
  write_events()
  append_event('*', ...)
end
