-- due_crons: which crons have a tick that has come, or a held firing whose turn it is. Fires nothing.
-- One script, so that all of it is of one moment, by the store's clock. Costs what is due, not what there is. Of many,
-- each caller is given others, so that many schedulers do not all do the same.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  max     int     how many at most
-- ARGV[2]  seed    int     anything: which of many
-- ARGV[3]  again   int     after so many ms a held firing that cannot begin is looked at again
-- Answers  {'due', now, wait, {name, id, revision, nextRun, spec, held}…}  wait is how many ms until the next one is,
--          -1 when none is; nextRun is '' when there is none; held is the first held firing whose turn it is, or ''

local max, now = tonumber(ARGV[1]), now_ms()
local count = call('ZCOUNT', root .. 'crons', '-inf', now)
local from = count > max and tonumber(ARGV[2]) % (count - max + 1) or 0
local names = call('ZRANGE', root .. 'crons', '-inf', now, 'BYSCORE', 'LIMIT', from, max)
local answer = { 'due', text(now), '-1' }
for _, name in ipairs(names) do
  local cron = call('HMGET', key_cron(name), 'id', 'revision', 'nextRun', 'spec', 'overlap')
  local held = call('ZRANGE', key_cron_held(name), 0, 0)[1] or ''
  if held ~= '' and cron[5] ~= 'allow' then
    if #some_living(name) > 0 then held = '' end
  end
  local next_run = tonumber(cron[3])
  if held ~= '' or (next_run and next_run <= now) then
    answer[#answer + 1] = { name, cron[1], cron[2], cron[3], cron[4], held }
  else
    call('ZADD', root .. 'crons', text(math.min(next_run or math.huge, now + tonumber(ARGV[3]))), name)
  end
end
local following = call('ZRANGE', root .. 'crons', 0, 0, 'WITHSCORES')
if following[2] then answer[3] = text(math.max(0, following[2] - now)) end
return answer
