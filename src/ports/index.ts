export { openAddressPort } from './addresses.ts';
export { BootClock } from './clock.ts';
export { type EchoReply, type EchoSocket, openEchoSocket } from './echo.ts';
// For tests that need root, of every room below this one.
export { enterNamespace, ip as runIp } from './enter-namespace.ts';
export { errnoName, portError } from './errno.ts';
export { IpvsPort, openIpvs } from './ipvs.ts';
export { LEASE_TABLE, type LeaseForm, LinuxLease, openLease } from './lease.ts';
export { LifetimeLease, lifetimeSeconds, MAX_LIFETIME_VIPS } from './lifetime-lease.ts';
export { type Native, NativeUnavailable, native } from './native.ts';
export { type NeighbourPort, observeGateways, openNeighbourPort } from './neighbours.ts';
export {
  type NetlinkFamily,
  type NetlinkSocketOptions,
  openNetlinkSocket,
} from './netlink-socket.ts';
export { type NftPlane, openNftPlane, type SyncPartner } from './nft-plane.ts';
export { type Notifier, openNotifier } from './notify.ts';
export { type Hearing, openPacketSocket, type PacketSocketOptions } from './packet.ts';
export { type Peer, peerOf, userId, userText } from './peer.ts';
export { LinuxPoller, openWaker, type Waker, wakerOf, watchReadable } from './poller.ts';
export { realtimePriority, setNice, setRealtime, setThreadName } from './realtime.ts';
export { observeAddressFlags, observeWays, type Way } from './routes.ts';
export { ProcessSpawner } from './spawner.ts';
export { openStandardError, type WriteWithoutWaiting } from './standard-error.ts';
export { openSyslog, type Syslog } from './syslog.ts';
export { type SystemNames, systemNames } from './system-names.ts';
export * from './types.ts';
export { type HeartbeatSocketOptions, openHeartbeatSocket } from './udp.ts';
export { openWhereabouts, type Whereabouts } from './whereabouts.ts';
