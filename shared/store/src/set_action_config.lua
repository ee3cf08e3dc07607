-- set_action_config: what jobs of an action have by default is set; a job that is there already keeps what it has.
-- One script, so that a config keeps its id however often it is set, there are never more than may be, and its limits are
-- the permits of the action's locks. Limits that were set by hand stay, until a config says other ones.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  action  string  the action
-- ARGV[2]  id      string  the config's id, should there be none
-- ARGV[3]  config  JSON    what it says
-- ARGV[4]  most    int     how many there may be; 0 to delete it
-- Answers  {'set', id}  it is as asked
--          {'deleted'}  it is gone
--          {'gone'}     there was none; nothing is written
--          {'too_many'}  it would be one too many; nothing is written

local configs, action, deletes = root .. 'action_configs', ARGV[1], ARGV[4] == '0'
local was = call('HGET', configs, action)
if deletes and not was then return { 'gone' } end
if not deletes and not was and call('HLEN', configs) >= tonumber(ARGV[4]) then return { 'too_many' } end

-- An id has 36 characters, and stands before what the config says.
local id = was and was:sub(1, 36) or ARGV[2]
local old, new = was and cjson.decode(was:sub(38)) or {}, deletes and {} or cjson.decode(ARGV[3])
if deletes then call('HDEL', configs, action) else call('HSET', configs, action, id .. ' ' .. ARGV[3]) end
local now = now_ms()
local function limit(name, before, after)
  if before ~= after then set_permits(name, after and text(after) or '', now) end
end
limit('action:' .. action, old.maxRunning, new.maxRunning)
limit('action:' .. action .. ':*', (old.maxRunningPer or {}).permits, (new.maxRunningPer or {}).permits)
refill(now)
return deletes and { 'deleted' } or { 'set', id }
