-- keep_batch: nothing -> kept, as one value that holds all jobs to be submitted.
-- One script, so that a large batch is accepted whole or not at all. From here on the API carries
-- it out in small steps that do not hold up Redis; when the API dies, a scheduler does.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  id      string  of the batch
-- ARGV[2]  jobs    JSON    all jobs
-- ARGV[3…] kinds   string  class, action and priority of the jobs, each combination once
-- Answers  {'kept'}
--          {'too_many_queues', queue}  nothing is written
-- include: route, words_in, clock

local now, kinds = now_ms(), {}
for i = 3, #ARGV do
  local words = words_in(ARGV[i])
  kinds[#kinds + 1] = { class = words[1], action = words[2], priority = words[3] }
end
local excess = open_queues(kinds, now)
if excess then return { 'too_many_queues', excess } end

call('SET', root .. 'batch:' .. ARGV[1], ARGV[2])
call('ZADD', root .. 'batches', now, ARGV[1])
return { 'kept' }
