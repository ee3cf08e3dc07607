-- children_failed: the exception of a parent some of whose children did not succeed.

local function children_failed(count)
  return '{"type":"ChildrenFailed","message":"' .. count .. ' of its children did not succeed"}'
end
