-- checkpoint_keys: the key of the checkpoint of one job. keys.rs builds the same name.

local function key_checkpoint(id) return root .. 'checkpoint:' .. id end
