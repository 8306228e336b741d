/** The lab's network as a picture, for people. */

export const MAP = `
     client               router                       switch
  203.0.113.2 ----- 203.0.113.1 | 198.51.100.1 ----- # ----- 198.51.100.11  da  director, node primary
                                                     # ----- 198.51.100.12  db  director, node backup
                                                     # ----- 198.51.100.21  r1  real server
                                                     # ----- 198.51.100.22  r2  real server
`;

export const VIP_TEXT = `The client asks the virtual IP (VIP) and never knows which director has it. The router knows:
it keeps an ARP entry for the VIP, here for hours, unless an announcement (gratuitous ARP) moves it. When
the VIP moves and the router does not hear of it, all that is sent to the VIP is lost. That was bug 140414.
`;
