-- due_crons: reads which crons have a tick that has come, or a held firing that may begin. Fires
-- nothing.
-- One script, so that all of it is of one moment of the store's clock. Its cost is what is due, not
-- what exists. When many are due, each caller gets others, so that schedulers do not all do the
-- same work. A cron whose key cannot be read is tried again after a minute.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  max     int     how many crons at most
-- ARGV[2]  seed    int     a random number that selects among many
-- ARGV[3]  again   int     ms until a held firing that cannot begin is looked at again
-- Answers  {'due', now, wait, {name, id, revision, nextRun, spec, held}…}
--            wait is the ms until the next cron is due, -1 for none; nextRun is '' for none; held
--            is the first held firing that may begin, or ''
-- flags: allow-oom
-- include: cron_keys, unfinished_jobs, try_step, clock, digits

local max, now = tonumber(ARGV[1]), now_ms()
local count = call('ZCOUNT', root .. 'crons', '-inf', now)
local from = count > max and tonumber(ARGV[2]) % (count - max + 1) or 0
local names = call('ZRANGE', root .. 'crons', '-inf', now, 'BYSCORE', 'LIMIT', from, max)
local answer = { 'due', digits(now), '-1' }
local function look_at(name)
  local cron = call('HMGET', key_cron(name), 'id', 'revision', 'nextRun', 'spec', 'overlap')
  local held = call('ZRANGE', key_cron_held(name), 0, 0)[1] or ''
  if held ~= '' and cron[5] ~= 'allow' and #some_unfinished(name, 1) > 0 then held = '' end
  local next_run = tonumber(cron[3])
  if held ~= '' or (next_run and next_run <= now) then
    answer[#answer + 1] = { name, cron[1], cron[2], cron[3], cron[4], held }
  else
    local look = math.min(next_run or math.huge, now + tonumber(ARGV[3]))
    call('ZADD', root .. 'crons', digits(look), name)
  end
end
for _, name in ipairs(names) do
  local _, why = try_reported('cron ' .. name, look_at, name)
  if why then call('ZADD', root .. 'crons', digits(now + again_ms), name) end
end
local following = call('ZRANGE', root .. 'crons', 0, 0, 'WITHSCORES')
if following[2] then answer[3] = digits(math.max(0, following[2] - now)) end
return answer
