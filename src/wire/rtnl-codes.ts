/** The numbers of rtnetlink, shared by those who ask (rtnl.ts) and those who read (rtnl-answers.ts). */

export const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
} as const;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const ARPHRD_ETHER = 1;
export const IFF_UP = 0x1;
export const IFF_LOWER_UP = 0x10000;
export const IFLA = { address: 1, name: 3, mtu: 4, extendedMask: 29 } as const;
export const RTEXT_FILTER_SKIP_STATS = 8;
export const IFA = {
  address: 1,
  local: 2,
  label: 3,
  broadcast: 4,
  cacheInfo: 6,
  flags: 8,
} as const;
export const IFA_F_NODAD = 0x02;
export const NDA = { destination: 1, linkLayer: 2 } as const;
export const NUD_PERMANENT = 0x80;
export const RTA = {
  destination: 1,
  outInterface: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  multipath: 9,
  table: 15,
  via: 18,
} as const;
export const FOREVER = 0xffffffff;
