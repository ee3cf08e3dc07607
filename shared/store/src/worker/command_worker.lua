-- command_worker: an operator drains a worker, resumes it, or changes its capacity map.
-- One script, so that no command is left for a worker that has just died or left. The worker learns
-- of it with its next heartbeat, and a hint asks for that heartbeat now.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  worker  string  the worker
-- ARGV[2]  field   string  'drain' or 'wantedMap'
-- ARGV[3]  value   string  '1' or '' for drain; a capacity map as JSON
-- ARGV[4]  seen    string  the value that was read; 'any' skips the check
-- Answers  {'accepted'}
--          {'conflict'}      the field has changed since; nothing is written
--          {'over', status}  it is dead or has left; nothing is written
--          {'gone'}          no such worker
-- flags: allow-oom
-- include: worker_keys, emit, send_heartbeat_hint

local worker, field, value = ARGV[1], ARGV[2], ARGV[3]
local status = call('HGET', key_worker(worker), 'status')
if not status then return { 'gone' } end
if status == 'dead' or status == 'shutdown' then return { 'over', status } end
if ARGV[4] ~= 'any' and (call('HGET', key_worker(worker), field) or '') ~= ARGV[4] then
  return { 'conflict' }
end

call('HSET', key_worker(worker), field, value)
emit('worker', worker, field, value)
send_heartbeat_hint(worker)
return { 'accepted' }
