-- keep_batch: nothing -> kept, as one value that holds all jobs to be submitted.
-- One script, so that a large batch is accepted whole or not at all. From here on the API carries
-- it out in small steps that do not hold up Redis; when the API dies, a scheduler does.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  of the batch
-- ARGV[2]  jobs    JSON    all jobs
-- ARGV[3]  first   string  id of the first job, by which a batch that is repeated is known
-- ARGV[4]  hash    string  the hash of its request, or '' without an idempotency key
-- ARGV[5]  owner   string  of all jobs, or ''
-- ARGV[6]  count   int     how many jobs
-- ARGV[7]  bytes   int     of their specs
-- ARGV[8…] kinds   string  class, action and priority of the jobs, each combination once
-- Answers  {'kept'}
--          {'too_many_queues', queue}  nothing is written
--          {'quota_exceeded', …}       as in submit.lua; nothing is written
--          {'other_request', id}       the key was used for another request, which this job
--                                      answers; nothing is written
-- include: check_request, route, exceeded_quota, job_keys, words_in, clock

local batch, first = root .. 'batch:' .. ARGV[1], ARGV[3]
local hash, owner = ARGV[4] ~= '' and ARGV[4], ARGV[5]
local refused = refused_request(first, hash)
if refused then return { refused.reason, refused.id } end
local now, kinds = now_ms(), {}
for i = 8, #ARGV do
  local words = words_in(ARGV[i])
  kinds[#kinds + 1] = {
    class = words[1], action = words[2], priority = words[3], owner = owner ~= '' and owner,
  }
end
local exceeded = call('EXISTS', batch, key_job(first), key_used_id(first)) == 0
  and exceeded_quota(owner, tonumber(ARGV[6]), tonumber(ARGV[7]))
if exceeded then return exceeded end
local excess = open_queues(kinds, now)
if excess then return { 'too_many_queues', excess } end

if hash then keep_request(first, hash) end
call('SET', batch, ARGV[2])
call('ZADD', root .. 'batches', now, ARGV[1])
return { 'kept' }
