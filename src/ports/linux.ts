/**
 * Numbers of the Linux interface that this room uses; equal on x86-64 and arm64. Sources: the
 * headers named.
 */

// sys/socket.h
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;

// asm-generic/socket.h
export const SOL_SOCKET = 1;
export const SO_PRIORITY = 12;
export const SO_PEERCRED = 17;
export const SO_PEERGROUPS = 59;
export const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_MARK = 36;

// linux/in.h, linux/in6.h
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;

// linux/netlink.h
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;

// linux/if_packet.h, linux/if_ether.h
export const SOL_PACKET = 263;
export const PACKET_IGNORE_OUTGOING = 23;
export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

// poll.h
export const POLLIN = 0x001;

// linux/time.h
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const CLOCK_BOOTTIME = 7;
