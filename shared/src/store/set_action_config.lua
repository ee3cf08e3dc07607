-- set_action_config: what jobs of an action have by default is set; a job that is there already keeps what it has.
-- One script, so that a config keeps its id however often it is set, and there are never more than may be.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  action  string  the action
-- ARGV[2]  id      string  the config's id, should there be none
-- ARGV[3]  config  JSON    what it says
-- ARGV[4]  most    int     how many there may be
-- Answers  {'set', id}  it is as asked
--          {'too_many'}  it would be one too many; nothing is written

local configs = root .. 'action_configs'
local was = call('HGET', configs, ARGV[1])
if not was and call('HLEN', configs) >= tonumber(ARGV[4]) then return { 'too_many' } end

-- An id has 36 characters.
local id = was and was:sub(1, 36) or ARGV[2]
call('HSET', configs, ARGV[1], id .. ' ' .. ARGV[3])
return { 'set', id }
