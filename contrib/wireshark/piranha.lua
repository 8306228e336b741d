-- Wireshark dissector for Piranha's heartbeats, both dialects (docs/protocol.md has the layout).
--
-- The first four bytes are what an original pulse reads; Wireshark's own PULSE dissector decodes them. What follows, if
-- anything, is the trailer of the extended dialect and is decoded here.
--
--   tshark -X lua_script:contrib/wireshark/piranha.lua -i eth0 -f 'udp port 539' -V
--   wireshark: copy this file to the folder of personal Lua plugins (Help, About, Folders)
--
-- A heartbeat_port other than 539: set it in Preferences, Protocols, PIRANHA, or with -o piranha.port:10539.

local piranha = Proto("piranha", "Piranha heartbeat")

piranha.prefs.port = Pref.uint("UDP port", 539, "heartbeat_port of lvs.cf")

-- Words as they lie on the wire, that is as an x86 stores them; the second form is of the other endianness.
local words = {
  [0xdadbadbd] = "RUNNING", [0xbdaddbda] = "RUNNING (big-endian)",
  [0xbddabdad] = "STOPPED", [0xadbddabd] = "STOPPED (big-endian)",
  [0xbebaafde] = "HOLD", [0xdeafbabe] = "HOLD (big-endian)",
  [0xdadaafde] = "HELD", [0xdeafdada] = "HELD (big-endian)",
  [0xbebaefbe] = "FOS RUNNING", [0xbeefbabe] = "FOS RUNNING (big-endian)",
  [0xefbeadde] = "FOS STOPPED", [0xdeadbeef] = "FOS STOPPED (big-endian)",
  [0xdadaadde] = "FOS STOPME", [0xdeaddada] = "FOS STOPME (big-endian)",
}
local roles = { [0] = "standby", [1] = "claim", [2] = "active" }
-- In the order of their numbers; only ever appended to.
local reasons = {
  [0] = "start", "forced", "partner-silent", "partner-resigned", "no-partner", "split-brain-yield",
  "partner-deaf", "partner-claims", "outranked", "link-failure", "services-failed", "main-wedged",
  "lease-expired", "woke-late", "kernel-refused", "deaf", "operator", "handover", "stop", "adopted",
  "isolated", "partner-failed", "maintenance",
}

local f = piranha.fields
f.word = ProtoField.uint32("piranha.word", "Word", base.HEX, words)
f.tag = ProtoField.string("piranha.tag", "Tag")
f.version = ProtoField.uint8("piranha.version", "Version")
f.role = ProtoField.uint8("piranha.role", "Role", base.DEC, roles)
f.flags = ProtoField.uint8("piranha.flags", "Flags", base.HEX)
f.eligible = ProtoField.bool("piranha.eligible", "May take over", 8, nil, 0x01)
f.stopping = ProtoField.bool("piranha.stopping", "Stopping", 8, nil, 0x02)
f.signed = ProtoField.bool("piranha.signed", "Signed", 8, nil, 0x04)
f.reason = ProtoField.uint8("piranha.reason", "Reason", base.DEC, reasons)
f.length = ProtoField.uint16("piranha.length", "Length of the datagram")
f.epoch = ProtoField.uint32("piranha.epoch", "Epoch")
f.moves = ProtoField.uint32("piranha.moves", "Moves between standby and active")
f.incarnation = ProtoField.uint64("piranha.incarnation", "Incarnation")
f.started = ProtoField.absolute_time("piranha.started", "Started", base.UTC)
f.sequence = ProtoField.uint32("piranha.sequence", "Sequence")
f.echo_incarnation = ProtoField.uint64("piranha.echo.incarnation", "Echo of incarnation")
f.echo_sequence = ProtoField.uint32("piranha.echo.sequence", "Echo of sequence")
f.interval = ProtoField.uint32("piranha.interval", "Interval (microseconds)")
f.deadtime = ProtoField.uint32("piranha.deadtime", "Deadtime (microseconds)")
f.lease = ProtoField.uint32("piranha.lease", "Lease (microseconds)")
f.serial = ProtoField.uint32("piranha.serial_no", "serial_no of lvs.cf")
f.digest = ProtoField.bytes("piranha.digest", "Digest of lvs.cf")
f.up = ProtoField.uint16("piranha.services.up", "Services up")
f.services = ProtoField.uint16("piranha.services", "Services")
f.links = ProtoField.uint8("piranha.links", "Link-layer addresses")
f.link = ProtoField.ether("piranha.link", "Own link-layer address")
f.hmac = ProtoField.bytes("piranha.hmac", "HMAC-SHA-256, first half")

