-- wrk: credentials of the instance at the address that wrk comes from, with a token of version 2.
--   wrk -t1 -c32 -d10s -s metadata.lua http://127.0.0.1:7402
-- Every thread asks for a token and for the name of the role first; those few answers are counted among the rest, and
-- reading answers in Lua costs wrk some of its speed.

local ROLES = "/latest/meta-data/iam/security-credentials/"
local token, role

request = function()
  if not token then
    return wrk.format("PUT", "/latest/api/token", { ["X-aws-ec2-metadata-token-ttl-seconds"] = "21600" })
  end
  return wrk.format("GET", ROLES .. (role or ""), { ["X-aws-ec2-metadata-token"] = token })
end

response = function(status, headers, body)
  if role or status ~= 200 then
    return
  end
  if headers["x-aws-ec2-metadata-token-ttl-seconds"] then
    token = body
  elseif #body < 65 then
    role = body
  end
end
