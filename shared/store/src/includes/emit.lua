-- emit: appends one event to the stream of changes, in the step that makes the change.

local events_kept = 10000

local function emit(...)
  call('XADD', root .. 'events', 'MAXLEN', '~', events_kept, '*', ...)
end
