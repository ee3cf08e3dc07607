-- emit_cron: the event of a cron that changes, or of ticks that get no job.
-- include: emit

local function emit_cron(name, change, ...)
  emit('cron', name, 'change', change, ...)
end
