-- save_bulk: an API process claims a bulk operation, or saves its progress and renews its claim.
-- One script, so that two processes do not run one operation, and so that a process that has
-- lost its claim does not overwrite what the next one has saved.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  id        string  the operation
-- ARGV[2]  owner     string  the process
-- ARGV[3]  claim_ms  number  how long the claim is valid
-- ARGV[4]  progress  string  as JSON; '' to claim the operation
-- ARGV[5]  over      string  '1' when no job is left
-- ARGV[6]  kept_ms   number  how long the record of an ended operation is kept
-- Answers  {'running'}  the process runs it
--          {'done'}     no job is left
--          {'stopped'}  it was stopped; the progress of its last step is written
--          {'claimed'}  another process runs it; nothing is written
--          {'gone'}     no such operation
-- flags: allow-oom
-- include: bulk_keys, end_bulk, clock, digits

local id, owner, claim_ms, progress = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local key, now = key_bulk(id), now_ms()
local known = call('HMGET', key, 'state', 'owner', 'claimedUntil')
local state = known[1]
if not state then
  call('SREM', root .. 'bulk:running', id)
  return { 'gone' }
end
-- After the clock was set back, a claim is not valid for longer than it was made for.
local left = (tonumber(known[3]) or 0) - now
local is_claimed = left > 0 and left <= claim_ms
if known[2] ~= owner and (progress ~= '' or is_claimed) then return { 'claimed' } end
if state ~= 'running' and progress == '' then return { state } end

if progress ~= '' then call('HSET', key, 'progress', progress, 'lastUpdated', digits(now)) end
if state ~= 'running' then return { state } end
if ARGV[5] == '1' then
  end_bulk(id, 'done', now, ARGV[6])
  return { 'done' }
end
call('HSET', key, 'owner', owner, 'claimedUntil', digits(now + claim_ms))
return { 'running' }
