/**
 * The words of keepalived.conf (samples/keepalived/words.txt), each in a file that is whole without it: for the test of
 * the import, and for the one in which keepalived itself reads them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Fate = 'carried' | 'changed' | 'lost' | 'needless';

export type Word = {
  readonly block: string;
  /** Debian's keepalived has it. */
  readonly isCommon: boolean;
  readonly fate: Fate;
  /** One statement, with a block behind it or not; a line each. */
  readonly lines: readonly string[];
  /** What lvs.cf has of it. */
  readonly directive?: string;
};

const TABLE = join(import.meta.dirname, 'samples/keepalived/words.txt');

export function readWords(): readonly Word[] {
  let block = '';
  return readFileSync(TABLE, 'utf8')
    .split('\n')
    .flatMap((line) => {
      block = /^\[(.+)\]$/.exec(line)?.[1] ?? block;
      const match = /^(carried|changed|lost|needless) +(.+?)(?: -> (.+))?$/.exec(line);
      if (match === null) return [];
      const [, fate = '', statement = '', directive] = match;
      const lines = statement
        .replace(/([{;]) ?/g, '$1\n')
        .split(/;?\n/)
        .filter((text) => text !== '');
      const [place = '', others] = block.split(' of ');
      return {
        block: place,
        isCommon: others === undefined,
        fate: fateOf(fate),
        lines,
        ...(directive === undefined ? {} : { directive }),
      };
    });
}

function fateOf(text: string): Fate {
  assert.ok(text === 'carried' || text === 'changed' || text === 'lost' || text === 'needless');
  return text;
}

/** `at` gives what stands at the end of each kind of block. */
export function wholeFile(at: (block: string) => string): string {
  const inGroup = at('virtual_server_group');
  return `${at('top')}
global_defs {
  ${at('global_defs')}
}
vrrp_sync_group all {
  group {
    one
  }
  ${at('vrrp_sync_group')}
}
vrrp_instance one {
  interface eth0
  virtual_router_id 8
  advert_int 2
  unicast_src_ip 192.0.2.12
  unicast_peer {
    192.0.2.11
  }
  virtual_ipaddress {
    192.0.2.80/24
  }
  ${at('vrrp_instance')}
}
${inGroup === '' ? '' : `virtual_server_group some {\n${inGroup}\n}\nvirtual_server group some {\n}`}
virtual_server 192.0.2.80 80 {
  ${at('virtual_server')}
  real_server 192.0.2.21 80 {
    ${at('real_server')}
    ${checkerWith(at)}
  }
}
`;
}

/** The block of each checker, and what it needs beside the words that are put into it. */
const CHECKERS: readonly (readonly [block: string, head: string, tail: string])[] = [
  // Without a url 2.2.7 ends by a segmentation fault.
  ['HTTP_GET', 'HTTP_GET {', 'url {\npath /\n}\n}'],
  ['url', 'HTTP_GET {\nurl {\npath /', '}\n}'],
  ['SSL_GET', 'SSL_GET {', 'url {\npath /\n}\n}'],
  ['SMTP_CHECK', 'SMTP_CHECK {', '}'],
  ['DNS_CHECK', 'DNS_CHECK {', '}'],
  ['MISC_CHECK', 'MISC_CHECK {\nmisc_path /bin/c', '}'],
  ['UDP_CHECK', 'UDP_CHECK {\nrequire_reply', '}'],
];

function checkerWith(at: (block: string) => string): string {
  const own = [
    at('checker'),
    ...CHECKERS.flatMap(([block, head, tail]) =>
      at(block) === '' ? [] : [`${head}\n${at(block)}\n${tail}`],
    ),
  ].filter((text) => text !== '');
  return own.length > 0 ? own.join('\n') : 'HTTP_GET {\nurl {\npath /\n}\n}';
}
