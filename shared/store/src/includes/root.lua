-- root: the prefix of every key, and the call into Redis. Every script begins with it.
-- KEYS[1] is `{namespace}:`. The braces make it the hash tag, so that all keys of a namespace are
--         in
-- one cluster slot.

local root = KEYS[1]
local call = redis.call