local e = {
  short = ProtoExpert.new("piranha.short", "The datagram is shorter than it says",
    expert.group.MALFORMED, expert.severity.ERROR),
  length = ProtoExpert.new("piranha.bad_length", "The length is not that of the datagram",
    expert.group.PROTOCOL, expert.severity.WARN),
  unknown = ProtoExpert.new("piranha.unknown", "What follows the word is no trailer",
    expert.group.UNDECODED, expert.severity.NOTE),
}
piranha.experts = { e.short, e.length, e.unknown }

local FIXED = 73
local HMAC = 16

-- The trailer from its offset in the datagram on; gives what the info column says of it.
local function trailer(buffer, tree)
  local flags = buffer(8, 1):uint()
  local links = buffer(72, 1):uint()
  tree:add(f.tag, buffer(4, 2))
  tree:add(f.version, buffer(6, 1))
  tree:add(f.role, buffer(7, 1))
  local flag_tree = tree:add(f.flags, buffer(8, 1))
  flag_tree:add(f.eligible, buffer(8, 1))
  flag_tree:add(f.stopping, buffer(8, 1))
  flag_tree:add(f.signed, buffer(8, 1))
  tree:add(f.reason, buffer(9, 1))
  local length = tree:add(f.length, buffer(10, 2))
  if buffer(10, 2):uint() ~= buffer:len() then length:add_proto_expert_info(e.length) end
  tree:add(f.epoch, buffer(12, 4))
  tree:add(f.moves, buffer(16, 4))
  local incarnation = tree:add(f.incarnation, buffer(20, 8))
  -- Milliseconds since 1970, times 4096, and 12 bits of chance.
  local ms = (buffer(20, 8):uint64():rshift(12)):tonumber()
  incarnation:add(f.started, buffer(20, 8), NSTime.new(math.floor(ms / 1000), (ms % 1000) * 1000000))
  tree:add(f.sequence, buffer(28, 4))
  tree:add(f.echo_incarnation, buffer(32, 8))
  tree:add(f.echo_sequence, buffer(40, 4))
  tree:add(f.interval, buffer(44, 4))
  tree:add(f.deadtime, buffer(48, 4))
  tree:add(f.lease, buffer(52, 4))
  tree:add(f.serial, buffer(56, 4))
  tree:add(f.digest, buffer(60, 8))
  tree:add(f.up, buffer(68, 2))
  tree:add(f.services, buffer(70, 2))
  local count = tree:add(f.links, buffer(72, 1))
  local at = FIXED
  for _ = 1, links do
    if at + 6 > buffer:len() then
      count:add_proto_expert_info(e.short)
      break
    end
    tree:add(f.link, buffer(at, 6))
    at = at + 6
  end
  if flags % 8 >= 4 then
    if buffer:len() >= FIXED + HMAC then
      tree:add(f.hmac, buffer(buffer:len() - HMAC, HMAC))
    else
      tree:add_proto_expert_info(e.short)
    end
  end
  local role = roles[buffer(7, 1):uint()] or "unknown role"
  return string.format("%s (%s), epoch %d, #%d, echo #%d", role,
    reasons[buffer(9, 1):uint()] or "unknown reason",
    buffer(12, 4):uint(), buffer(28, 4):uint(), buffer(40, 4):uint())
end

function piranha.dissector(buffer, info, root)
  if buffer:len() < 4 then return 0 end
  local known, original = pcall(Dissector.get, "pulse")
  if known and original then original:call(buffer(0, 4):tvb(), info, root) end
  local tree = root:add(piranha, buffer())
  tree:add(f.word, buffer(0, 4))
  local word = words[buffer(0, 4):uint()] or "unknown word"
  local text = word
  if buffer:len() > 4 then
    if buffer:len() >= 6 and buffer(4, 2):string() == "PX" then
      if buffer:len() >= FIXED then
        text = word .. ": " .. trailer(buffer, tree)
      else
        tree:add_proto_expert_info(e.short)
      end
    else
      tree:add_proto_expert_info(e.unknown)
    end
  end
  info.cols.protocol = "PIRANHA"
  info.cols.info = text
  tree:append_text(", " .. text)
  return buffer:len()
end

local udp = DissectorTable.get("udp.port")
local port = 539
udp:add(port, piranha)

function piranha.prefs_changed()
  if piranha.prefs.port == port then return end
  udp:remove(port, piranha)
  port = piranha.prefs.port
  udp:add(port, piranha)
end
