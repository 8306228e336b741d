/** Texts of a keepalived.conf that ask for more than they should: each must end in seconds, in words or in an lvs.cf. */

/** `${A}`, which the style of strings here forbids. */
const A = '$\u007bA}';
const INSTANCE = 'vrrp_instance a {\ninterface eth0\n';
const SERVER = 'real_server 10.1.1.1 80 {\nTCP_CHECK {\n}\n}\n';

function addresses(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
  );
}

/** About a megabyte each, or a few characters that repeat themselves. */
export const GREEDY: readonly (readonly [what: string, text: string])[] = [
  ['a definition of itself', '$A=$A$A\n$A'],
  ['lines of themselves', '$A= \\\nx \\\n$A \\\n$A\n$A'],
  ['sequences of sequences', '~SEQ(A,1,100000) ~SEQ(B,1,100000) ~SEQ(C,1,100000) x'],
  ['sequences of nothing', '~SEQ(A,1,100000)\n'.repeat(60_000)],
  ['long words often', `$A=${'x'.repeat(4000)}\n~SEQ(B,1,100000) ${A.repeat(1000)}`],
  ['short lines', 'x\n'.repeat(500_000)],
  ['blocks in blocks', `${'a{'.repeat(2000)}\n`.repeat(250)],
  ['quotes', `${'" '.repeat(2000)}\n`.repeat(250)],
  ['signs of definitions', `${'$a'.repeat(2000)}\n`.repeat(250)],
  ['comments', '# x\n'.repeat(250_000)],
  ['other machines', '@x y\n'.repeat(200_000)],
  ['VIPs', `${INSTANCE}virtual_ipaddress {\n~SEQ(A,0,255) ~SEQ(B,0,255) 10.0.${A}.${A}\n}\n}\n`],
  ['instances', `${INSTANCE}virtual_ipaddress { 10.0.0.1 }\n}\n`.repeat(15_000)],
  ['peers', `${INSTANCE}unicast_peer {\n${addresses(60_000).join('\n')}\n}\n}\n`],
  [
    'services',
    `${INSTANCE}}\n${addresses(12_000)
      .map((at) => `virtual_server ${at} 80 {\n${SERVER}}\n`)
      .join('')}`,
  ],
  [
    'one service often',
    `${INSTANCE}}\n${`virtual_server 10.0.0.1 80 {\n${SERVER}}\n`.repeat(15_000)}`,
  ],
  ['one server often', `${INSTANCE}}\nvirtual_server 10.0.0.1 80 {\n${SERVER.repeat(24_000)}}\n`],
  [
    'servers',
    `${INSTANCE}}\nvirtual_server 10.0.0.1 80 {\n${addresses(24_000)
      .map((at) => `real_server ${at} 80 {\n}\n`)
      .join('')}}\n`,
  ],
  [
    'groups',
    `virtual_server_group g {\n${'10.0.0.0/24 80\n'.repeat(30_000)}}\nvirtual_server group g {\n${'real_server 10.1.1.1 80 {\n}\n'.repeat(15_000)}}\n`,
  ],
];
