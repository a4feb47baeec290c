-- What wrk asks, and what it says of it:
--     wrk … --script wrk.lua URL -- FILE
-- FILE has a request on each line, a path (GET), with a token behind it or not, or a JSON body (POST /api/activities); they are
-- taken in turn from a random one on. Ends with one line of JSON.

local requests, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    if line:sub(1, 1) == "{" then
      requests[#requests + 1] = wrk.format("POST", "/api/activities", { ["Content-Type"] = "application/json" }, line)
    else
      local path, token = line:match("^(%S+) ?(%S*)$")
      requests[#requests + 1] = wrk.format("GET", path, token ~= "" and { Authorization = "Bearer " .. token } or nil)
    end
  end
  math.randomseed(os.time())
  at = math.random(#requests)
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"bytes":%d,"bad_status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,' ..
      '"p50_us":%d,"p99_us":%d,"worst_us":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status, errors.connect, errors.read, errors.write,
    errors.timeout, latency:percentile(50), latency:percentile(99), latency.max))
end
