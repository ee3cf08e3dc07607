-- submit: nothing -> waiting, unless the id is known already.
-- One script, because a job must never be in an index, or answered 202, without being on its way.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  limit    int     how many queues a namespace may have
-- ARGV[2…] per job: id, action, class, priority, scheduledAt in ms or '' for now, retries, spec as JSON
-- Answers  {'submitted', {word, number, createdAt, scheduledAt}…}  word is 'created' or 'known'; in the order asked
--          {'too_many_queues', queue}                              nothing is written

local limit = tonumber(ARGV[1])
local seen, queues = {}, {}
for i = 2, #ARGV, 7 do
  local queue = ARGV[i + 2] .. '.' .. ARGV[i + 3]
  if not seen[queue] then
    seen[queue] = true
    queues[#queues + 1] = queue
  end
end
local fresh = fresh_queues(queues)
if #fresh > 0 and call('SCARD', root .. 'queues') + #fresh > limit then
  return { 'too_many_queues', fresh[1] }
end

add_queues(fresh)
local now = now_ms()
local answers = { 'submitted' }
for i = 2, #ARGV, 7 do
  local id = ARGV[i]
  local known = call('HMGET', key_job(id), 'number', 'createdAt', 'scheduledAt')
  if known[1] then
    answers[#answers + 1] = { 'known', known[1], known[2], known[3] }
  else
    local at = ARGV[i + 4] ~= '' and ARGV[i + 4] or text(now)
    local job = { action = ARGV[i + 1], class = ARGV[i + 2], priority = ARGV[i + 3], scheduledAt = at }
    if ARGV[i + 5] ~= '0' then job.retriesLeft = ARGV[i + 5] end
    local number = create(id, job, ARGV[i + 6], now)
    answers[#answers + 1] = { 'created', number, text(now), at }
  end
end
return answers
