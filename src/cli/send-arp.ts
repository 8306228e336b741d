/**
 * `send_arp [-i dev] src_ip src_mac target_ip target_mac`: one ARP reply, as the small tool beside pulse sent it.
 *
 * "src_ip is at src_mac", told to target_mac, with the sender repeated as the target (RFC 2002 §4.6). target_ip is
 * taken and not used, as in piranha 0.8.6: older versions put it into the frame, and routers ignored that.
 */
import { parseIpAddress, parseMacAddress } from '../base/index.ts';
import { observeKernel } from '../director/index.ts';
import { openPacketSocket } from '../ports/index.ts';
import { encodeArp } from '../wire/index.ts';
import { readOptions } from './options.ts';
import { SEND_ARP } from './options-of-programs.ts';

const USAGE = 'send_arp [-i dev] src_ip src_mac target_ip target_mac';

export async function sendArpCommand(argv: readonly string[]): Promise<number> {
  const complaint = sendArp(argv);
  if (complaint === undefined) return 0;
  process.stderr.write(`send_arp: ${complaint}\n`);
  return 1;
}

/** The sentence why not; undefined when the frame was sent. */
function sendArp(argv: readonly string[]): string | undefined {
  const parsed = readOptions(argv, SEND_ARP);
  if (!parsed.ok) return `${parsed.error}; usage: ${USAGE}`;
  const [sourceIp, sourceMac, targetIp, targetMac, ...more] = parsed.value.rest;
  if (targetMac === undefined || more.length > 0) return `four addresses expected; usage: ${USAGE}`;
  const senderIp = parseIpAddress(sourceIp ?? '');
  if (!senderIp.ok || senderIp.value.includes(':'))
    return `src_ip ${sourceIp}: not an IPv4 address`;
  const senderMac = parseMacAddress(sourceMac ?? '');
  if (!senderMac.ok) return `src_mac ${sourceMac}: not a link-layer address`;
  const target = parseIpAddress(targetIp ?? '');
  if (!target.ok || target.value.includes(':')) return `target_ip ${targetIp}: not an IPv4 address`;
  const destination = parseMacAddress(targetMac);
  if (!destination.ok) return `target_mac ${targetMac}: not a link-layer address`;
  const frame = encodeArp({
    destination: destination.value,
    source: senderMac.value,
    operation: 'reply',
    senderMac: senderMac.value,
    senderIp: senderIp.value,
    targetMac: senderMac.value,
    targetIp: senderIp.value,
  });
  return sendFrame(parsed.value.values.get('device') ?? 'eth0', frame);
}

function sendFrame(device: string, frame: Uint8Array): string | undefined {
  const observed = observeKernel();
  if (!observed.ok) return observed.error;
  const link = observed.value.links.find(({ name }) => name === device);
  if (link === undefined) return `interface ${device} does not exist`;
  const socket = openPacketSocket({ index: link.index, name: device, hears: 'nothing' });
  if (!socket.ok) return `${device}: ${socket.error.operation} refused: ${socket.error.code}`;
  const error = socket.value.send(frame);
  socket.value.close();
  return error === undefined ? undefined : `${device}: not sent: ${error.code}`;
}
