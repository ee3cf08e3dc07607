-- set_action_config: sets or deletes the defaults of an action's jobs; existing jobs keep what they
-- have.
-- One script, so that a config keeps its id however often it is set, their number is bounded, and
-- its limits are the permits of the action's locks. Limits that were set by hand stay, until a
-- config changes its own. When the config cannot be read, its limits are unknown, and those of the
-- new one replace them.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  action  string  the action
-- ARGV[2]  id      string  of a new config
-- ARGV[3]  config  JSON    the defaults
-- ARGV[4]  most    int     how many configs a namespace may have; 0 to delete this one
-- ARGV[5]  seen    string  the config that was read; 'any' skips the check
-- Answers  {'set', id}
--          {'deleted'}
--          {'gone'}      no such config; nothing is written
--          {'too_many'}  it would be one too many; nothing is written
--          {'conflict'}  the config has changed since; nothing is written
-- include: change_permits, withdraw_offer, write_changes, try_step, clock, digits

local configs, action, deletes, now = root .. 'action_configs', ARGV[1], ARGV[4] == '0', now_ms()
local was = call('HGET', configs, action)
if deletes and not was then return { 'gone' } end
if ARGV[5] ~= 'any' and was ~= ARGV[5] then return { 'conflict' } end
if not deletes and not was and call('HLEN', configs) >= tonumber(ARGV[4]) then
  return { 'too_many' }
end

-- An id and a space precede the config.
local id, kept = string.match(was or '', '^(%x+%-%x+%-%x+%-%x+%-%x+) (.*)$')
local old, new = kept and try_step(cjson.decode, kept), deletes and {} or cjson.decode(ARGV[3])
local is_known = not was or type(old) == 'table'
old, id = type(old) == 'table' and old or {}, id or ARGV[2]
if deletes then
  call('HDEL', configs, action)
else
  call('HSET', configs, action, id .. ' ' .. ARGV[3])
end
local function limit(name, before, after)
  if before == after and is_known then return end
  change_permits(name, after and digits(after) or '', now)
end
limit('action:' .. action, old.maxRunning, new.maxRunning)
local per_key = 'action:' .. action .. ':*'
local function of_key(config)
  return type(config.maxRunningPer) == 'table' and config.maxRunningPer.permits or nil
end
limit(per_key, of_key(old), of_key(new))
refill_offers(now)
write_changes()
return deletes and { 'deleted' } or { 'set', id }
