-- count_events: adds what events say to the intervals of series and to the groups of failures; the
-- cursor moves on to the last of these events.
-- One script, so that each event is counted once, however often it is read and whichever scheduler
-- dies: a second one finds the cursor moved.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  seen    string  the cursor as it was read; '' when there was none
-- ARGV[2]  next    string  the new cursor
-- ARGV[3]  series  int     how many series may have a number; the counts of others are added to
--                          number 0
-- ARGV[4]  unused  int     a series that was last counted before this moment (ms since 1970) can
--                          lose its number to another: its intervals are not kept any more
-- ARGV[5]  groups  int     how many groups of failures are kept; the one that was seen least
--                          recently goes first
-- ARGV[6]  seen    int     groups last seen before this moment are removed
-- ARGV[7…] per count, as JSON: resolution, at (start of the interval), expires (in seconds since
--          1970), name (of the series; '' for all), numbers (separated by commas); or, per group:
--          fingerprint, action, exception, message, count, first, last, sample, intervals (list of
--          resolution, at, expires, count)
-- Answers  {'counted'}
--          {'conflict'}  another scheduler was first; nothing is written
-- include: series_keys, digits

if (call('GET', root .. 'series:cursor') or '') ~= ARGV[1] then return { 'conflict' } end
local series, unused, groups = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local numbers, used = root .. 'series:numbers', root .. 'series:used'

-- A new series gets the next number, or that of one that is not kept any more.
local function series_number(name, at)
  if name == '' then return 'all' end
  local number = call('HGET', numbers, name)
  if not number then
    local known = call('HLEN', numbers)
    number = digits(known + 1)
    if known >= series then
      local oldest = call('ZRANGE', used, 0, 0, 'WITHSCORES')
      if tonumber(oldest[2]) > unused then return '0' end
      number = call('HGET', numbers, oldest[1])
      call('HDEL', numbers, oldest[1])
      call('ZREM', used, oldest[1])
    end
    call('HSET', numbers, name, number)
  end
  call('ZADD', used, 'GT', at, name)
  return number
end

local function sum(known, added)
  if not known then return added end
  local all = {}
  for number in string.gmatch(known, '%d+') do all[#all + 1] = number end
  local position = 0
  for number in string.gmatch(added, '%d+') do
    position = position + 1
    if number ~= '0' then all[position] = digits((all[position] or 0) + number) end
    all[position] = all[position] or '0'
  end
  return table.concat(all, ',')
end

local function add_counts(row)
  local key, number = key_series(row.resolution, row.at), series_number(row.name, row.at)
  call('HSET', key, number, sum(call('HGET', key, number), row.numbers))
  call('EXPIREAT', key, row.expires)
end

local listed = root .. 'failure_groups'
local function add_failures(row)
  local key = key_failure_group(row.fingerprint)
  if call('HINCRBY', key, 'count', row.count) == row.count then
    call('HSET', key, 'action', row.action, 'exception', row.exception, 'message', row.message,
      'firstSeen', row.first)
    if call('ZCARD', listed) >= groups then
      call('DEL', key_failure_group(call('ZPOPMIN', listed)[1]))
    end
  end
  call('HSET', key, 'lastSeen', row.last, 'sample', row.sample)
  call('ZADD', listed, row.last, row.fingerprint)
  for _, one in ipairs(row.intervals) do
    local interval = key_failed(one.resolution, one.at)
    -- Groups that were removed stay in the interval, so it needs a bound of its own.
    if call('HLEN', interval) < 2 * groups or call('HEXISTS', interval, row.fingerprint) == 1 then
      call('HINCRBY', interval, row.fingerprint, one.count)
      call('EXPIREAT', interval, one.expires)
    end
  end
end

for i = 7, #ARGV do
  local row = cjson.decode(ARGV[i])
  if row.fingerprint then add_failures(row) else add_counts(row) end
end
for _, name in ipairs(call('ZRANGE', listed, '-inf', '(' .. ARGV[6], 'BYSCORE', 'LIMIT', 0, 50)) do
  call('DEL', key_failure_group(name))
  call('ZREM', listed, name)
end
call('SET', root .. 'series:cursor', ARGV[2])
return { 'counted' }
