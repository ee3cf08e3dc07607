-- skip_ticks: counts ticks that get no job, and keeps the reason of the last ones.
-- include: cron_keys, emit_cron, digits

local function skip_ticks(name, reason, count, tick, now)
  call('HINCRBY', key_cron(name), 'skipped', count)
  call('HSET', key_cron(name), 'skipReason', reason, 'skipTick', tick, 'skipCount', count,
    'skipAt', digits(now))
  emit_cron(name, 'skipped', 'reason', reason, 'tick', tick, 'count', count)
end
